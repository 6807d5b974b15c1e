"""States as a call takes and gives them, in the form of ``torch.nn.LSTM``.

States of one name and shape in the parts of a recipe (``l1.fw.h``, ``l1.bw.h``, ``l2.fw.h``, …) are one tensor, with the parts on a
leading axis in the order of the equations: ``[parts, batch, H]``. A cell alone is one part. So ``Stack(2, Bi(LSTM(_, H)))`` takes and gives
``(h, c)``, each ``[4, batch, H]``, as PyTorch's does. By name, in a dict, each state is ``[batch, H]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional, Union

import torch
from torch import Tensor

from . import errors
from .program import Program, shape_text

Given = Union[None, Tensor, Sequence[Tensor], Mapping[str, Tensor]]


@dataclass
class Group:
    """States that are one tensor."""

    name: str
    extents: tuple[int, ...]
    # Paths of the states, and what their first and last values are called.
    states: list[str] = field(default_factory=list)
    firsts: list[str] = field(default_factory=list)
    lasts: list[str] = field(default_factory=list)

    def shape_text(self, batched: bool) -> str:
        batch = ["batch"] if batched else []
        return f"[{', '.join([str(len(self.states)), *batch, *map(str, self.extents)])}]"


class States:
    """How the states of a program are grouped."""

    def __init__(self, program: Program):
        outputs = {port.name for port in program.outputs}
        groups: dict[tuple[str, tuple[int, ...]], Group] = {}
        self.ports = {port.state: port for port in program.initial}
        for state, port in self.ports.items():
            name = state.rsplit(".", 1)[-1]
            group = groups.setdefault((name, port.extents), Group(name, port.extents))
            group.states.append(state)
            group.firsts.append(port.name)
            # A state that runs backwards, over a grid or a tree has no last value.
            group.lasts.extend(last for last in [f"{state}_last"] if last in outputs)
        self.groups = list(groups.values())

    def names(self) -> list[list[str]]:
        return [group.states for group in self.groups]

    def take(self, given: Given, batched: bool) -> dict[str, Tensor]:
        """First values by what they are called in the program."""
        if given is None:
            return {}
        if isinstance(given, Mapping):
            return {self._port(name).name: self._one(name, tensor, batched) for name, tensor in given.items()}
        tensors = [given] if isinstance(given, Tensor) else list(given)
        if len(tensors) != len(self.groups):
            raise errors.InputError(f"{len(tensors)} states are given, but there are {len(self.groups)}: {self._wanted(batched)}")
        taken = {}
        for group, tensor in zip(self.groups, tensors):
            taken.update(self._split(group, tensor, batched))
        return taken

    def _split(self, group: Group, tensor: Tensor, batched: bool) -> dict[str, Tensor]:
        if not isinstance(tensor, Tensor):
            raise errors.ElementError(f"state `{group.name}` is of type {type(tensor).__name__}, not a tensor")
        extents = len(group.extents)
        fits = (
            tensor.dim() == 1 + batched + extents
            and tensor.shape[0] == len(group.states)
            and tuple(tensor.shape[tensor.dim() - extents :]) == group.extents
        )
        if not fits:
            raise errors.InputError(
                f"state `{group.name}` has shape {list(tensor.shape)}, but {group.shape_text(batched)} is needed; "
                "by name, {'STATE': tensor}, each is without the first axis"
            )
        parts = tensor.unbind(0)
        return {first: part if batched else part.unsqueeze(0) for first, part in zip(group.firsts, parts)}

    def _port(self, state: str):
        if state not in self.ports:
            raise errors.InputError(f"there is no state `{state}`; there are {', '.join(self.ports) or 'none'}")
        return self.ports[state]

    def _one(self, state: str, tensor: Tensor, batched: bool) -> Tensor:
        port = self._port(state)
        extents = len(port.extents)
        if tensor.dim() != batched + extents or tuple(tensor.shape[tensor.dim() - extents :]) != port.extents:
            wanted = shape_text(port, batched=batched)
            raise errors.InputError(f"state `{state}` has shape {list(tensor.shape)}, but {wanted} is needed")
        return tensor if batched else tensor.unsqueeze(0)

    def give(self, results: Mapping[str, Tensor], by_name: bool, batched: bool) -> Given:
        """Last values as they are given back: by name if they were given so."""

        def value(last: str) -> Tensor:
            return results[last] if batched else results[last].squeeze(0)

        if by_name:
            return {last.removesuffix("_last"): value(last) for group in self.groups for last in group.lasts}
        stacked = [
            value(group.lasts[0]).unsqueeze(0) if len(group.lasts) == 1 else torch.stack([value(last) for last in group.lasts])
            for group in self.groups
            if group.lasts
        ]
        if len(stacked) == 1:
            return stacked[0]
        return tuple(stacked) if stacked else None

    def _wanted(self, batched: bool) -> str:
        return ", ".join(f"`{group.name}` {group.shape_text(batched)}" for group in self.groups) or "none"
