"""Writes weights/: files of weights as PyTorch writes them, and what the layers make of some inputs.

Run by hand, in an environment with torch, numpy, onnx and onnxruntime; what is written is committed. See README.md. The tests never run this.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

OUT = Path(__file__).parent / "weights"
STEPS, BATCH, INPUTS, UNITS = 6, 3, 4, 5


def fill(net, rng):
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.from_numpy(rng.uniform(-0.8, 0.8, tuple(p.shape)).astype(np.float32)))


def save(name, state, x, results):
    torch.save(state, OUT / f"{name}.pt")
    arrays = {"x": x, **results}
    np.savez_compressed(OUT / f"{name}.npz", **{k: np.asarray(v, np.float32) for k, v in arrays.items()})
    print(name, list(state)[:4], {k: v.shape for k, v in arrays.items()})


def torch_layer(name, make, seed, **options):
    rng = np.random.default_rng(seed)
    net = make(INPUTS, UNITS, **options)
    fill(net, rng)
    x = rng.uniform(-1, 1, (STEPS, BATCH, INPUTS)).astype(np.float32)
    with torch.no_grad():
        y, _ = net.double()(torch.from_numpy(x).double())
    save(name, net.float().state_dict(), x, {"y": y.numpy()})


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.LSTM(INPUTS, UNITS)
        self.out = torch.nn.Linear(UNITS, 3)

    def forward(self, x):
        return self.out(self.rnn(x)[0])


def net():
    rng = np.random.default_rng(7)
    net = Net()
    fill(net, rng)
    x = rng.uniform(-1, 1, (STEPS, BATCH, INPUTS)).astype(np.float32)
    with torch.no_grad():
        y = net.double()(torch.from_numpy(x).double()).numpy()
    net = net.float()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.from_numpy(x)).sum().backward()
    optimizer.step()
    fill(net, np.random.default_rng(7))
    state = {"epoch": 3, "loss": 0.25, "model": net.state_dict(), "optimizer": optimizer.state_dict()}
    save("net_checkpoint", state, x, {"y": y})
    torch.save(net.state_dict(), OUT / "net.pt")
    torch.save(net.state_dict(), OUT / "net_old.pt", _use_new_zipfile_serialization=False)
    torch.save(net.rnn, OUT / "whole_module.pt")


def views():
    """Tensors that share storages, with offsets and strides, of all types of elements."""
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    types = [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
    state = {
        "base": base,
        "turned": base.t(),
        "part": base[1:3, 2:5],
        "every_second": base[::2, 1::2],
        "repeated": base[0, :1].expand(3),
        "column": base[:, 5],
        "scalar": base[2, 3],
        "empty": torch.zeros(0, 3),
        "nested": {"list": [torch.ones(2), {"deep": torch.zeros(1)}], 7: torch.full((1,), 7.0)},
        "parameter": torch.nn.Parameter(torch.tensor([1.5, -2.5])),
        "text": "not a tensor",
    }
    for t in types:
        state[str(t).removeprefix("torch.")] = torch.tensor([0, 1, 1]).to(t)
    torch.save(state, OUT / "views.pt")
    torch.save(state, OUT / "views_protocol4.pt", pickle_protocol=4)


# ---- ONNX: an LSTM in both directions, then a GRU; ONNX Runtime's outputs -------------------------------


def onnx_layers():
    rng = np.random.default_rng(11)

    def weight(name, *shape):
        return numpy_helper.from_array(rng.uniform(-0.8, 0.8, shape).astype(np.float32), name)

    h = UNITS
    weights = [
        weight("w1", 2, 4 * h, INPUTS), weight("r1", 2, 4 * h, h), weight("b1", 2, 8 * h),
        weight("w2", 1, 3 * h, 2 * h), weight("r2", 1, 3 * h, h), weight("b2", 1, 6 * h),
    ]
    turn = numpy_helper.from_array(np.array([0, 0, -1], np.int64), "flat")
    squeeze = numpy_helper.from_array(np.array([1], np.int64), "axis")
    nodes = [
        helper.make_node("LSTM", ["x", "w1", "r1", "b1"], ["y1"], "first", hidden_size=h, direction="bidirectional"),
        helper.make_node("Transpose", ["y1"], ["y1t"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["y1t", "flat"], ["y1f"]),
        helper.make_node("GRU", ["y1f", "w2", "r2", "b2"], ["y2"], "second", hidden_size=h, linear_before_reset=1),
        helper.make_node("Squeeze", ["y2", "axis"], ["y"]),
    ]
    shape = [STEPS, BATCH, INPUTS]
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [STEPS, BATCH, h])],
        weights + [turn, squeeze],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, OUT / "layers.onnx")
    x = rng.uniform(-1, 1, shape).astype(np.float32)
    (y,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    np.savez_compressed(OUT / "layers.npz", x=x, y=y)
    onnx.save(model, OUT / "external.onnx", save_as_external_data=True, location="external.bin", size_threshold=0)
    (OUT / "external.bin").unlink()


# ---- Amplifier models: loops in numpy, from the equations of the programs that read them -----------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numbers(rng, *shape):
    return rng.uniform(-0.8, 0.8, shape).astype(np.float32).astype(np.float64)


def lstm_step(z, c):
    i, f, g, o = np.split(z, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def save_amp(name, text, x, y):
    (OUT / name).write_text(json.dumps(text))
    shape = (len(x), 1, 1)
    stem = name.split(".")[0]
    np.savez_compressed(OUT / f"{stem}.npz", x=x.reshape(shape).astype(np.float32), y=np.array(y).reshape(shape).astype(np.float32))


def amp_nam(layers=2, h=3):
    """Neural Amp Modeler: for each layer W of [x, h], b, and the states at the start; then the head."""
    rng = np.random.default_rng(21)
    x = rng.uniform(-1, 1, 20)
    x = x.astype(np.float32).astype(np.float64)
    cells, flat = [], []
    for k in range(layers):
        cell = [numbers(rng, 4 * h, (1 if k == 0 else h) + h), numbers(rng, 4 * h), numbers(rng, h), numbers(rng, h)]
        cells.append(cell)
        flat += [v for part in cell for v in part.ravel()]
    head, bias = numbers(rng, h), numbers(rng, 1)
    flat += [*head, *bias]
    states = [(cell[2], cell[3]) for cell in cells]
    y = []
    for sample in x:
        v = np.array([sample])
        for k, (w, b, _, _) in enumerate(cells):
            states[k] = lstm_step(w @ np.concatenate([v, states[k][0]]) + b, states[k][1])
            v = states[k][0]
        y.append(head @ v + bias[0])
    config = {"input_size": 1, "hidden_size": h, "num_layers": layers}
    text = {"version": "0.5.4", "metadata": {"name": "made up"}, "architecture": "LSTM", "config": config, "weights": flat, "sample_rate": 48000}
    save_amp("amp_flat.nam", text, x, y)


def layer(kind, weights, width, activation=""):
    return {"type": kind, "activation": activation, "shape": [None, None, width], "weights": [w.tolist() for w in weights]}


def amp_rtneural(kind, h=4):
    """RTNeural's layers, in the order of Keras: LSTM i f c o; GRU z r h with a bias for each product."""
    rng = np.random.default_rng(22)
    gates = {"lstm": 4, "gru": 3}[kind]
    kernel, recurrent = numbers(rng, 1, gates * h), numbers(rng, h, gates * h)
    bias = numbers(rng, gates * h) if kind == "lstm" else numbers(rng, 2, gates * h)
    dense, shift = numbers(rng, h, 1), numbers(rng, 1)
    x = rng.uniform(-1, 1, 20).astype(np.float32).astype(np.float64)
    s, c, y = np.zeros(h), np.zeros(h), []
    for sample in x:
        v = np.array([sample])
        if kind == "lstm":
            s, c = lstm_step(v @ kernel + s @ recurrent + bias, c)
        else:
            az, ar, ah = np.split(v @ kernel + bias[0], 3)
            bz, br, bh = np.split(s @ recurrent + bias[1], 3)
            z, r = sigmoid(az + bz), sigmoid(ar + br)
            s = z * s + (1 - z) * np.tanh(ah + r * bh)
        y.append((s @ dense + shift)[0])
    text = {"in_shape": [None, None, 1], "layers": [layer(kind, [kernel, recurrent, bias], h, "tanh"), layer("dense", [dense, shift], 1)]}
    save_amp(f"amp_{kind}.json", text, x, y)


OUT.mkdir(exist_ok=True)
torch_layer("lstm_two_bi", torch.nn.LSTM, 1, num_layers=2, bidirectional=True)
torch_layer("gru_two", torch.nn.GRU, 2, num_layers=2)
torch_layer("rnn_bi", torch.nn.RNN, 3, bidirectional=True)
net()
views()
onnx_layers()
amp_nam()
amp_rtneural("lstm")
amp_rtneural("gru")
