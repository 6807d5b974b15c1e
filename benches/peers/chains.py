"""Contestants over sequences: functions that do one call, for `measure.py` to time.

`make(cell, shape, mode, threads, compiled)` gives {name: call}. A call gives the outputs, and in training the gradients of
x and of all packed weights, so that `check.py` can compare them. Whatever a library keeps between calls it may keep,
but for weights in training: those have changed since the last call, as after an optimiser's step.
"""

import jax
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

from cells import Jax, Torch, draw

torch.set_flush_denormal(True)
jax.config.update("jax_cpu_enable_async_dispatch", False)  # a call that is waited for anyway


def arrays(cell, T, B, I, H):
    random = np.random.default_rng(1)
    x = random.uniform(-1, 1, (T, B, I)).astype(np.float32)
    dy = random.uniform(-1, 1, (T, B, H)).astype(np.float32)
    return draw(cell, I, H), x, dy


def torch_ready(cell, weights, x, dy, training):
    """nn.LSTM or nn.GRU."""
    T, B, I = x.shape
    H = dy.shape[-1]
    net = getattr(torch.nn, cell.ready)(I, H)
    words = "ifro" if cell.ready == "LSTM" else "rzh"
    side = lambda name: torch.tensor(np.concatenate([weights[f"{name}_{w}"] for w in words]))
    with torch.no_grad():
        net.weight_ih_l0.copy_(side("W"))
        net.weight_hh_l0.copy_(side("U"))
        net.bias_ih_l0.copy_(side("b"))
        net.bias_hh_l0.zero_()
        if cell.ready == "GRU":
            # torch weighs the kept state with its gate z, rnnc the new one: σ(−a) = 1 − σ(a).
            for p in (net.weight_ih_l0, net.weight_hh_l0, net.bias_ih_l0):
                p[H : 2 * H].neg_()
            net.bias_hh_l0[2 * H :] = torch.tensor(weights["c_h"])
    return torch_call(lambda x: net(x)[0], list(net.parameters()), x, dy, training)


def torch_call(run, params, x, dy, training):
    x, dy = torch.tensor(x, requires_grad=training), torch.tensor(dy)

    def train():
        y = run(x)
        return y, *torch.autograd.grad(y, [x, *params], dy)

    def infer():
        with torch.inference_mode():
            return (run(x),)

    return train if training else infer


def torch_by_hand(cell, weights, x, dy, training, compiled=False):
    """A loop over steps, what needs no state before it."""
    w = {name: torch.tensor(a, requires_grad=training) for name, a in cell.pack(weights).items()}
    zeros = [torch.zeros(x.shape[1], dy.shape[-1])] * cell.states
    step = lambda w, z, state: cell.step(Torch, w, z, state)
    if compiled:
        step = torch.compile(step, dynamic=False)

    def run(x):
        state, outs = tuple(zeros), []
        for z in cell.inputs(Torch, w, x).unbind(0):
            state = step(w, z, state)
            outs.append(state[0])
        return torch.stack(outs)

    return torch_call(run, list(w.values()), x, dy, training)


def torch_cell(cell, weights, x, dy):
    """nn.LSTMCell, a step a call of it."""
    net = torch.nn.LSTMCell(x.shape[-1], dy.shape[-1])
    side = lambda name: torch.tensor(np.concatenate([weights[f"{name}_{w}"] for w in "ifro"]))
    with torch.no_grad():
        net.weight_ih.copy_(side("W"))
        net.weight_hh.copy_(side("U"))
        net.bias_ih.copy_(side("b"))
        net.bias_hh.zero_()
    zeros = torch.zeros(x.shape[1], dy.shape[-1])

    def run(x):
        state, outs = (zeros, zeros), []
        for row in x.unbind(0):
            state = net(row, state)
            outs.append(state[0])
        return torch.stack(outs)

    return torch_call(run, list(net.parameters()), x, dy, training=False)


def jax_scan(cell, weights, x, dy, training, unroll=1):
    w = {name: jax.numpy.asarray(a) for name, a in cell.pack(weights).items()}
    x, dy = jax.numpy.asarray(x), jax.numpy.asarray(dy)
    zeros = (jax.numpy.zeros((x.shape[1], dy.shape[-1]), np.float32),) * cell.states
    names = list(w)  # jit sorts what it is given by name

    def forward(w, x):
        def step(state, z):
            state = cell.step(Jax, w, z, state)
            return state, state[0]

        return jax.lax.scan(step, zeros, cell.inputs(Jax, w, x), unroll=unroll)[1]

    def both(w, x, dy):
        y, back = jax.vjp(forward, w, x)
        dw, dx = back(dy)
        return y, dx, *(dw[name] for name in names)

    if training:
        fast = jax.jit(both)
        return lambda: jax.block_until_ready(fast(w, x, dy))
    fast = jax.jit(forward)
    return lambda: (jax.block_until_ready(fast(w, x)),)


