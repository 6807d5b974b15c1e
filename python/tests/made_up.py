"""Made-up arrays for what a compiled recipe takes."""

import functools
import re
import zlib
from pathlib import Path

import numpy as np

import rnnc

ROOT = Path(__file__).resolve().parents[2]

TREES = np.array([[[-1, -1], [-1, -1], [0, 1]], [[-1, -1], [0, -1], [1, -1]]], np.int64)


def library_recipes():
    """A recipe for each cell and layer of the standard library that checks its gradient: small sizes, all numbers."""
    # Part of a layer, which is checked as a whole.
    recipes = {"LGTransition": "LGTransition(D = 2, E = 2)"}
    for file in sorted((ROOT / "stdlib").glob("*.rnn")):
        for line in file.read_text(encoding="utf-8").splitlines():
            if found := re.match(r"check grad (\w+)\((.*)\)(, steps = \d+)?$", line):
                recipes.setdefault(found[1], f"{found[1]}({found[2]})")
    return recipes


standard = functools.cache(rnnc.Library.standard)


def compiled(recipe, **how):
    """With 3 for all dimensions that are left open."""
    dims = dict.fromkeys(standard().recipe(recipe, **how).dims, 3)
    return standard().compile(recipe, dims=dims, **how)


def numbers(name, shape):
    """The same for the same name and shape."""
    return np.random.default_rng(zlib.crc32(name.encode())).uniform(-0.5, 0.5, shape)


def shape(port, steps, batch):
    axes = [int(axis) if axis.isdigit() else steps for axis in port.axes]
    return (*axes, *([batch] if port.per_example else []), *port.extents)


def everything(cell, steps=4, batch=2, dtype=np.float32):
    """Every input, parameter and initial state, and trees where they are needed."""
    arrays = {}
    for port in [*cell.inputs, *cell.params, *cell.initial]:
        values = numbers(port.name, shape(port, steps, batch))
        if port.elements == "id":
            arrays[port.name] = ((values + 0.5) * port.symbols).astype(np.int64)
        elif port.elements == "bool":
            arrays[port.name] = (values > 0).astype(np.int64)
        else:
            arrays[port.name] = real(port, values, dtype)
    try:
        cell.exact(arrays)
    except rnnc.Error as error:
        if error.code != "E0709":
            raise
        return {**everything_of_trees(cell, dtype), "children": TREES}
    return arrays


def everything_of_trees(cell, dtype):
    batch, nodes, _ = TREES.shape
    ports = [*cell.inputs, *cell.params, *cell.initial]
    return {port.name: real(port, numbers(port.name, shape(port, nodes, batch)), dtype) for port in ports}


def real(port, values, dtype):
    # States may be below a root.
    return (values + (0.6 if port.kind == "initial" else 0)).astype(dtype)


def cotangents(cell, outputs, dtype=np.float32):
    """What arrives for every output of real numbers."""
    real = [port.name for port in cell.outputs if port.elements == "real"]
    return {f"{name}_adj": numbers(f"{name}_adj", outputs[name].shape).astype(dtype) for name in real}
