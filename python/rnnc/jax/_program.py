"""A recipe as functions of numpy arrays, there and back: what JAX calls while its programs run."""

from __future__ import annotations

import itertools
import os
import threading
from collections import OrderedDict

import numpy as np

# What noise is drawn from, among the arrays of a call. No name of the language looks like this.
SEED = "<seed>"


class Program:
    """A recipe with the gradients by some names, as functions of numpy arrays: what JAX calls."""

    def __init__(self, recipe, wrt, how, saved):
        self.compiled = recipe.compile(gradients=bool(wrt), wrt=list(wrt) or None, **how)
        self.wrt = [f"{name}_adj" for name in wrt]
        self.runs = Runs(saved)

    def run(self, real, whole):
        arrays, seed = _read(real, whole)
        out = self.compiled.exact(arrays) if _is_exact(arrays) else self.compiled.forward(arrays, **seed)
        return out

    def run_saved(self, real, whole):
        arrays, seed = _read(real, whole)
        if _is_exact(arrays):
            return self.compiled.exact(arrays), np.zeros(4, np.uint32)
        self.runs.make_room()
        saved = self.compiled.forward_saved(arrays, **seed)
        return saved.outputs(), self.runs.keep(saved)

    def back(self, real, whole, cotangents, token):
        arrays, seed = _read(real, whole)
        cotangents = {name: np.asarray(array) for name, array in cotangents.items()}
        if _is_exact(arrays):
            found = self.compiled.exact_gradient(arrays, cotangents)
        else:
            token = np.asarray(token).tobytes()
            saved = self.runs.take(token) or self.compiled.forward_saved(arrays, **seed)
            found = saved.backward(cotangents)
            self.runs.used(token, saved)
        return {name: found[name] for name in self.wrt}


def _read(real, whole):
    """Arrays by name, and the seed."""
    arrays = {name: np.asarray(array) for name, array in {**real, **whole}.items()}
    seed = arrays.pop(SEED, None)
    return arrays, {} if seed is None else {"seed": int(seed[0]) << 32 | int(seed[1])}


def _is_exact(arrays):
    return any(array.dtype == np.float64 for array in arrays.values())


class Runs:
    """Forward runs by their tokens, until backward comes for them.

    A token says which run an array came from; what was computed from other arrays has another one. So a run that is found is
    the right one, and where none is found it can be made again: what JAX does with calls and arrays (leaves them out, repeats,
    moves, stores them) changes no result.
    """

    def __init__(self, most):
        self.most = most
        self.waiting = OrderedDict()
        # One that backward has used is kept until the next forward run: a Jacobian goes back many times.
        self.last = (None, None)
        self.lock = threading.Lock()
        self.number = itertools.count(1)
        self.process = os.urandom(8)

    def make_room(self):
        with self.lock:
            self.last = (None, None)

    def keep(self, saved):
        with self.lock:
            token = self.process + next(self.number).to_bytes(8, "little")
            self.waiting[token] = saved
            while len(self.waiting) > self.most:
                self.waiting.popitem(last=False)
        return np.frombuffer(token, np.uint32)

    def take(self, token):
        """The run, which is no longer here: whoever has it is alone with it."""
        with self.lock:
            saved = self.waiting.pop(token, None)
            if saved is None and self.last[0] == token:
                saved, self.last = self.last[1], (None, None)
            return saved

    def used(self, token, saved):
        if self.most > 0:
            with self.lock:
                self.last = (token, saved)
