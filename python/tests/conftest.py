"""What tests share: the folder of scratch files is the one they run in, cells that many of them use."""

import numpy as np
import pytest

import rnnc

LEAK = """
## Forgets at a rate it learns.
## With a second line.
cell Leak(I, H, gain : real = 1) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1/sqrt(H))
  param a : [H] = 1 within -2 .. 2
  h = tanh(σ(a) ⊙ h[t-1] + gain * (W @ x))
  out h
}
"""


@pytest.fixture(scope="session")
def library():
    return rnnc.Library.text(LEAK, name="leak.rnn")


@pytest.fixture(scope="session")
def leak(library):
    """Leak(3, 4)."""
    return library.compile("Leak(3, 4)")


@pytest.fixture
def x():
    """Five steps, two examples."""
    return np.random.default_rng(1).standard_normal((5, 2, 3)).astype(np.float32)
