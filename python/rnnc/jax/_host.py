"""Functions of numpy arrays within programs of JAX.

`jax.pure_callback` does this too, but hands arrays over as arrays of JAX, which are copied by the threads that run callbacks: where
all of these wait in callbacks, none is left to copy, and the program stands still (on one core after the first large array). Here
a function gets views of the arrays themselves, and waits for nothing.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Callable

import jax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

_host = Primitive("rnnc")
_host.multiple_results = True


@dataclasses.dataclass(frozen=True)
class _Flat:
    """A function of flat arguments. Equal ones share compiled programs."""

    function: Callable[..., Any]
    tree: Any

    def __call__(self, *arrays):
        return tuple(jax.tree.leaves(self.function(*jax.tree.unflatten(self.tree, arrays))))


def call(function, shapes, *args):
    """`function(*args)`, whose result has these shapes: pytrees all. It is called when JAX runs, with numpy arrays that live as
    long as the call; it must be pure. Under `vmap` it is called for one after another."""
    flat, tree = jax.tree.flatten(args)
    avals, result = jax.tree.flatten(shapes)
    avals = tuple(jax.core.ShapedArray(tuple(a.shape), a.dtype) for a in avals)
    return jax.tree.unflatten(result, _host.bind(*flat, function=_Flat(function, tree), avals=avals))


@_host.def_abstract_eval
def _shapes(*_args, function, avals):
    return avals


@functools.lru_cache(maxsize=256)
def _compiled(function, avals):
    return jax.jit(lambda *args: _host.bind(*args, function=function, avals=avals))


@_host.def_impl
def _run(*args, function, avals):
    return _compiled(function, avals)(*args)


def _lower(context, *args, function, avals):
    given, wanted = context.avals_in, context.avals_out
    return mlir.emit_python_callback(context, function, None, list(args), given, wanted, has_side_effect=False)[0]


mlir.register_lowering(_host, _lower, platform="cpu")


def _one_after_another(args, axes, *, function, avals):
    is_batched = [axis is not None for axis in axes]
    batched = [jax.numpy.moveaxis(a, axis, 0) for a, axis, b in zip(args, axes, is_batched) if b]

    def one(some):
        some = iter(some)
        every = [next(some) if b else a for a, b in zip(args, is_batched)]
        return _host.bind(*every, function=function, avals=avals)

    results = jax.lax.map(one, batched)
    return results, [0] * len(results)


batching.primitive_batchers[_host] = _one_after_another
