"""Contestants compute what rnnc computes: same weights and inputs through `rnnc run --grad`, outputs and gradients compared."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np

import chains
import domains

HERE = Path(__file__).resolve().parent
SMALL = (7, 3, 5, 6)  # T, B, I, H


def rnnc_run(binary, recipe, file, arrays):
    with tempfile.TemporaryDirectory() as folder:
        given, got = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, **arrays)
        args = [binary, "run"] + ([str(HERE.parent / file)] if file else [])
        subprocess.run([*args, "--cell", recipe, "--in", given, "--out", got, "--grad"], check=True, capture_output=True)
        with np.load(got) as arrays:
            return dict(arrays)


def agree(what, a, b, bound=2e-5):
    a, b = (np.asarray(v.detach() if hasattr(v, "detach") else v, np.float64) for v in (a, b))
    error = np.abs(a - b).max() / max(1.0, np.abs(b).max())
    if not error < bound:
        raise SystemExit(f"{what}: not what rnnc computes, {error:.2g} off")


def chain(binary, cell):
    T, B, I, H = SMALL
    weights, x, dy = chains.arrays(cell, *SMALL)
    out = rnnc_run(binary, cell.recipe.format(I=I, H=H), cell.file, weights | {"x": x, "h_adj": dy})
    gradients = cell.pack({name: out[f"{name}_adj"] for name in weights})
    packed = list(cell.pack(weights))
    for mode in ("train", "infer"):
        for name, call in chains.make(cell, SMALL, mode, 1, False).items():
            y, *rest = call()
            agree(f"{cell.name}, {name}, outputs", y, out["h"])
            if rest:
                agree(f"{cell.name}, {name}, gradient of x", rest[0], out["x_adj"])
            if rest and len(rest) == 1 + len(packed) and "nn." not in name:
                for w, gradient in zip(packed, rest[1:]):
                    if w[0] in "WUADM":  # vectors may be joined with zeros that are no parameters of rnnc
                        agree(f"{cell.name}, {name}, gradient of {w}", gradient, gradients[w], 1e-4)
    print(f"{cell.name}: results agree", flush=True)


def domain(binary, which, recipe):
    (infer, _), (train, arrays) = domains.make(which, False), domains.make(which, True)
    out = rnnc_run(binary, recipe, None, arrays)
    y, dx, *_ = train()
    agree(f"{which}, outputs", y, out["h"])
    agree(f"{which}, outputs without gradients", infer()[0], out["h"])
    agree(f"{which}, gradient of x", dx, out["x_adj"], 1e-4)
    print(f"{which}: results agree", flush=True)
