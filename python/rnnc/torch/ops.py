"""A program as two operators of PyTorch, there and back.

``rnnc::NAME(tensors, given, save) -> (outputs…, token)`` is a pure function of its tensors: the token is one zero byte, whatever they
are. What the way back needs is kept by the extension, under the address of the token's byte, as long as that byte lives: that is, as
long as autograd holds the token. ``rnnc::NAME_back(token, tensors, given, cotangents, arrived, wrt) -> gradients`` goes back from there.
Where the address is not known, or not that of a run on these very tensors, as the token was copied or made while tracing, it
goes forward again first. So the token saves time and decides nothing.

Where the gradient is itself to be differentiated, it is computed by another program, the adjoint (`Program.adjoint`), which can be
differentiated like any.

Operators are for whatever looks at calls from outside: compilers, tracers, modes. Without any of these, calls go straight to the same
functions by `_Direct`, as the dispatcher takes longer than a short run (docs/python-torch.md, *What a call costs*).

Operators take lists of tensors without gaps. Which there are, and sets of tensors, travel beside them as hexadecimal numbers, bit k for
slot k, or output k; the bit behind all slots is the seed of the noise.
"""

from __future__ import annotations

import ctypes
import re
import weakref
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Optional

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

import rnnc

from . import errors

if TYPE_CHECKING:
    from .program import Program

_library = torch.library.Library("rnnc", "FRAGMENT")  # noqa: TOR901
_TAGS = (torch.Tag.pt2_compliant_tag,)

# Numbers as the reference interpreter has them: slow, for checks such as `torch.autograd.gradcheck`.
_EXACT = torch.float64

_DTYPES = {torch.float32: np.float32, torch.float64: np.float64, torch.int32: np.int32, torch.int64: np.int64}

# Tensors in the order of a program's slots, with the seed behind them, or `None`.
Given = Sequence[Optional[Tensor]]


class Operators(NamedTuple):
    forward: torch._ops.OpOverload
    backward: torch._ops.OpOverload


def call(program: Program, given: Given) -> dict[str, Tensor]:
    """Runs a program on tensors in the order of its slots, and the seed; gives its outputs by name."""
    save = 0
    if torch.is_grad_enabled():
        for bit, (is_real, tensor) in enumerate(zip(program.is_real, given)):
            if is_real and tensor is not None and tensor.requires_grad:
                save |= 1 << bit
    if not _is_direct(given):
        results = program.ops.forward(*_packed(given), f"{save:x}")
    elif _are_transformed():
        results = _Transformed.apply(program, save, *given)
    elif save:
        results = _Direct.apply(program, save, *given)
    else:
        results = _forward(program, given, save)
    return {port.name: result for port, result in zip(program.outputs, results)}


def _packed(given: Given) -> tuple[list[Tensor], str]:
    """A list without gaps, and which there are."""
    there = sum(1 << bit for bit, tensor in enumerate(given) if tensor is not None)
    return [tensor for tensor in given if tensor is not None], f"{there:x}"


def _unpacked(tensors: Sequence[Tensor], there: str, count: int) -> list[Optional[Tensor]]:
    found, bits = iter(tensors), int(there, 16)
    return [next(found) if bits >> bit & 1 else None for bit in range(count)]


_PLAIN = (Tensor, torch.nn.Parameter)


def _is_direct(given: Given) -> bool:
    """Whether nobody looks on: tensors are of no other class, and there is no tracer or mode."""
    return (
        not torch.compiler.is_compiling()
        and not is_in_torch_dispatch_mode()
        and all(tensor is None or type(tensor) in _PLAIN for tensor in given)
    )


def _are_transformed() -> bool:
    """Within `torch.func.grad` and the like, which take functions of autograd apart and operators not."""
    return torch._C._are_functorch_transforms_active()


