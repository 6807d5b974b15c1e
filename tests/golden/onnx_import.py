"""Small ONNX files as other tools write them, with what goes in and what comes out.

    python onnx_import.py FOLDER        # tests/golden/onnx

Wants torch with onnxscript. Writes NAME.onnx and NAME.npz (`in/NAME` what goes in, `out/NAME` what comes out, by ONNX Runtime). Wants torch, onnx, onnxruntime
and numpy. Files are as small as they can be: few units, no names of the exporter.
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper

OUT = pathlib.Path(sys.argv[1])
OUT.mkdir(parents=True, exist_ok=True)
T, B, I, H = 5, 3, 4, 3


def keep(name, feeds):
    path = OUT / f"{name}.onnx"
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del model.graph.value_info[:]
    del model.metadata_props[:]
    onnx.save(model, path)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    results = session.run(names, feeds)
    arrays = {f"in/{n}": a for n, a in feeds.items()}
    arrays.update({f"out/{n}": a for n, a in zip(names, results)})
    np.savez_compressed(OUT / f"{name}.npz", **arrays)
    print(name, path.stat().st_size, {n: r.shape for n, r in zip(names, results)})


def torch_model(name, module, *inputs, outputs, dynamic=True, axes=None, **more):
    torch.manual_seed(sum(map(ord, name)))
    for p in module.parameters():
        torch.nn.init.uniform_(p, -0.7, 0.7)
    module.eval()
    names = [f"x{k}" if k else "x" for k in range(len(inputs))]
    if dynamic and axes is None:
        axes = {n: {0: "steps", 1: "batch"} for n in names}
    torch.onnx.export(
        module, inputs, str(OUT / f"{name}.onnx"), input_names=names, output_names=outputs,
        dynamic_axes=axes, opset_version=17, dynamo=False, **more,
    )
    keep(name, {n: v.numpy() for n, v in zip(names, inputs)})


class Tagger(torch.nn.Module):
    """Symbols in, log-probabilities out at every step: two layers in both directions."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(7, I)
        self.rnn = torch.nn.LSTM(I, H, num_layers=2, bidirectional=True)
        self.head = torch.nn.Linear(2 * H, 5)

    def forward(self, w):
        y, _ = self.rnn(self.embed(w))
        return torch.softmax(self.head(y), dim=-1)


class Classifier(torch.nn.Module):
    """The last step, read out."""

    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.GRU(I, H)
        self.norm = torch.nn.LayerNorm(H)
        self.head = torch.nn.Sequential(torch.nn.Linear(H, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(self.norm(y[-1]))


class First(torch.nn.Module):
    """Batch first, one network over another, plain recurrences."""

    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.RNN(I, H, num_layers=2, nonlinearity="relu", batch_first=True)
        self.head = torch.nn.Linear(H, 2)

    def forward(self, x):
        y, h = self.rnn(x)
        return torch.tanh(self.head(y)), h


class Given(torch.nn.Module):
    """First states that callers give, in one array for all layers and directions."""

    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.LSTM(I, H, num_layers=2, bidirectional=True)

    def forward(self, x, h0, c0):
        y, (h, c) = self.rnn(x, (h0, c0))
        return y, h, c


class Learnt(torch.nn.Module):
    """A first state that is a parameter, the same for all examples."""

    def __init__(self):
        super().__init__()
        self.start = torch.nn.Parameter(torch.zeros(1, 1, H))
        self.rnn = torch.nn.GRU(I, H)

    def forward(self, x):
        y, _ = self.rnn(x, self.start.expand(1, x.shape[1], H).contiguous())
        return y


class Exported(torch.nn.Module):
    """Zeros in a shape that is computed of the input's, by PyTorch's newer exporter."""

    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.GRU(I, H, num_layers=2)
        self.head = torch.nn.Linear(H, 2)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y)


def newer(name, module, x, outputs):
    torch.manual_seed(sum(map(ord, name)))
    for p in module.parameters():
        torch.nn.init.uniform_(p, -0.7, 0.7)
    module.eval()
    steps, batch = torch.export.Dim("steps"), torch.export.Dim("batch")
    torch.onnx.export(
        module, (x,), str(OUT / f"{name}.onnx"), input_names=["x"], output_names=outputs,
        dynamic_shapes=({0: steps, 1: batch},), dynamo=True, external_data=False,
    )
    keep(name, {"x": x.numpy()})


def operator(name, op, gates, directions, weights, extra=(), **attributes):
    rng = np.random.default_rng(sum(map(ord, name)))
    draw = lambda *shape: rng.uniform(-0.7, 0.7, shape).astype(np.float32)
    d = directions
    arrays = {"W": draw(d, gates * H, I), "R": draw(d, gates * H, H), "B": draw(d, 2 * gates * H)}
    feeds = {"X": draw(T, B, I)}
    inputs = ["X", "W", "R", "B", "", "initial_h"] + (["initial_c"] if op == "LSTM" else [])
    feeds["initial_h"] = draw(d, B, H)
    if op == "LSTM":
        feeds["initial_c"] = draw(d, B, H)
    if "P" in weights:
        arrays["P"] = draw(d, 3 * H)
        inputs.append("P")
    outputs = ["Y", "Y_h"] + (["Y_c"] if op == "LSTM" else [])
    node = helper.make_node(op, inputs, outputs, hidden_size=H, **attributes)
    value = lambda n, a: helper.make_tensor_value_info(n, TensorProto.FLOAT, a)
    shapes = {"X": ["T", "B", I], "initial_h": [d, "B", H], "initial_c": [d, "B", H]}
    results = {"Y": ["T", d, "B", H], "Y_h": [d, "B", H], "Y_c": [d, "B", H]}
    graph = helper.make_graph(
        [node], name, [value(n, shapes[n]) for n in feeds], [value(n, results[n]) for n in outputs],
        [numpy_helper.from_array(a, n) for n, a in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, OUT / f"{name}.onnx")
    keep(name, feeds)


torch_model("tagger", Tagger(), torch.randint(0, 7, (T, B)), outputs=["p"])
torch_model("classifier", Classifier(), torch.randn(T, B, I), outputs=["y"])
torch_model("batch_first", First(), torch.randn(B, T, I), outputs=["y", "h"])
torch_model("given", Given(), torch.randn(T, B, I), torch.randn(4, B, H), torch.randn(4, B, H), outputs=["y", "h", "c"],
            axes={"x": {0: "steps", 1: "batch"}, "x1": {1: "batch"}, "x2": {1: "batch"}})
torch_model("learnt", Learnt(), torch.randn(T, B, I), outputs=["y"])
newer("newer", Exported(), torch.randn(T, B, I), ["y"])
operator("operator_peephole", "LSTM", 4, 1, ["P"])
operator("operator_peephole_pair", "LSTM", 4, 2, ["P"], direction="bidirectional")
operator("operator_before", "GRU", 3, 1, [], direction="reverse")
operator("operator_after_pair", "GRU", 3, 2, [], direction="bidirectional", linear_before_reset=1)
operator("operator_plain_pair", "RNN", 1, 2, [], direction="bidirectional", activations=["Relu", "Tanh"])
