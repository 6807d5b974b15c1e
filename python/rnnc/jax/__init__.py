"""Cells of rnnc as functions of JAX, on the CPU.

>>> import jax, rnnc.jax
>>> cell = rnnc.jax.cell("LSTM(3, 4)")                       # or cell("mine.rnn", "Mine", I=3, H=4)
>>> params = cell.init(0)                                    # {"W_f": [4, 3], ...}, as the cell declares them
>>> x = jax.numpy.ones((5, 2, 3))                            # [steps, batch, inputs]
>>> jax.jit(cell)(params, x)["h"].shape
(5, 2, 4)
>>> loss = lambda params: (cell(params, x)["h"] ** 2).sum()
>>> jax.jit(jax.grad(loss))(params)["U_f"].shape
(4, 4)

Forward and backward are the kernels of rnnc, called from within JAX's programs on the CPU and joined by `jax.custom_vjp`.
"""

from __future__ import annotations

import os
import re

try:
    import jax
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("rnnc.jax needs JAX: pip install jax", name=error.name) from error

import jax.numpy as jnp

from .. import Library
from ._op import Op, shape_of
from ._program import SEED

__all__ = ["Cell", "cell"]


def cell(
    source,
    recipe=None,
    /,
    *,
    outputs=None,
    training=False,
    given=None,
    threads=1,
    reproducible=False,
    saved=16,
    **dims,
):
    """A cell, layer or model as a function of JAX.

    `source` is a file (a path), the text of one, or a `rnnc.Library`; `recipe` names what is meant, such as `"Mine"`,
    `"Mine(3, 4)"` or `"Stack(2, Bi(Mine(_, 5)))"`. With one argument that is a recipe of the standard library. `dims` are
    numbers for what the recipe leaves open: `cell("mine.rnn", "Mine", I=3, H=4)`.

    outputs:      only these are computed, in place of all outputs, states and last states
    training:     noise, as of dropout, is drawn; a call then wants `key=`
    given:        initial states (`["h0"]`) that calls give although the cell computes them
    threads:      threads that one call is shared out to; results are the same bits for any number
    reproducible: the same bits on every computer
    saved:        so many forward runs are kept until their backward comes (each has the memory of a run); beyond that, and
                  with 0 always, backward runs forward again. The numbers are the same.
    """
    if recipe is None:
        library, recipe = Library.standard(), source
    elif isinstance(source, Library):
        library = source
    elif isinstance(source, str) and ("\n" in source or "{" in source):
        library = Library.text(source)
    else:
        library = Library.file(source if isinstance(source, str) else os.fspath(source))
    options = {"outputs": outputs, "training": training, "given": given}
    if re.fullmatch(r"\w+", recipe) and dims:
        # A bare name takes its arguments by name, so those with defaults can be among them.
        recipe, dims = f"{recipe}({', '.join(f'{k} = {_literal(v)}' for k, v in dims.items())})", {}
    built = library.recipe(recipe, dims=dims or None, **options)
    how = {"threads": threads, "reproducible": reproducible}
    return Cell(built, how, saved, has_noise=bool(training and built.noise))


def _literal(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


class Cell:
    """A recipe as a function of JAX; made by :func:`cell`.

    `inputs`, `params`, `initial`, `outputs` tell the arrays (`rnnc.Port`), `recipe` and `compiled` are those of rnnc.
    """

    def __init__(self, recipe, how, saved, *, has_noise):
        self._op = Op(recipe, how, saved)
        self._has_noise = has_noise
        self.recipe = recipe
        self.compiled = self._op.program(()).compiled
        self.inputs, self.params = list(recipe.inputs), list(recipe.params)
        self.initial, self.outputs = list(recipe.initial), list(recipe.outputs)

    def __repr__(self):
        lines = [f"rnnc.jax.cell {self.recipe.name}"]
        for word in ("inputs", "params", "initial", "outputs"):
            lines += [f"  {word:8}{shape_of(port)}" for port in getattr(self, word)]
        return "\n".join(lines)

    def init(self, seed=0, dtype=jnp.float32):
        """Parameters as the cell declares them, by name. The same seed gives the same numbers everywhere in rnnc."""
        return {name: jnp.asarray(array, dtype) for name, array in self.compiled.init(seed).items()}

    def __call__(self, params, x=None, /, *, initial=None, lengths=None, key=None, **inputs):
        """All outputs by name: `h` `[steps, batch, ...]`, last states `h_last` `[batch, ...]`.

        params:  parameters by name, as `init` gives them
        x:       the first input `[steps, batch, ...]` (a grid's `[rows, columns, batch, ...]`), or all inputs in a dict
        initial: initial states by name, `{"h0": [batch, ...]}`; those left out are as declared
        lengths: `[batch]` integers, if sequences end before their array; outputs beyond are 0
        key:     of `jax.random`, for a cell made with `training=True`
        inputs:  further inputs by name, and `children` `[batch, nodes, edges]` of trees

        All real arrays are float32, or (with `jax_enable_x64`) all float64: those go through the reference interpreter,
        which is exact and slow, to check with.
        """
        arrays = self._named(params, x, initial, lengths, inputs)
        if self._has_noise:
            if key is None:
                raise ValueError(f"{self.recipe.name} draws noise: give key=jax.random.key(0), another for each call")
            arrays[SEED] = jax.random.bits(key, (2,), jnp.uint32)
        elif key is not None:
            raise ValueError(f"{self.recipe.name} draws no noise; leave key out, or make it with training=True")
        real, whole = self._op.split(arrays)
        self._op.sizes(real, whole)
        return self._op.call(real, whole)

    def _named(self, params, x, initial, lengths, inputs):
        if isinstance(x, dict):
            inputs = {**x, **inputs}
        elif x is not None:
            if not self.inputs:
                raise TypeError(f"{self.recipe.name} has no inputs")
            inputs = {self.inputs[0].name: x, **inputs}
        if lengths is not None:
            inputs = {**inputs, "lengths": lengths}
        is_more = re.compile(r"(lengths|children)(_.*)?").fullmatch
        _compare("parameter", self.params, params)
        _compare("input", self.inputs, {name: a for name, a in inputs.items() if not is_more(name)})
        _compare("initial state", self.initial, initial or {}, may_lack=True)
        return {**params, **inputs, **(initial or {})}


def _compare(what, ports, arrays, may_lack=False):
    known = [port.name for port in ports]
    strange = [name for name in arrays if name not in known]
    lacking = [] if may_lack else [name for name in known if name not in arrays]
    if strange:
        there = ", ".join(f"`{name}`" for name in known)
        raise TypeError(f"there is no {what} `{strange[0]}`; there {f'are {there}' if known else 'is none'}")
    if lacking:
        raise TypeError(f"the {what} `{lacking[0]}` is missing: {shape_of(next(p for p in ports if p.name == lacking[0]))}")
