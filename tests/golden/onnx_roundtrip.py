"""PyTorch to rnnc to ONNX to ONNX Runtime.

    python onnx_roundtrip.py RNNC FOLDER

A `state_dict` of PyTorch goes through `rnnc export --layout torch --out FILE.onnx`, and ONNX Runtime runs what comes out on the same
input. Cells that PyTorch lacks are compared with `rnnc run --f64`. For each case one line is printed: its name, the operators of the
model, and the greatest difference. Ends with 1 if one is above 1e-5. The figures stand in docs/onnx.md.

Wants torch, onnx, onnxruntime and numpy.
"""

import collections
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime as ort
import torch

RNNC, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
FOLDER.mkdir(parents=True, exist_ok=True)
T, B, I, H = 50, 4, 16, 32
failed = False


def rnnc(*args):
    subprocess.run([RNNC, *map(str, args)], check=True, stdout=subprocess.DEVNULL)


def results(path, feeds):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


def report(name, path, pairs):
    global failed
    ops = collections.Counter(n.op_type for n in onnx.load(path).graph.node)
    shown = ", ".join(f"{ops[op]} {op}" for op in ("LSTM", "GRU", "RNN", "Scan") if ops[op])
    worst = max(float(np.abs(a - b).max()) for a, b in pairs)
    failed |= not worst <= 1e-5
    print(f"| {name} | {shown} | {worst:.1e} |")


def pytorch(name, module, recipe, out, maps=()):
    torch.manual_seed(1)
    module.eval()
    weights, path = FOLDER / f"{name}.pt", FOLDER / f"{name}.onnx"
    torch.save(module.state_dict(), weights)
    rnnc("export", weights, "--cell", recipe, "--layout", "torch", "--out", path, *(f"--map={m}" for m in maps))
    x = torch.randn(T, B, I)
    with torch.no_grad():
        want = module(x)[0].numpy()
    found = results(path, {"x": x.numpy()})
    report(f"PyTorch {name}", path, [(found[out or next(iter(found))], want)])


def own(name, recipe, source=None):
    path, arrays = FOLDER / f"{name}.onnx", FOLDER / f"{name}.npz"
    file = []
    if source:
        file = [FOLDER / f"{name}.rnn"]
        file[0].write_text(source)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((T, B, I)).astype(np.float32)
    text = subprocess.run([RNNC, "show", "--stage", "eqn", *file, "--cell", recipe], check=True, capture_output=True, text=True).stdout
    params = {}
    for line in text.splitlines():
        if line.startswith("source ") and "= param" in line:
            words = line.split(" : [")
            shape = [int(n) for n in words[1].split("]")[0].split(",") if n.strip()]
            params[words[0].removeprefix("source ")] = rng.uniform(-0.3, 0.3, shape).astype(np.float32)
    np.savez(FOLDER / f"{name}_w.npz", **params)
    np.savez(FOLDER / f"{name}_in.npz", x=x, **params)
    rnnc("run", *file, "--cell", recipe, "--in", FOLDER / f"{name}_in.npz", "--out", arrays, "--f64")
    rnnc("export", FOLDER / f"{name}_w.npz", *file, "--cell", recipe, "--out", path)
    want = np.load(arrays)
    report(f"`{recipe}`", path, [(a, want[n]) for n, a in results(path, {"x": x}).items()])


pytorch("LSTM", torch.nn.LSTM(I, H), f"LSTM({I}, {H})", "h")
pytorch("LSTM, two layers", torch.nn.LSTM(I, H, 2), f"Stack(2, LSTM(_, {H}))", "l2.h")
pytorch("LSTM, two layers, bidirectional", torch.nn.LSTM(I, H, 2, bidirectional=True), f"Stack(2, Bi(LSTM(_, {H})))", None)
pytorch("GRU", torch.nn.GRU(I, H), f"GRU({I}, {H}, reset = after, update = keep)", "h")
pytorch("RNN", torch.nn.RNN(I, H), f"RNN({I}, {H})", "h")
own("peephole", f"PeepholeLSTM({I}, {H})")
own("minimal", f"MinGRU({I}, {H})")
own("custom", f"Mine({I}, {H})", """cell Mine(I, H) {
  in    x : [I]
  state h : [H] = 0
  param W_{z n} : [H, I] ~ uniform(1/sqrt(H))
  param U_{z n} : [H, H] ~ uniform(1/sqrt(H))
  param a       : [H]    = 0
  z = σ(W_z @ x + U_z @ h[t-2])
  n = tanh(W_n @ x + U_n @ (z ⊙ h[t-1]) + W_n @ x[t-1] + a)
  h = z ⊙ n + (1 − z) ⊙ h[t-1]
  out h
}
""")
sys.exit(failed)