class _Direct(torch.autograd.Function):
    """A call without the dispatcher."""

    @staticmethod
    def forward(ctx, program: Program, save: int, *given):
        results = _forward(program, given, save)
        ctx.program = program
        _remember(ctx, program, given, results)
        return results

    @staticmethod
    def backward(ctx, *grads):
        *given, token = ctx.saved_tensors
        return (None, None, *_gradients(ctx.program, given, token, ctx.needs_input_grad[2:], grads))


class _Transformed(_Direct):
    """The same in two parts, as transforms take it; PyTorch looks at the signature of such a `forward` in each call."""

    @staticmethod
    def forward(program: Program, save: int, *given):
        return _forward(program, given, save)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.program, _save, *given = inputs
        _remember(ctx, ctx.program, given, output)


def define(program: Program) -> Operators:
    """Makes the operators of a program known to PyTorch, once and for as long as the process lives."""
    name, count = _name(program), len(program.slots) + 1
    _library.define(f"{name}(Tensor[] tensors, str given, str save) -> Tensor[]", tags=_TAGS)
    _library.define(
        f"{name}_back(Tensor token, Tensor[] tensors, str given, Tensor[] cotangents, str arrived, str wrt) -> Tensor[]", tags=_TAGS
    )

    def there(run):
        return lambda tensors, given, save: list(run(program, _unpacked(tensors, given, count), int(save, 16)))

    def back(run):
        def operator(token, tensors, given, cotangents, arrived, wrt):
            cotangents = _unpacked(cotangents, arrived, len(program.outputs))
            return run(program, token, _unpacked(tensors, given, count), cotangents, int(wrt, 16))

        return operator

    def setup_context(ctx, inputs, output):
        tensors, ctx.given, _save = inputs
        _remember(ctx, program, tensors, output)

    def backward(ctx, grads):
        *tensors, token = ctx.saved_tensors
        needs = [need or None for need in ctx.needs_input_grad[0]]
        given = _unpacked(tensors, ctx.given, count)
        found = _gradients(program, given, token, _unpacked(needs, ctx.given, count), grads)
        return [gradient for gradient, tensor in zip(found, given) if tensor is not None], None, None

    names = f"rnnc::{name}", f"rnnc::{name}_back"
    _library.impl(name, there(_forward), "CPU")
    _library.impl(f"{name}_back", back(_backward), "CPU")
    torch.library.register_fake(names[0], there(_forward_shapes), lib=_library)
    torch.library.register_fake(names[1], back(_backward_shapes), lib=_library)
    torch.library.register_autograd(names[0], backward, setup_context=setup_context, lib=_library)
    namespace = torch.ops.rnnc
    return Operators(getattr(namespace, name).default, getattr(namespace, f"{name}_back").default)


def _name(program: Program) -> str:
    """The same in every process, so that graphs can be kept."""
    word = re.sub(r"[^A-Za-z0-9]+", "_", program.recipe.name).strip("_")[:40]
    return f"{word if word[:1].isalpha() else f'v{word}'}_{program.spec.digest()[:16]}"


@lru_cache(maxsize=4096)
def _names(program: Program, bits: int) -> tuple[str, ...]:
    return tuple(slot.name for bit, slot in enumerate(program.slots) if bits >> bit & 1)


# There.

# Of runs that can be gone back from: the program, what it saves for, and where its tensors lay, by the address of the token.
_runs: dict[int, tuple[Program, int, tuple[int, ...]]] = {}


def _forward(program: Program, given: Given, save: int) -> tuple[Tensor, ...]:
    exact = _is_exact(program, given)
    arrays = _arrays(program, given)
    wrt = _names(program, save)
    seed = _seed(given)
    token = None
    with errors.refusals():
        if exact:
            results = program.compiled(None).exact(arrays)
        elif not wrt:
            results = program.compiled(None).forward(arrays, seed=seed)
        else:
            saved = program.compiled(wrt).forward_saved(arrays, seed=seed)
            results = saved.outputs()
            token = _registered(program, given, save, saved.token)
    found = [torch.from_numpy(results[port.name]) for port in program.outputs]
    found.append(torch.zeros(1, dtype=torch.uint8) if token is None else token)
    return tuple(found)


