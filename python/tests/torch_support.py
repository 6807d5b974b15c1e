"""What the tests of `rnnc.torch` share: recipes of the standard library, and arguments for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

import rnnc
import rnnc.torch

# Left out by .ci/python.
SLOW = pytest.mark.slow

STDLIB = Path(__file__).resolve().parents[2] / "stdlib"


class Case(NamedTuple):
    """A recipe that the standard library checks itself, and how many steps it does that with."""

    recipe: str
    steps: int

    def __str__(self) -> str:
        return self.recipe

    @property
    def name(self) -> str:
        return re.match(r"\w+", self.recipe).group()


def cases() -> list[Case]:
    """Every recipe that a file of the standard library has a `check grad` for."""
    found = []
    for path in sorted(STDLIB.glob("*.rnn")):
        for recipe, steps in re.findall(r"^check grad (.+?)(?:, steps = (\d+))?$", path.read_text(encoding="utf-8"), re.MULTILINE):
            found.append(Case(recipe, int(steps or 2)))
    return found


def kinds() -> dict[str, str]:
    """Items of the standard library over grids and trees; all others are chains, or have no domain."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(STDLIB.glob("*.rnn")))
    statics = r"\((?:[^()]|\([^()]*\))*\)"
    kinds = dict(re.findall(rf"^cell (\w+){statics}\s+over (grid|tree)\(", text, re.MULTILINE))
    # Variants are over what they are variants of.
    for name, base in re.findall(rf"^cell (\w+){statics} = (\w+)\(", text, re.MULTILINE):
        if base in kinds:
            kinds[name] = kinds[base]
    return kinds


def module(case: Case, **options) -> rnnc.torch.Module:
    open_dims = rnnc.Library.standard().recipe(case.recipe).dims
    return rnnc.torch.Module(case.recipe, dims={name: 3 for name in open_dims}, seed=5, **options)


def arguments(net: rnnc.torch.Module, steps: int, dtype=torch.float32, batch: int = 2) -> tuple[dict, dict]:
    """Inputs and keywords (states, lengths) for a module over a chain, with unequal lengths and given states."""
    generator = torch.Generator().manual_seed(3)
    program = net._evaluation
    inputs = {}
    for port in program.inputs:
        shape = [steps] * len(port.axes) + [batch] * port.per_example + list(port.extents)
        if port.elements == "id":
            inputs[port.name] = torch.randint(0, 2, shape, generator=generator)
        else:
            # Times and time steps are inputs too, and positive.
            inputs[port.name] = torch.rand(shape, generator=generator, dtype=dtype) + 0.2
    states = {
        port.state: 0.5 * torch.rand((batch, *port.extents), generator=generator, dtype=dtype) + 0.1 for port in program.initial
    }
    axes = dict.fromkeys(axis for port in program.inputs for axis in port.axes)
    lengths = {axis: torch.tensor([max(1, steps - 2 - k)] * (batch - 1) + [steps]) for k, axis in enumerate(axes)}
    keywords = {}
    if states:
        keywords["states"] = states
    if lengths:
        keywords["lengths"] = lengths
    return inputs, keywords


def flat(results) -> tuple[torch.Tensor, ...]:
    """All tensors of a call's results."""
    out, states = results
    values = list(out.values()) if isinstance(out, dict) else [out]
    if isinstance(states, dict):
        values += states.values()
    elif isinstance(states, torch.Tensor):
        values.append(states)
    elif states is not None:
        values += states
    return tuple(values)


def close(a, b, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)
