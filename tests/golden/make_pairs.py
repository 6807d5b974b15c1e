"""Writes `cell_birnn`, `cell_bilstm`, `cell_bigru` and `cell_cifg` beside this file: PyTorch's layers that read from both
ends, over sequences of unequal lengths, and ONNX Runtime's LSTM whose input and forget gates are coupled.

Run by hand, with torch, numpy, onnx and onnxruntime. See README.md. The tests never run this.
"""

import numpy as np
import onnx
import onnxruntime
import torch
from make_cells import HERE, B, H, I, T, case, gates, lin, steps
from onnx import TensorProto, helper

LENGTHS = np.array([5, 2, 4])
INSIDE = (np.arange(T)[:, None] < LENGTHS)[:, :, None].astype(float)


def both_ends(make, letters, apart=()):
    """`letters`: our gates in PyTorch's order of rows; `apart`: ours whose recurrent bias stays, under its name."""

    def compute(v):
        net = make(I, H, bidirectional=True)
        weights = {}
        for path, suffix in [("fw.", "l0"), ("bw.", "l0_reverse")]:
            of = lambda m: [v[f"{path}{m}{g}"] for g in letters]
            weights[f"weight_ih_{suffix}"], weights[f"weight_hh_{suffix}"] = torch.cat(of("W")), torch.cat(of("U"))
            weights[f"bias_ih_{suffix}"] = torch.cat(of("b"))
            recurrent = [v[f"{path}c{g}"] if g in apart else torch.zeros(H) for g in letters]
            weights[f"bias_hh_{suffix}"] = torch.cat(recurrent)
        packed = torch.nn.utils.rnn.pack_padded_sequence(v["x"], torch.tensor(LENGTHS), enforce_sorted=False)
        out, _ = torch.func.functional_call(net, weights, (packed,))
        return {"out": torch.nn.utils.rnn.pad_packed_sequence(out, total_length=T)[0]}

    return compute


def cifg(v):
    """The operator LSTM with input_forget = 1, f = 1 - i; its specification once more in torch, for the gradient."""
    h, c = v["h0"], v["c0"]

    def step(x):
        nonlocal h, c
        i, o = (torch.sigmoid(lin(v, g, ("W", x), ("U", h))) for g in "io")
        c = (1 - i) * c + i * torch.tanh(lin(v, "r", ("W", x), ("U", h)))
        h = o * torch.tanh(c)
        return h

    out = steps(step, v["x"])
    n = {k: a.detach().numpy().astype(np.float32) for k, a in v.items()}
    # What the rows of the forget gate hold is not read.
    stack = lambda m: np.concatenate([n[f"{m}_i"], n[f"{m}_o"], 7 + 0 * n[f"{m}_i"], n[f"{m}_r"]])
    feed = {
        "X": n["x"],
        "W": stack("W")[None],
        "R": stack("U")[None],
        "B": np.concatenate([stack("b"), 0 * stack("b")])[None],
        "initial_h": n["h0"][None],
        "initial_c": n["c0"][None],
    }
    inputs = ["X", "W", "R", "B", "", "initial_h", "initial_c"]
    node = helper.make_node("LSTM", inputs, ["Y"], hidden_size=H, input_forget=1)
    values = [helper.make_tensor_value_info(k, TensorProto.FLOAT, a.shape) for k, a in feed.items()]
    y = helper.make_tensor_value_info("Y", TensorProto.FLOAT, [T, 1, B, H])
    model = helper.make_model(
        helper.make_graph([node], "lstm", values, [y]), opset_imports=[helper.make_opsetid("", 14)], ir_version=8
    )
    onnx.checker.check_model(model)
    theirs = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)[0][:, 0]
    assert np.abs(theirs - out.detach().numpy()).max() < 2e-6, np.abs(theirs - out.detach().numpy()).max()
    return {"h": out}


if __name__ == "__main__":
    weights = [("W", (H, I)), ("U", (H, H)), ("b", (H,))]
    ragged = {"extra": {"lengths": LENGTHS}, "inside": INSIDE}

    def twice(shapes):
        return {"x": (T, B, I)} | {f"{path}{k}": s for path in ["fw.", "bw."] for k, s in shapes.items()}

    case("birnn", twice({"W": (H, I), "U": (H, H), "b": (H,)}), both_ends(torch.nn.RNN, [""]), **ragged)
    four = [f"_{g}" for g in "ifro"]
    case("bilstm", twice(gates("ifro", *weights)), both_ends(torch.nn.LSTM, four), **ragged)
    three = gates("rzh", *weights) | {"c_h": (H,)}
    case("bigru", twice(three), both_ends(torch.nn.GRU, ["_r", "_z", "_h"], apart=["_h"]), **ragged)
    case("cifg", {"x": (T, B, I), "h0": (B, H), "c0": (B, H)} | gates("iro", *weights), cifg)