def _registered(program: Program, given: Given, save: int, token: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(token)
    address = tensor.data_ptr()
    _runs[address] = (program, save, _places(given))
    # Before the byte is free for other tokens.
    weakref.finalize(token, _runs.pop, address, None).atexit = False
    return tensor


def _places(given: Given) -> tuple[int, ...]:
    return tuple([0 if tensor is None else tensor.data_ptr() for tensor in given])


def _forward_shapes(program: Program, given: Given, save: int) -> tuple[Tensor, ...]:
    dtype = _EXACT if _is_exact(program, given) else torch.float32
    sizes = program.sizes(given)
    like = next(tensor for tensor in given if tensor is not None)
    found = [like.new_empty(program.shape(port, sizes), dtype=dtype) for port in program.outputs]
    return (*found, like.new_empty((1,), dtype=torch.uint8))


def _remember(ctx, program: Program, tensors: Given, output: Sequence[Tensor]) -> None:
    ctx.save_for_backward(*tensors, output[-1])
    # Most often only one of the outputs is used; the others need no array of zeros.
    ctx.set_materialize_grads(False)
    others = (tensor for port, tensor in zip(program.outputs, output) if port.elements != "real")
    ctx.mark_non_differentiable(*others, output[-1])


# Back.


def _gradients(program: Program, given: Given, token: Tensor, needs, grads) -> list[Optional[Tensor]]:
    """Gradients of the tensors that need one. `grads` are those of the outputs, and of the token."""
    cotangents = list(grads[: len(program.outputs)])
    wrt = sum(1 << bit for bit, (is_real, need) in enumerate(zip(program.is_real, needs)) if is_real and need)
    names = _names(program, wrt)
    if not names or all(cotangent is None for cotangent in cotangents):
        return [None] * len(given)
    twice = torch.is_grad_enabled()
    cotangents = _with_zeros(program, given, cotangents, everywhere=twice)
    if twice:
        found = _differentiably(program, names, given, cotangents)
    elif _is_direct((token, *given, *cotangents)) and not _are_transformed():
        found = _backward(program, token, given, cotangents, wrt)
    else:
        found = program.ops.backward(token, *_packed(given), *_packed(cotangents), f"{wrt:x}")
    by_name = dict(zip(names, found))
    return [*(by_name.get(slot.name) for slot in program.slots), None]


def _with_zeros(program: Program, given: Given, cotangents, *, everywhere: bool):
    """Zeros for outputs that nothing was made of, where leaving them out would mean something else."""
    # A loss whose cotangent is left out is taken to be the end of the program, with a cotangent of 1.
    wanted = [c is None and p.elements == "real" and (everywhere or p.name == "loss") for p, c in zip(program.outputs, cotangents)]
    if not any(wanted):
        return cotangents
    sizes = program.sizes(given)
    like = next(c for c in cotangents if c is not None)
    ports = zip(program.outputs, cotangents, wanted)
    return [like.new_zeros(program.shape(port, sizes)) if zero else cotangent for port, cotangent, zero in ports]


def _differentiably(program: Program, names, given: Given, cotangents) -> list[Tensor]:
    """The gradients by a program that has gradients itself."""
    adjoint = program.adjoint(names)
    *tensors, seed = given
    by_name = {slot.name: tensor for slot, tensor in zip(program.slots, tensors)}
    # Its cotangents are inputs behind those of the program, one for each output of real numbers, in their order.
    arrived = (c for port, c in zip(program.outputs, cotangents) if port.elements == "real")
    by_name.update(zip((port.name for port in adjoint.inputs[len(program.inputs) :]), arrived))
    results = call(adjoint, [*(by_name.get(slot.name) for slot in adjoint.slots), seed])
    return [results[f"{name}_adj"] for name in names]


def _backward(program: Program, token: Tensor, given: Given, cotangents: Given, wrt: int) -> list[Tensor]:
    names = _names(program, wrt)
    by_name = {f"{port.name}_adj": _array(c) for port, c in zip(program.outputs, cotangents) if c is not None}
    with errors.refusals():
        if _is_exact(program, given):
            found = program.compiled(names).exact_gradient(_arrays(program, given), by_name)
        else:
            found = _saved(program, token, wrt, given).backward(by_name)
    return [torch.from_numpy(found[f"{name}_adj"]) for name in names]


def _saved(program: Program, token: Tensor, wrt: int, given: Given) -> rnnc.Saved:
    """The run that a token stands for, or else one more."""
    address = token.data_ptr()
    run = _runs.get(address)
    if run is not None and run[0] is program and run[1] & wrt == wrt and run[2] == _places(given):
        saved = rnnc.Saved.of_token(address)
        if saved is not None:
            return saved
    return program.compiled(_names(program, wrt)).forward_saved(_arrays(program, given), seed=_seed(given))


def _backward_shapes(program: Program, token: Tensor, given: Given, cotangents: Given, wrt: int) -> list[Tensor]:
    return [tensor.new_empty(tensor.shape) for bit, tensor in enumerate(given) if wrt >> bit & 1]


# Tensors as arrays.


def _is_exact(program: Program, given: Given) -> bool:
    """Whether a call is one in 64 bits; refuses what is of another dtype than it must be."""
    first: Optional[tuple[str, torch.dtype]] = None
    for slot, tensor in zip(program.slots, given):
        if tensor is None:
            continue
        dtype = tensor.dtype
        if slot.elements != "real":
            if dtype not in (torch.int64, torch.int32) and (slot.elements, dtype) != ("bool", torch.bool):
                raise errors.ElementError(_not_whole(slot, dtype))
        elif first is None:
            if dtype not in (torch.float32, _EXACT):
                raise errors.ElementError(_not_single(slot.name, dtype))
            first = (slot.name, dtype)
        elif dtype is not first[1]:
            raise errors.ElementError(_mixed(slot.name, dtype, *first))
    exact = first is not None and first[1] is _EXACT
    if exact and given[-1] is not None:
        raise errors.ElementError("noise is not drawn in float64: call module.eval(), or module.float()")
    return exact


def _not_whole(slot, dtype) -> str:
    return f"`{slot.name}` is {dtype}, but whole numbers are needed: {slot.name}.long()"


def _not_single(name, dtype) -> str:
    if dtype in (torch.bfloat16, torch.float16):
        return (
            f"`{name}` is {dtype}, but rnnc computes in torch.float32: give {name}.float(), a module in float32, and within "
            "torch.autocast call the module under torch.autocast('cpu', enabled=False)"
        )
    return f"`{name}` is {dtype}, but torch.float32 is needed: {name}.float()"


def _mixed(name, dtype, first, first_dtype) -> str:
    if dtype not in (torch.float32, _EXACT):
        return _not_single(name, dtype)
    return (
        f"`{first}` is {first_dtype}, but `{name}` is {dtype}: all must be torch.float32 (module.float(), {first}.float()), or, to check "
        f"gradients, torch.float64 (module.double(), {first}.double())"
    )


def _arrays(program: Program, given: Given) -> dict[str, np.ndarray]:
    return {slot.name: _array(tensor) for slot, tensor in zip(program.slots, given) if tensor is not None}


def _array(tensor: Tensor) -> np.ndarray:
    """The same memory if it is contiguous, for as long as the tensor lives."""
    if tensor.dtype is torch.bool:
        return tensor.to(torch.int32).numpy()
    if not tensor.is_contiguous():
        return tensor.detach().contiguous().numpy()
    # `Tensor.numpy` would fix the size of the storage for good, and FSDP frees what it has gathered by a size of 0.
    memory = (ctypes.c_char * tensor.nbytes).from_address(tensor.data_ptr())
    return np.ndarray(tuple(tensor.shape), _DTYPES[tensor.dtype], memory)


def _seed(given: Given) -> Optional[int]:
    return None if given[-1] is None else int(given[-1].item())
