"""Programs: equations compiled for calls from PyTorch.

In: a `Spec`, which says all that a program is made of. Out: a `Program`, the same one for equal specs; it pickles as its spec, so a
module can be copied, saved and sent to other processes, where it is compiled again. What a program computes is fixed by
its spec alone; code for sets of gradients is made when they are first asked for.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Optional

import numpy as np
from torch import Tensor

import rnnc

from . import errors, ops

# Sets of gradients that code is kept for. A training loop has one or two.
KEPT = 8

# What the batch is called among the extents of a call; no extent of a program is called so.
BATCH = "batch "


@dataclass(frozen=True)
class Spec:
    """All that a program is made of."""

    recipe: str
    # What `rnnc.Library` pickles as: names, texts, and whether they were asked for; nothing: the standard library alone.
    texts: tuple[tuple[str, str, bool], ...] = ()
    dims: tuple[tuple[str, int], ...] = ()
    outputs: Optional[tuple[str, ...]] = None
    given: tuple[str, ...] = ()
    training: bool = False
    threads: int = 1
    reproducible: bool = False
    # What it was differentiated by, once or several times.
    adjoints: tuple[tuple[str, ...], ...] = ()

    def build(self) -> rnnc.Recipe:
        recipe = self.library().recipe(
            self.recipe,
            dims=dict(self.dims),
            outputs=None if self.outputs is None else list(self.outputs),
            training=self.training,
            given=list(self.given),
        )
        for wrt in self.adjoints:
            recipe = recipe.adjoint(list(wrt))
        return recipe

    def library(self) -> rnnc.Library:
        return rnnc.Library._of(list(self.texts))

    def digest(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()


class Port(NamedTuple):
    """An array that goes in or comes out: `rnnc.Port`, with numbers for its extents, as plain values that can be traced."""

    name: str
    axes: tuple[str, ...]
    per_example: bool
    extents: tuple[int, ...]
    elements: str
    # Of an initial value: the state.
    state: Optional[str]


class Slot(NamedTuple):
    """A tensor that a call may be given."""

    name: str
    # "input", "initial", "param", "lengths" or "children".
    role: str
    # "real", "bool" or "id"; lengths and children are ids.
    elements: str
    port: Optional[Port]


class Program:
    """A recipe for calls with tensors in the order of `slots`."""

    def __init__(self, spec: Spec):
        self.spec = spec
        self.recipe = spec.build()
        if self.recipe.dims:
            missing = ", ".join(self.recipe.dims)
            raise errors.InputError(f"{self.recipe.name} needs numbers for {missing}: give them by name, {self.recipe.dims[0]}=…")
        self.inputs = _ports(self.recipe.inputs)
        self.initial = _ports(self.recipe.initial)
        self.params = _ports(self.recipe.params)
        self.outputs = _ports(self.recipe.outputs)
        self.slots = tuple(_slots(self.inputs, self.initial, self.params))
        self.is_real = tuple(slot.elements == "real" for slot in self.slots)
        self._lock = threading.Lock()
        self._variants: OrderedDict[Optional[tuple[str, ...]], rnnc.Compiled] = OrderedDict()
        self._fixed: Optional[dict[str, int]] = None
        self._adjoints: dict[tuple[str, ...], Program] = {}
        # Mistakes in equations are told when a module is made, not when it first runs.
        self.compiled(None)
        self.ops = ops.define(self)

    def __deepcopy__(self, memo):
        return self

    def __copy__(self):
        return self

    def __reduce__(self):
        return program, (self.spec,)

    def __repr__(self) -> str:
        return f"<program {self.recipe.name}>"

    def compiled(self, wrt: Optional[tuple[str, ...]]) -> rnnc.Compiled:
        """Machine code: with the gradients by these, or without any."""
        with self._lock:
            found = self._variants.get(wrt)
            if found is None:
                with errors.refusals():
                    found = self._compile(wrt)
                self._variants[wrt] = found
                # Without gradients it is needed in every evaluation.
                while len(self._variants) > KEPT:
                    del self._variants[next(w for w in self._variants if w is not None)]
            elif wrt is not None:
                self._variants.move_to_end(wrt)
            return found

    def _compile(self, wrt: Optional[tuple[str, ...]]) -> rnnc.Compiled:
        how = {"threads": self.spec.threads, "reproducible": self.spec.reproducible}
        if wrt is None:
            return self.recipe.compile(gradients=False, **how)
        return self.recipe.compile(wrt=list(wrt), **how)

    def adjoint(self, wrt: tuple[str, ...]) -> Program:
        """The gradients by these as a program: given what this one is and a cotangent ``NAME_adj`` for each real output."""
        with self._lock:
            found = self._adjoints.get(wrt)
        if found is None:
            with errors.refusals():
                found = program(replace(self.spec, adjoints=(*self.spec.adjoints, wrt)))
            with self._lock:
                self._adjoints[wrt] = found
        return found

    def forget(self) -> None:
        """Leaves all machine code as it is and makes it anew when it is needed.

        For a process that was forked: threads of the parent, which may be in the midst of a call, are not there.
        """
        self._lock = threading.Lock()
        for compiled in self._variants.values():
            # It would wait for its threads to end, so it is never dropped.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(compiled))
        self._variants = OrderedDict()

    # Sizes and shapes.

    def sizes(self, tensors: Sequence[Optional[Tensor]]) -> dict[str, int]:
        """Extents of the call by their names, the batch too."""
        sizes: dict[str, int] = {}
        for slot, tensor in zip(self.slots, tensors):
            port = slot.port
            if tensor is None or port is None or not port.per_example:
                continue
            if tensor.dim() != len(port.axes) + 1 + len(port.extents):
                raise errors.InputError(f"`{slot.name}` has shape {list(tensor.shape)}, but {shape_text(port)} is needed")
            for name, extent in zip((*port.axes, BATCH), tensor.shape):
                sizes.setdefault(name, extent)
        sizes.setdefault(BATCH, 1)
        return sizes

    def shape(self, port: Port, sizes: dict[str, int]) -> tuple[int, ...]:
        """The shape of an output in a call of these sizes."""
        leading = [self._extent(axis, sizes) for axis in port.axes]
        if port.per_example:
            leading.append(sizes[BATCH])
        return (*leading, *port.extents)

    def _extent(self, axis: str, sizes: dict[str, int]) -> int:
        if axis in sizes:
            return sizes[axis]
        if axis.isdigit():
            return int(axis)
        if self._fixed is None:
            self._fixed = self._probe()
        if axis not in self._fixed:
            raise NotImplementedError(
                f"how many points `{axis}` has follows from the numbers of {self.recipe.name}'s inputs, not from their shapes; "
                "so it can be run, but not be traced"
            )
        return self._fixed[axis]

    def _probe(self) -> dict[str, int]:
        """Extents that no input has, as they are in two runs of different sizes."""
        one, two = (self._extents_of_run(steps) for steps in (1, 2))
        return {axis: extent for axis, extent in one.items() if two.get(axis) == extent}

    def _extents_of_run(self, steps: int) -> dict[str, int]:
        arrays = {}
        for slot in self.slots:
            port = slot.port
            if slot.role in ("input", "param"):
                leading = [steps] * len(port.axes) + [1] * port.per_example
                dtype = np.float32 if slot.elements == "real" else np.int64
                # Not by PyTorch, which may be tracing.
                arrays[slot.name] = np.zeros((*leading, *port.extents), dtype)
        try:
            results = self.compiled(None).forward(arrays)
        except rnnc.Error:
            return {}
        return {a: n for port in self.outputs for a, n in zip(port.axes, results[port.name].shape)}


def _ports(ports: Sequence[rnnc.Port]) -> tuple[Port, ...]:
    return tuple(Port(p.name, tuple(p.axes), p.per_example, tuple(p.extents), p.elements, p.state) for p in ports)


def _slots(inputs, initial, params):
    for role, ports in (("input", inputs), ("initial", initial), ("param", params)):
        for port in ports:
            yield Slot(port.name, role, port.elements, port)
    axes = dict.fromkeys(axis for port in inputs for axis in port.axes if not axis.isdigit())
    for role in ("lengths", "children"):
        for axis in axes:
            yield Slot(f"{role}_{axis}", role, "id", None)


def shape_text(port: Port, *, batch_first: bool = False, batched: bool = True) -> str:
    """``[n, batch, 3]``."""
    axes = list(port.axes)
    if port.per_example and batched:
        axes.insert(0 if batch_first else len(axes), "batch")
    return f"[{', '.join([*axes, *map(str, port.extents)])}]"


_programs: dict[str, Program] = {}
_making = threading.Lock()


def program(spec: Spec) -> Program:
    """The program of a spec; there is one of each in a process."""
    digest = spec.digest()
    with _making:
        found = _programs.get(digest)
        if found is None:
            found = _programs[digest] = Program(spec)
        return found


def _after_fork() -> None:
    global _making
    _making = threading.Lock()
    for known in _programs.values():
        known.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
