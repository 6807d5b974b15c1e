"""What a call is given, arranged as a program takes it, and its results as they were asked for.

A program takes steps first, then the batch. A call may have the batch first, no batch at all, or packed sequences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from . import errors
from .program import shape_text


@dataclass
class Arrangement:
    """How the tensors of a call are arranged."""

    batch_first: bool
    batched: bool = True
    # One of the packed sequences, the extent they are over, and their lengths.
    packed: Optional[PackedSequence] = None
    axis: str = ""
    lengths: Optional[Tensor] = None

    def take(self, port, tensor: Tensor) -> Tensor:
        """A tensor of a call as the program takes it."""
        axes = len(port.axes)
        if not port.per_example:
            return tensor
        if not self.batched:
            return tensor.unsqueeze(axes)
        return tensor.movedim(0, axes) if self.batch_first and axes else tensor

    def give(self, port, tensor: Tensor):
        """A result of the program as the call wants it."""
        axes = len(port.axes)
        if not port.per_example:
            return tensor
        if self.packed is not None and tuple(port.axes) == (self.axis,):
            return self._pack(tensor)
        if not self.batched:
            return tensor.squeeze(axes)
        return tensor.movedim(axes, 0) if self.batch_first and axes else tensor

    def _pack(self, tensor: Tensor) -> PackedSequence:
        packed, lengths = self.packed, self.lengths
        if packed.sorted_indices is not None:
            tensor = tensor.index_select(1, packed.sorted_indices)
            lengths = lengths.index_select(0, packed.sorted_indices)
        data = pack_padded_sequence(tensor, lengths).data
        return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)


def inputs(ports, given: Mapping[str, object], batch_first: bool) -> tuple[dict[str, Tensor], Arrangement]:
    """Checks and arranges inputs. What is missing is left for the program to say."""
    by_name = {port.name: port for port in ports}
    strange = next((name for name in given if name not in by_name), None)
    if strange is not None:
        raise TypeError(f"there is no input `{strange}`; there are {', '.join(by_name)}")
    how = Arrangement(batch_first)
    taken = {name: _unpacked(by_name[name], value, how) for name, value in given.items()}
    if how.packed is not None:
        _all_are_packed(by_name, given, how)
    if how.packed is None:
        how.batched = _is_batched(by_name, taken, batch_first)
    for name, tensor in taken.items():
        port = by_name[name]
        _check(port, tensor, how)
        # What was packed is padded as the program takes it.
        taken[name] = tensor if isinstance(given[name], PackedSequence) else how.take(port, tensor)
    return taken, how


def _unpacked(port, value, how: Arrangement) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, PackedSequence):
        raise TypeError(f"`{port.name}` is of type {type(value).__name__}, not a tensor: torch.as_tensor({port.name})")
    if len(port.axes) != 1:
        raise errors.InputError(f"`{port.name}` is {shape_text(port)}; only sequences can be packed")
    tensor, lengths = pad_packed_sequence(value)
    if how.packed is not None and (how.axis != port.axes[0] or not torch.equal(how.lengths, lengths)):
        raise errors.InputError(f"`{port.name}` is packed otherwise than the inputs before it; give lengths= and padded tensors")
    how.packed, how.axis, how.lengths = value, port.axes[0], lengths
    return tensor


def _all_are_packed(by_name, given, how: Arrangement) -> None:
    for name, value in given.items():
        if how.axis in by_name[name].axes and not isinstance(value, PackedSequence):
            raise errors.InputError(f"`{name}` is as long as what is packed, so it must be packed too")


def _is_batched(by_name, taken, batch_first: bool) -> bool:
    for name, tensor in taken.items():
        port = by_name[name]
        if not port.per_example:
            continue
        missing = len(port.axes) + 1 + len(port.extents) - tensor.dim()
        if missing not in (0, 1):
            raise errors.InputError(_wrong_shape(port, tensor, batch_first, True) + f", or unbatched {shape_text(port, batched=False)}")
        return missing == 0
    return True


def _check(port, tensor: Tensor, how: Arrangement) -> None:
    extents = len(port.extents)
    leading = len(port.axes) + (port.per_example and how.batched)
    if tensor.dim() != leading + extents or tuple(tensor.shape[leading:]) != port.extents:
        batch_first = how.batch_first and how.packed is None
        raise errors.InputError(_wrong_shape(port, tensor, batch_first, how.batched))


def _wrong_shape(port, tensor, batch_first: bool, batched: bool) -> str:
    wanted = shape_text(port, batch_first=batch_first, batched=batched)
    return f"`{port.name}` has shape {list(tensor.shape)}, but {wanted} is needed"


def lengths(ports, given, how: Arrangement) -> dict[str, Tensor]:
    """Lengths by what they are called in the program. Whether they fit the steps is seen when it runs."""
    if how.packed is not None:
        if given is not None:
            raise errors.InputError("packed sequences have their lengths; leave lengths= out")
        return {f"lengths_{how.axis}": how.lengths}
    if given is None:
        return {}
    axes = list(dict.fromkeys(axis for port in ports for axis in port.axes))
    if isinstance(given, Mapping):
        return {f"lengths_{_known(axis, axes)}": _whole("lengths", value, how) for axis, value in given.items()}
    if not axes:
        raise errors.InputError("nothing here has a length")
    tensor = _whole("lengths", given, how)
    if len(axes) == 1:
        if tensor.dim() != 1:
            raise errors.InputError(f"lengths has shape {list(tensor.shape)}, but [batch] is needed")
        return {f"lengths_{axes[0]}": tensor}
    grid = next((list(port.axes) for port in ports if len(port.axes) > 1), None)
    if grid is not None and tensor.dim() == 2 and tensor.shape[1] == len(grid):
        return {f"lengths_{axis}": tensor[:, k].contiguous() for k, axis in enumerate(grid)}
    if grid is not None:
        raise errors.InputError(f"lengths has shape {list(tensor.shape)}, but [batch, {len(grid)}] is needed: {', '.join(grid)}")
    raise errors.InputError(f"there are several lengths; give them by name, as in lengths={{'{axes[0]}': …}} ({', '.join(axes)})")


def children(ports, given, how: Arrangement) -> dict[str, Tensor]:
    """Trees by what they are called in the program."""
    if given is None:
        return {}
    axes = list(dict.fromkeys(axis for port in ports for axis in port.axes))
    if not isinstance(given, Mapping):
        if len(axes) != 1:
            raise errors.InputError(f"say which are trees, as in children={{'{axes[0] if axes else 'n'}': …}}")
        given = {axes[0]: given}
    return {f"children_{_known(axis, axes)}": _trees(value, how) for axis, value in given.items()}


def _known(axis: str, axes: list[str]) -> str:
    if axis not in axes:
        raise errors.InputError(f"there is no extent `{axis}`; there are {', '.join(axes) or 'none'}")
    return axis


def _trees(value, how: Arrangement) -> Tensor:
    tensor = _integers("children", value)
    if tensor.dim() != 2 + how.batched:
        wanted = "[batch, nodes, edges]" if how.batched else "[nodes, edges]"
        raise errors.InputError(f"children has shape {list(tensor.shape)}, but {wanted} is needed")
    return tensor if how.batched else tensor.unsqueeze(0)


def _whole(what: str, value, how: Arrangement) -> Tensor:
    tensor = _integers(what, value)
    return tensor if how.batched else tensor.unsqueeze(0)


def _integers(what: str, value) -> Tensor:
    tensor = torch.as_tensor(value)
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex or tensor.dtype is torch.bool:
        raise errors.ElementError(f"{what} is {tensor.dtype}, but whole numbers are needed: {what}.long()")
    if tensor.device.type != "cpu":
        raise errors.InputError(f"{what} is on {tensor.device}, but must be on the CPU: {what}.cpu()")
    return tensor.to(torch.int64)
