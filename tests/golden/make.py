"""Writes the golden values beside this file: recurrent layers as PyTorch and ONNX Runtime compute them.

Run by hand, in an environment with torch, numpy, onnx and onnxruntime; what is written is committed. See README.md
for the names and layouts. The tests never run this.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

HERE = Path(__file__).parent
STEPS, BATCH, INPUTS, UNITS = 6, 3, 4, 5
RAGGED = [6, 2, 4]


def draw(rng, *shape):
    """Values that f32 holds exactly, so that every side starts from the same numbers."""
    return rng.uniform(-0.8, 0.8, shape).astype(np.float32).astype(np.float64)


def save(name, arrays):
    as_f32 = {k: np.asarray(v, np.int32 if k == "lengths" else np.float32) for k, v in arrays.items()}
    np.savez_compressed(HERE / f"{name}.npz", **as_f32)
    print(name, {k: v.shape for k, v in as_f32.items()})


# ---- PyTorch ---------------------------------------------------------------------------------------------


def torch_case(name, kind, layers, lengths, start, seed):
    rng = np.random.default_rng(seed)
    make = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}.get(kind, torch.nn.RNN)
    options = {"nonlinearity": kind.removeprefix("rnn_")} if kind.startswith("rnn") else {}
    net = make(INPUTS, UNITS, num_layers=layers, **options).double()
    states = ["h", "c"] if kind == "lstm" else ["h"]
    arrays = {"lengths": lengths}
    with torch.no_grad():
        for key, p in net.named_parameters():
            arrays[key] = draw(rng, *p.shape)
            p.copy_(torch.from_numpy(arrays[key]))
    arrays["input"] = draw(rng, STEPS, BATCH, INPUTS)
    x = torch.tensor(arrays["input"], requires_grad=True)
    given = None
    if start:
        given = []
        for s in states:
            arrays[f"{s}0"] = draw(rng, layers, BATCH, UNITS)
            given.append(torch.tensor(arrays[f"{s}0"], requires_grad=True))
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    state = None if given is None else tuple(given) if kind == "lstm" else given[0]
    y, last = net(packed, state)
    y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=STEPS)
    results = {"output": y}
    for s, value in zip(states, last if kind == "lstm" else [last]):
        results[f"{s}_n"] = value
    cost = 0
    for key, value in results.items():
        arrays[key] = value.detach().numpy()
        arrays[f"{key}_grad"] = draw(rng, *value.shape)
        if key == "output":
            for b, length in enumerate(lengths):
                arrays["output_grad"][length:, b] = 0
        cost = cost + (value * torch.from_numpy(arrays[f"{key}_grad"])).sum()
    cost.backward()
    arrays["input_grad"] = x.grad.numpy()
    for key, p in net.named_parameters():
        arrays[f"{key}_grad"] = p.grad.numpy()
    for s, value in zip(states, given or []):
        arrays[f"{s}0_grad"] = value.grad.numpy()
    save(name, arrays)


# ---- ONNX: LSTM with peepholes, opset 14 -----------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def peephole_forward(v):
    """The operator as its specification has it (gates i, o, f, c): Y, Y_h, Y_c, and what the backward pass needs."""
    w, r, b, p = v["W"][0], v["R"][0], v["B"][0], v["P"][0]
    units = r.shape[1]
    bias = b[: 4 * units] + b[4 * units :]
    p_i, p_o, p_f = p[:units], p[units : 2 * units], p[2 * units :]
    h, c = v["initial_h"][0], v["initial_c"][0]
    ys, saved = [], []
    for t in range(v["X"].shape[0]):
        z = v["X"][t] @ w.T + h @ r.T + bias
        zi, zo, zf, zc = np.split(z, 4, axis=1)
        i, f, g = sigmoid(zi + p_i * c), sigmoid(zf + p_f * c), np.tanh(zc)
        c_new = f * c + i * g
        o = sigmoid(zo + p_o * c_new)
        h_new = o * np.tanh(c_new)
        on = (t < v["lengths"])[:, None]
        saved.append((on, h, c, i, o, f, g, c_new))
        ys.append(np.where(on, h_new, 0))
        h, c = np.where(on, h_new, h), np.where(on, c_new, c)
    return np.stack(ys)[:, None], h[None], c[None], saved


def peephole_backward(v, y_adj, h_adj, c_adj):
    """By hand, step by step; compared with central differences below."""
    w, r, p = v["W"][0], v["R"][0], v["P"][0]
    units = r.shape[1]
    p_i, p_o, p_f = p[:units], p[units : 2 * units], p[2 * units :]
    saved = peephole_forward(v)[3]
    out = {k: np.zeros_like(v[k]) for k in ["X", "W", "R", "B", "P"]}
    dh, dc = h_adj[0].copy(), c_adj[0].copy()
    for t in reversed(range(len(saved))):
        on, h, c, i, o, f, g, c_new = saved[t]
        dh_t = np.where(on, dh + y_adj[t, 0], 0)
        tanh_c = np.tanh(c_new)
        zo = dh_t * tanh_c * o * (1 - o)
        dc_t = np.where(on, dc, 0) + dh_t * o * (1 - tanh_c**2) + zo * p_o
        zi, zf, zc = dc_t * g * i * (1 - i), dc_t * c * f * (1 - f), dc_t * i * (1 - g**2)
        z = np.concatenate([zi, zo, zf, zc], axis=1)
        out["X"][t] = z @ w
        out["W"][0] += z.T @ v["X"][t]
        out["R"][0] += z.T @ h
        out["B"][0] += np.tile(z.sum(0), 2)
        out["P"][0] += np.concatenate([(zi * c).sum(0), (zo * c_new).sum(0), (zf * c).sum(0)])
        dh = np.where(on, z @ r, dh)
        dc = np.where(on, dc_t * f + zi * p_i + zf * p_f, dc)
    return {**out, "initial_h": dh[None], "initial_c": dc[None]}


def onnx_case(name, lengths, start, seed):
    rng = np.random.default_rng(seed)
    v = {
        "X": draw(rng, STEPS, BATCH, INPUTS),
        "W": draw(rng, 1, 4 * UNITS, INPUTS),
        "R": draw(rng, 1, 4 * UNITS, UNITS),
        "B": draw(rng, 1, 8 * UNITS),
        "P": draw(rng, 1, 3 * UNITS),
        "initial_h": draw(rng, 1, BATCH, UNITS) * start,
        "initial_c": draw(rng, 1, BATCH, UNITS) * start,
        "lengths": np.array(lengths, np.int32),
    }
    names = ["X", "W", "R", "B", "lengths", "initial_h", "initial_c", "P"]
    kinds = {"lengths": TensorProto.INT32}
    graph = helper.make_graph(
        [helper.make_node("LSTM", names, ["Y", "Y_h", "Y_c"], hidden_size=UNITS)],
        "lstm",
        [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), v[n].shape) for n in names],
        [
            helper.make_tensor_value_info("Y", TensorProto.FLOAT, (STEPS, 1, BATCH, UNITS)),
            helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, (1, BATCH, UNITS)),
            helper.make_tensor_value_info("Y_c", TensorProto.FLOAT, (1, BATCH, UNITS)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {n: v[n] if n == "lengths" else v[n].astype(np.float32) for n in names}
    theirs = session.run(None, feed)
    ours = peephole_forward(v)[:3]
    for key, a, b in zip(["Y", "Y_h", "Y_c"], theirs, ours):
        # ONNX Runtime's own error in f32: its sigmoid and tanh are rational approximations.
        assert np.abs(a - b).max() < 3e-6, (key, np.abs(a - b).max())
    cotangents = [draw(rng, *y.shape) for y in ours]
    for b, length in enumerate(lengths):
        cotangents[0][length:, 0, b] = 0
    grads = peephole_backward(v, *cotangents)

    def cost(values):
        return sum((y * c).sum() for y, c in zip(peephole_forward(values)[:3], cotangents))

    for key, grad in grads.items():
        step, numeric = 1e-5, np.zeros_like(grad)
        for at in np.ndindex(grad.shape):
            moved = []
            for sign in [1, -1]:
                changed = {**v, key: v[key].copy()}
                changed[key][at] += sign * step
                moved.append(cost(changed))
            numeric[at] = (moved[0] - moved[1]) / (2 * step)
        assert np.abs(numeric - grad).max() < 1e-8, (key, np.abs(numeric - grad).max())
    arrays = dict(v)
    for key, theirs_, c in zip(["Y", "Y_h", "Y_c"], theirs, cotangents):
        arrays[key], arrays[f"{key}_grad"] = theirs_, c
    arrays |= {f"{key}_grad": grad for key, grad in grads.items()}
    save(name, arrays)


if __name__ == "__main__":
    whole = [STEPS] * BATCH
    for k, kind in enumerate(["lstm", "gru", "rnn_tanh", "rnn_relu"]):
        torch_case(f"torch_{kind}", kind, 1, whole, False, 10 * k)
        torch_case(f"torch_{kind}_start", kind, 1, whole, True, 10 * k + 1)
        torch_case(f"torch_{kind}_ragged", kind, 1, RAGGED, True, 10 * k + 2)
        torch_case(f"torch_{kind}_two_layers", kind, 2, RAGGED, True, 10 * k + 3)
    onnx_case("onnx_peephole", whole, 0, 100)
    onnx_case("onnx_peephole_ragged", RAGGED, 1, 101)
