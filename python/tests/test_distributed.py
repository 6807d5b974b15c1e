"""Training in two processes is training in one: the example of python/examples/ddp."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
dist = pytest.importorskip("torch.distributed")
if not dist.is_available():
    pytest.skip("this PyTorch has no torch.distributed", allow_module_level=True)

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "ddp" / "train.py"
STEPS = 50


def train(folder, name, *how, processes=1):
    """Weights and losses of 50 steps."""
    begin = [sys.executable]
    if processes > 1:
        begin += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    out = folder / name
    # The extension is found by the children as by this process.
    env = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}
    command = [*begin, str(EXAMPLE), "--steps", str(STEPS), "--out", str(out), *how]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    weights = torch.load(out.with_suffix(".pt"), weights_only=True)
    return weights, json.loads(out.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("distributed")


@pytest.fixture(scope="module")
def alone(folder):
    return train(folder, "one")


def same(alone, several, record_property, name):
    weights, losses = alone
    others, curve = several
    assert weights.keys() == others.keys() and len(curve) == STEPS
    far = max((weights[k] - others[k]).abs().max().item() for k in weights)
    apart = max(abs(a - b) for a, b in zip(losses, curve))
    record_property(f"{name}_weights_apart", far)
    record_property(f"{name}_losses_apart", apart)
    record_property(f"{name}_losses", curve)
    print(f"{name}: after {STEPS} steps weights are {far:.2g} apart, losses {apart:.2g}; {losses[0]:.3f} to {losses[-1]:.3f}")
    assert far <= 1e-5
    assert apart <= 1e-5


def test_it_learns(alone):
    _, losses = alone
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_two_processes_with_half_the_batch(folder, alone, record_property):
    same(alone, train(folder, "two", processes=2), record_property, "data_parallel")


def test_two_processes_with_half_the_parameters(folder, alone, record_property):
    same(alone, train(folder, "sharded", "--shard", processes=2), record_property, "sharded")


def test_what_cannot_be_shared_equally_is_refused(folder):
    with pytest.raises(AssertionError, match="cannot be shared out to 2 processes equally"):
        train(folder, "odd", "--batch", "15", processes=2)