def session(nodes, inputs, outputs, constants, threads):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        nodes,
        "net",
        [value(*i) for i in inputs],
        [value(*o) for o in outputs],
        [onnx.numpy_helper.from_array(a, name) for name, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


def onnx_node(cell, weights, streamed=False):
    """The node for the cell and its constants, or nothing if ONNX has none."""
    if cell.name not in ("LSTM", "PeepholeLSTM", "GRU", "GRU, reset after"):
        return None
    side = lambda name, words: np.concatenate([weights[f"{name}_{w}"] for w in words])[None]
    H = weights["U_o" if cell.states == 2 else "U_z"].shape[0]
    if cell.states == 2:
        words, kind, more = "iofr", "LSTM", {}
        bias = np.concatenate([side("b", words), np.zeros((1, 4 * H), np.float32)], 1)
    else:
        after = "after" in cell.name
        words, kind, more = "zrh", "GRU", {"linear_before_reset": int(after)}
        zeros = np.zeros((1, 3 * H), np.float32)
        if after:
            zeros[0, 2 * H :] = weights["c_h"]
        bias = np.concatenate([side("b", words), zeros], 1)
    constants = {"W": side("W", words), "R": side("U", words), "B": bias}
    if kind == "GRU":  # its gate z weighs the kept state
        constants["W"][:, :H] *= -1
        constants["R"][:, :H] *= -1
        constants["B"][:, :H] *= -1
    names = ["X", "W", "R", "B"]
    if streamed or cell.name == "PeepholeLSTM":
        names += ["", "h0" if streamed else ""] + ["c0" if streamed else ""] * (kind == "LSTM")
    if cell.name == "PeepholeLSTM":
        names.append("P")
        constants["P"] = side("p", "iof")
    outs = ["", "h1"] + ["c1"] * (kind == "LSTM") if streamed else ["Y"]
    return helper.make_node(kind, names, outs, hidden_size=H, **more), constants


def onnx_runtime(cell, weights, x, dy, threads):
    made = onnx_node(cell, weights)
    if made is None:
        return None
    node, constants = made
    T, B, H = dy.shape
    net = session([node], [("X", x.shape)], [("Y", (T, 1, B, H))], constants, threads)
    return lambda: (net.run(None, {"X": x})[0][:, 0],)


def make(cell, shape, mode, threads, compiled):
    weights, x, dy = arrays(cell, *shape)
    training = mode == "train"
    calls = {}
    if cell.ready:
        calls[f"PyTorch nn.{cell.ready}"] = torch_ready(cell, weights, x, dy, training)
    calls["PyTorch, a loop"] = torch_by_hand(cell, weights, x, dy, training)
    if compiled:
        calls["PyTorch, a compiled step"] = torch_by_hand(cell, weights, x, dy, training, True)
    if cell.name == "LSTM" and not training:
        calls["PyTorch nn.LSTMCell"] = torch_cell(cell, weights, x, dy)
    calls["JAX, lax.scan"] = jax_scan(cell, weights, x, dy, training)
    calls["JAX, lax.scan of 4 steps"] = jax_scan(cell, weights, x, dy, training, unroll=4)
    if not training and (call := onnx_runtime(cell, weights, x, dy, threads)):
        calls["ONNX Runtime"] = call
    return calls


def streams(cell, I, H, threads):
    """One step a call at batch 1; states go on."""
    weights, x, _ = arrays(cell, 1, 1, I, H)
    calls = {}
    if cell.ready:
        net = getattr(torch.nn, cell.ready)(I, H)
        one = getattr(torch.nn, f"{cell.ready}Cell")(I, H)
        step, row = torch.tensor(x), torch.tensor(x[0])
        hold = {"net": None, "one": None}

        def whole():
            with torch.inference_mode():
                hold["net"] = net(step, hold["net"])[1]

        def single():
            with torch.inference_mode():
                hold["one"] = one(row, hold["one"])

        calls |= {f"PyTorch nn.{cell.ready}": whole, f"PyTorch nn.{cell.ready}Cell": single}
    w = {name: jax.numpy.asarray(a) for name, a in cell.pack(weights).items()}
    fast = jax.jit(lambda w, x, state: cell.step(Jax, w, cell.inputs(Jax, w, x), state))
    now, carry = jax.numpy.asarray(x[0]), {"state": (jax.numpy.zeros((1, H), np.float32),) * cell.states}

    def scan_step():
        carry["state"] = jax.block_until_ready(fast(w, now, carry["state"]))

    calls["JAX, jit of a step"] = scan_step
    made = onnx_node(cell, weights, streamed=True)
    if made:
        names = ["h", "c"][: cell.states]
        ends = lambda k: [(f"{n}{k}", (1, 1, H)) for n in names]
        net_o = session([made[0]], [("X", x.shape), *ends(0)], ends(1), made[1], threads)
        feed = {"X": x} | {f"{n}0": np.zeros((1, 1, H), np.float32) for n in names}

        def run():
            feed.update(zip([f"{n}0" for n in names], net_o.run(None, feed)))

        calls["ONNX Runtime"] = run
    return calls
