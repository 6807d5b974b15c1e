"""Recurrent cells as equations, compiled to machine code with a derived gradient.

>>> import numpy as np, rnnc
>>> library = rnnc.Library.text('''
...     cell Leak(I, H) {
...       in    x : [I]
...       state h : [H] = 0
...       param W : [H, I] ~ uniform(1/sqrt(H))
...       param a : [H] = 1
...       h = tanh(σ(a) ⊙ h[t-1] + W @ x)
...       out h
...     }''')
>>> cell = library.compile("Leak(3, 4)")
>>> params = cell.init(seed=7)
>>> x = np.ones((10, 2, 3), np.float32)          # 10 steps, 2 examples
>>> out = cell.forward({**params, "x": x})
>>> out["h"].shape, out["h_last"].shape
((10, 2, 4), (2, 4))

``Library`` holds programs, ``Recipe`` is one of its cells with arguments, to read, ``Compiled`` runs it. ``rnnc.torch`` and ``rnnc.jax``
make modules of PyTorch and functions of JAX of them; neither is imported unless you do.
"""

import functools

from ._errors import DtypeError, Error, Problem
from ._rnnc import (
    Compiled,
    Item,
    Library,
    Optimiser,
    Port,
    Recipe,
    Saved,
    Stream,
    __version__,
    explain,
    read_weights,
    write_weights,
)

__all__ = [
    "Compiled",
    "DtypeError",
    "Error",
    "Item",
    "Library",
    "Optimiser",
    "Port",
    "Problem",
    "Recipe",
    "Saved",
    "Stream",
    "__version__",
    "cells",
    "explain",
    "read_weights",
    "write_weights",
]


def cells(kind: str | None = "cell") -> list[Item]:
    """What the standard library has: cells, or another kind (``layer``, ``model``, ``fn``), or all with ``None``.

    >>> import rnnc
    >>> [item.signature for item in rnnc.cells() if item.name == "LSTM"]
    ['LSTM(I, H, bias_f : real = 1)']
    >>> print(next(item.docs for item in rnnc.cells() if item.name == "RAN").splitlines()[0])  # doctest: +ELLIPSIS
    RAN, recurrent additive network...
    """
    return [item for item in _standard_items() if kind is None or item.kind == kind]


@functools.cache
def _standard_items() -> list[Item]:
    return Library.standard().items()
