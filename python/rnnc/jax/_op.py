"""A recipe as a function of JAX with a gradient of any order."""

from __future__ import annotations

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import CustomVJPPrimal, SymbolicZero

from . import _host as host
from ._program import Program


def shape_of(port):
    """`x : [n, batch, 3]`."""
    parts = [*port.axes, *(["batch"] if port.per_example else []), *port.dims]
    return f"{port.name} : [{', '.join(parts)}]"


class Op:
    """A recipe as a function of arrays by name, real ones and others (lengths, trees, symbols), with a gradient of any order.

    The way back is a function of the same kind, that of the adjoint equations; so it has a gradient too.
    """

    def __init__(self, recipe, how, saved):
        self.recipe, self.how, self.saved = recipe, how, saved
        self.ports = {port.name: port for port in [*recipe.inputs, *recipe.params, *recipe.initial]}
        self.outputs = list(recipe.outputs)
        self.call = jax.custom_vjp(self._forward)
        self.call.defvjp(self.ahead, self.back, symbolic_zeros=True)
        # Sets of names that somebody differentiates by; few in a program, but tests make many.
        self.program = functools.lru_cache(maxsize=32)(self._program)
        self._saving = functools.lru_cache(maxsize=32)(self._make_saving)
        self._gradient = functools.lru_cache(maxsize=32)(self._make_gradient)
        self._adjoint = functools.lru_cache(maxsize=32)(self._make_adjoint)
        self._probed = functools.lru_cache(maxsize=64)(self._probe)

    def _program(self, wrt):
        return Program(self.recipe, wrt, self.how, self.saved)

    def _make_adjoint(self, wrt):
        return Op(self.recipe.adjoint(list(wrt)), self.how, self.saved)

    # What goes in and comes out.

    def split(self, arrays):
        """Real arrays, and the others."""
        real, whole = {}, {}
        for name, array in arrays.items():
            port = self.ports.get(name)
            is_real = port is not None and port.elements == "real"
            array = jnp.asarray(array)
            if is_real != jnp.issubdtype(array.dtype, jnp.floating):
                wanted = "floating-point numbers" if is_real else "integers"
                raise TypeError(f"`{name}` has elements of {array.dtype}; {wanted} are needed")
            if is_real:
                real[name] = array
            else:
                whole[name] = array.astype(jnp.int32) if array.dtype == jnp.bool_ else array
        dtypes = {array.dtype for array in real.values()}
        if not dtypes <= {np.dtype(np.float32)} and not dtypes <= {np.dtype(np.float64)}:
            each = ", ".join(f"`{name}` {array.dtype}" for name, array in real.items())
            raise TypeError(f"all real arrays are float32 or all float64, but here are {each}; convert them with astype")
        return real, whole

    def sizes(self, real, whole):
        """The extent of each axis, and the batch under None. What contradicts is refused here, not in the midst of a program."""
        sizes = {}
        for name, array in {**real, **whole}.items():
            port = self.ports.get(name)
            if port is None:
                continue
            parts = [*port.axes, *([None] if port.per_example else []), *map(int, port.dims)]
            if len(parts) != array.ndim:
                raise ValueError(f"`{name}` has shape {list(array.shape)}, but {shape_of(port)} is needed")
            for part, extent in zip(parts, array.shape):
                wanted = part if isinstance(part, int) else sizes.setdefault(part, extent)
                if wanted != extent:
                    where = "" if isinstance(part, int) else f", as others have {part or 'batch'} = {wanted}"
                    raise ValueError(f"`{name}` has shape {list(array.shape)}, but {shape_of(port)} is needed{where}")
        for name, array in whole.items():
            if re.match("lengths|children", name):
                batch = sizes.setdefault(None, array.shape[0] if array.ndim else -1)
                if array.ndim == 0 or array.shape[0] != batch:
                    raise ValueError(f"`{name}` has shape {list(array.shape)}, but one row for each of {batch} examples is needed")
            if name == "lengths" and len(sizes) == 2 and not isinstance(array, jax.core.Tracer):
                steps = next(n for axis, n in sizes.items() if axis is not None)
                wrong = [int(n) for n in np.asarray(array).ravel() if not 0 <= n <= steps]
                if wrong:
                    raise ValueError(f"`lengths` holds {wrong[0]}, which is no length from 0 to {steps}")
        return sizes

    def shapes(self, real, whole):
        """Shape and element type of each output."""
        sizes = self.sizes(real, whole)
        sizes.setdefault(None, 1)
        dtype = next((array.dtype for array in real.values()), np.dtype(np.float32))
        if any(axis not in sizes for port in self.outputs for axis in port.axes):
            given = {**real, **whole}
            is_ragged = any(re.match("lengths|children", name) for name in given)
            key = tuple((name, tuple(given[name].shape)) for name in self.ports if name in given)
            sizes = {**self._probed(key, is_ragged), **sizes}
        shape = lambda port: [
            *(sizes[axis] for axis in port.axes),
            *([sizes[None]] if port.per_example else []),
            *map(int, port.dims),
        ]
        return {port.name: jax.ShapeDtypeStruct(shape(port), dtype) for port in self.outputs}

    def _probe(self, key, is_ragged):
        """Extents that follow from others by equations, as a run on zeros has them.

        Where lengths or trees have a say, they must be the same whatever the others are.
        """
        found = self._extents_of_run(key, 0)
        if is_ragged:
            other = self._extents_of_run(key, 1)
            found = {axis: n for axis, n in found.items() if other.get(axis) == n}
        for port in self.outputs:
            # Those of the inputs are known from their shapes.
            if any(axis not in found and not self._is_of_inputs(axis) for axis in port.axes):
                raise ValueError(
                    f"{self.recipe.name}: how many points {shape_of(port)} has follows from lengths or trees, and JAX must know "
                    f"before these are known; choose other outputs with outputs=[...]"
                )
        return found

    def _is_of_inputs(self, axis):
        return any(axis in port.axes for port in self.ports.values())

    def _extents_of_run(self, key, more):
        arrays = {}
        for name, shape in key:
            port = self.ports[name]
            extents = [n + more if k < len(port.axes) else n for k, n in enumerate(shape)]
            arrays[name] = np.zeros(extents, np.float32 if port.elements == "real" else np.int32)
        try:
            out = self.program(()).compiled.forward(arrays, seed=0)
        except ValueError:  # Trees are needed.
            return {}
        return {axis: n for port in self.outputs for axis, n in zip(port.axes, out[port.name].shape)}

    # The function and its derivative.

    def _forward(self, real, whole):
        run = self.program(()).run
        return host.call(run, self.shapes(real, whole), real, whole)

    def ahead(self, real, whole):
        """Forward, and what the way back needs: all that came in, and a token of the run."""
        # A dict's keys are part of its structure, so the names are there while the program is traced.
        wrt = {name: None for name in sorted(real) if real[name].perturbed}
        real = {name: primal.value for name, primal in real.items()}
        whole = {name: primal.value for name, primal in whole.items()}
        out, token = self._saving(tuple(wrt))(real, whole) if wrt else (self.call(real, whole), None)
        return out, (real, whole, token, wrt)

    def _make_saving(self, wrt):
        """`(real, whole) -> outputs, token`, differentiable too: it is what a gradient of a gradient goes forward by."""

        def forward(real, whole):
            shapes = (self.shapes(real, whole), jax.ShapeDtypeStruct((4,), jnp.uint32))
            return host.call(self.program(wrt).run_saved, shapes, real, whole)

        def ahead(real, whole):
            out, residual = self.ahead(real, whole)
            # Perhaps of a run for other gradients; then the first way back runs forward again.
            return (out, residual[2] if residual[3] else jnp.zeros(4, jnp.uint32)), residual

        saving = jax.custom_vjp(forward)
        saving.defvjp(ahead, lambda residual, cotangents: self.back(residual, cotangents[0]), symbolic_zeros=True)
        return saving

    def back(self, residual, cotangents):
        real, whole, token, wrt = residual
        if not wrt:
            return {name: None for name in real}, {name: None for name in whole}
        given = {}
        for port in self.outputs:
            cotangent = cotangents[port.name]
            if port.elements != "real":
                continue
            if isinstance(cotangent, SymbolicZero):
                # rnnc takes what is not given for 0; but 1 for a loss, which has no axes.
                if port.axes:
                    continue
                cotangent = jnp.zeros(cotangent.shape, cotangent.dtype)
            given[f"{port.name}_adj"] = cotangent
        found = self._gradient(tuple(wrt))(real, whole, given, token)
        return {name: found.get(f"{name}_adj") for name in real}, {name: None for name in whole}

    def _make_gradient(self, wrt):
        """`(real, whole, cotangents, token) -> gradients`, itself differentiable."""
        program = self.program(wrt)

        def backward(real, whole, cotangents, token):
            shapes = {f"{name}_adj": jax.ShapeDtypeStruct(real[name].shape, real[name].dtype) for name in wrt}
            return host.call(program.back, shapes, real, whole, cotangents, token)

        def ahead(real, whole, cotangents, token):
            adjoint = self._adjoint(wrt)
            shapes = self.shapes({n: p.value for n, p in real.items()}, {n: p.value for n, p in whole.items()})
            # The adjoint equations read every cotangent, and perhaps not every array.
            zero = lambda shape: CustomVJPPrimal(jnp.zeros(shape.shape, shape.dtype), False)
            zeros = {f"{name}_adj": zero(shape) for name, shape in shapes.items()}
            read = {n: p for n, p in {**zeros, **cotangents, **real}.items() if n in adjoint.ports}
            others = {n: p for n, p in whole.items() if n in adjoint.ports or n not in self.ports}
            out, residual = adjoint.ahead(read, others)
            return out, (residual, dict.fromkeys(real), dict.fromkeys(whole), dict.fromkeys(cotangents))

        def back(residual, cotangents):
            residual, *names = residual
            found, _ = self._adjoint(wrt).back(residual, cotangents)
            of_real, of_whole, of_cotangents = ({name: found.get(name) for name in some} for some in names)
            return of_real, of_whole, of_cotangents, None

        gradient = jax.custom_vjp(backward)
        gradient.defvjp(ahead, back, symbolic_zeros=True)
        return gradient
