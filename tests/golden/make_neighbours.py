"""Writes further `cell_*.npz` beside this file: neighbours of the classic cells, and what scans in more than one direction.

Run by hand, like `make_cells.py`, with torch, numpy and, from PyPI, torchrecurrent 0.2.5, sru 2.6.0,
haste-pytorch-cpu 0.5.5 and pytorch-tree-lstm 0.1.3. See README.md. The tests never run this.
"""

import sys
import types

import numpy as np
import torch
import torch.nn.functional as F
from make_cells import EDGES, INSIDE, NODES, TREES, B, H, I, T, case, gates, lin, steps

# ---- torchrecurrent ---------------------------------------------------------------------------------------


def of_torchrecurrent(kind, weights, start=("h",), **options):
    """`weights`: from our arrays to theirs. The cell gives its state or a pair of states, h first."""

    def compute(v):
        import torchrecurrent

        cell = getattr(torchrecurrent, kind)(v["x"].shape[2], v[f"{start[0]}0"].shape[1], **options)
        theirs = weights(v)
        # Their recurrent biases are added to the others.
        zero = {k: torch.zeros_like(p) for k, p in cell.named_parameters() if "bias" in k and k not in theirs}
        state = tuple(v[f"{s}0"] for s in start)
        state = state if len(start) > 1 else state[0]

        def step(x):
            nonlocal state
            state = torch.func.functional_call(cell, theirs | zero, (x, state))
            return state[0] if isinstance(state, tuple) else state

        return {"h": steps(step, v["x"])}

    return compute


def packed(letters, **more):
    """Theirs by ours, for gates stacked in this order."""

    def weights(v):
        stack = lambda m: torch.cat([v[f"{m}_{g}"] for g in letters])
        return {"weight_ih": stack("W"), "weight_hh": stack("U"), "bias_ih": stack("b")} | more

    return weights


def plain(v):
    return {"weight_ih": v["W"], "bias_ih": v["b"]} | ({"vector_u": v["u"]} if "u" in v else {"weight_hh": v["U"]})


def gated(v):
    return {
        "weight_ih": torch.cat([v["W_z"], v["W"]]),
        "weight_hh": v["U"],
        "bias_ih": torch.cat([v["b_z"], v["b"]]),
    }


def additive(v):
    return {
        "weight_ih": torch.cat([v["W_c"], v["W_i"], v["W_f"]]),
        "weight_hh": torch.cat([v["U_i"], v["U_f"]]),
        "bias_ih": torch.cat([v["b_i"], v["b_f"]]),
    }


def multiplicative(v):
    return {
        "weight_ih": torch.cat([v["W_mx"]] + [v[f"W_{g}x"] for g in "ifho"]),
        "weight_hh": v["W_mh"],
        "weight_mh": torch.cat([v[f"W_{g}m"] for g in "ifho"]),
        "bias_mh": torch.cat([v[f"b_{g}"] for g in "ifho"]),
    }


# ---- sru --------------------------------------------------------------------------------------------------


def sru(v):
    """Their recurrence in Python; with it comes a build in C++, which is not wanted."""
    import torch.utils.cpp_extension

    torch.utils.cpp_extension.load = lambda **_: None
    sys.modules.setdefault("sru.cuda_functional", types.SimpleNamespace(elementwise_recurrence_forward=None))
    script, torch.jit.script = torch.jit.script, lambda f: f
    from sru.ops import elementwise_recurrence_naive

    torch.jit.script = script
    products = torch.stack([v["x"] @ v[f"W{g}"].T for g in ["", "_f", "_r"]], -1)
    gates_of = lambda m: torch.cat([v[f"{m}_f"], v[f"{m}_r"]])
    first = "v_f" not in v
    h, _ = elementwise_recurrence_naive(
        products.reshape(T, B, -1),
        v["x"],
        torch.zeros(2 * H) if first else gates_of("v"),
        gates_of("b"),
        v["c0"],
        int(first),
        H,
        False,
        True,
    )
    return {"h": h}


# ---- haste ------------------------------------------------------------------------------------------------


def haste_layernorm(v):
    from haste_pytorch.layer_norm_lstm import LayerNormLSTMScript

    # Rows: ours f, i, o, r; theirs i, g, f, o.
    rows = lambda a: torch.cat([a.chunk(4)[k] for k in (1, 3, 0, 2)])
    gains = torch.stack([rows(v["g_x"]), rows(v["g_h"])])
    h, _ = LayerNormLSTMScript(
        False, 0.0, v["x"], v["h0"], v["c0"], rows(v["W"]).T, rows(v["U"]).T, rows(v["b"]), gains, v["g_c"], v["s_c"], None
    )
    return {"h": h[1:]}


def haste_zoneout(v):
    from haste_pytorch.lstm import LSTMScript

    stack = lambda m: torch.cat([v[f"z.{m}_{g}"] for g in "irfo"])
    h, _ = LSTMScript(False, 0.25, v["x"], v["h0"], v["c0"], stack("W").T, stack("U").T, stack("b"), None)
    return {"h": h[1:]}


# ---- pytorch-tree-lstm ------------------------------------------------------------------------------------


def trees(v):
    from treelstm import TreeLSTM, calculate_evaluation_orders

    cell = TreeLSTM(I, H)
    stack = lambda m: torch.cat([v[f"{m}_{g}"] for g in "iou"])
    weights = {"W_iou.weight": stack("W"), "W_iou.bias": stack("b"), "U_iou.weight": stack("U")}
    weights |= {"W_f.weight": v["W_f"], "W_f.bias": v["b_f"], "U_f.weight": v["U_f"]}
    rows = []
    for b, tree in enumerate(TREES):
        edges = np.array([[k, e] for k, of in enumerate(tree) for e in of if e >= 0], int).reshape(-1, 2)
        orders = calculate_evaluation_orders(edges, len(tree))
        nodes, order = (torch.from_numpy(o) for o in orders)
        given = (v["x"][: len(tree), b], nodes, torch.from_numpy(edges), order)
        h, _ = torch.func.functional_call(cell, weights, given)
        rows.append(F.pad(h, (0, 0, 0, NODES - len(tree))))
    return {"h": torch.stack(rows, 1)}


# ---- loops over cells and operations of PyTorch -----------------------------------------------------------


def peephole(v, prefix=""):
    """One step of the LSTM whose gates see the cell."""
    w = {k.removeprefix(prefix): a for k, a in v.items() if k.startswith(prefix)}

    def step(x, h, c):
        pre = lambda g: lin(w, g, ("W", x), ("U", h))
        i, f = (torch.sigmoid(pre(g) + w[f"p_{g}"] * c) for g in "if")
        c = f * c + i * torch.tanh(pre("r"))
        return torch.sigmoid(pre("o") + w["p_o"] * c) * torch.tanh(c), c

    return step


def published_peephole(v, prefix):
    """The same from torchrecurrent."""
    from torchrecurrent import PeepholeLSTMCell

    stack = lambda m, letters="ifro": torch.cat([v[f"{prefix}{m}_{g}"] for g in letters])
    weights = {"weight_ih": stack("W"), "weight_hh": stack("U"), "bias_ih": stack("b")}
    weights |= {"weight_ph": stack("p", "ifo"), "bias_hh": torch.zeros(stack("b").shape[0])}
    cell = PeepholeLSTMCell(weights["weight_ih"].shape[1], weights["weight_hh"].shape[1])
    return lambda x, h, c: torch.func.functional_call(cell, weights, (x, (h, c)))


def phased(v):
    """The published gate of time around the peephole LSTM; `%` of PyTorch is never negative here."""
    step, h, c = peephole(v), v["h0"], v["c0"]
    period, shift, ratio = torch.exp(v["log_τ"]), v["s"], 0.5

    def phase(x, time):
        nonlocal h, c
        φ = torch.remainder(time[:, None] - shift, period) / period
        k = torch.where(φ < ratio / 2, 2 * φ / ratio, torch.where(φ < ratio, 2 - 2 * φ / ratio, 0 * φ))
        new_h, new_c = step(x, h, c)
        h, c = k * new_h + (1 - k) * h, k * new_c + (1 - k) * c
        return h

    return {"h": steps(phase, v["x"], v["time"])}


def frequency_time(v):
    """Chunks of three frequencies that share one, scanned at each step; then a scan over time."""
    over_frequency, over_time = published_peephole(v, "F."), published_peephole(v, "T.")
    h = c = torch.zeros(B, H)

    def step(x):
        nonlocal h, c
        q = r = torch.zeros(B, 2)
        found = []
        for chunk in x.unfold(1, 3, 2).unbind(1):
            q, r = over_frequency(chunk, q, r)
            found.append(q)
        h, c = over_time(torch.cat(found, 1), h, c)
        return h

    return {"T": steps(step, v["v"])}


def time_frequency(v):
    """Gates see the hidden state of the time before and of the chunk before, the cell its own past."""
    times, chunks = v["z"].shape[:2]
    zero = torch.zeros(B, H)
    h, c = {}, {}
    for t in range(times):
        for k in range(chunks):
            before, beside = h.get((t - 1, k), zero), h.get((t, k - 1), zero)
            pre = lambda g: lin(v, g, ("W", v["z"][t, k]), ("U", before), ("S", beside))
            old = c.get((t - 1, k), zero)
            i, f = (torch.sigmoid(pre(g) + v[f"p_{g}"] * old) for g in "if")
            c[t, k] = f * old + i * torch.tanh(pre("r"))
            h[t, k] = torch.sigmoid(pre("o") + v["p_o"] * c[t, k]) * torch.tanh(c[t, k])
    return {"h": torch.stack([torch.stack([h[t, k] for k in range(chunks)]) for t in range(times)])}


def plane(v):
    """A tanh network over rows and columns."""
    rows, columns = v["x"].shape[:2]
    h = {}
    for i in range(rows):
        for j in range(columns):
            near = [h.get((i - 1, j), torch.zeros(B, H)), h.get((i, j - 1), torch.zeros(B, H))]
            a = v["x"][i, j] @ v["W"].T + sum(y @ u.T for y, u in zip(near, v["U"])) + v["b"]
            h[i, j] = torch.tanh(a)
    return {"h": torch.stack([torch.stack([h[i, j] for j in range(columns)]) for i in range(rows)])}


def differential(v):
    """Order 2: differences by `torch.diff` of the cell's last values."""
    past = [v["s0"][:, k] for k in (2, 1, 0)]
    h = v["h0"]

    def differences(values):
        last = torch.stack(values[-3:])
        return [torch.diff(last, n=n, dim=0)[-1] if n else last[-1] for n in range(3)]

    def step(x):
        nonlocal h
        pre = lambda g, values: lin(v, g, ("W", x), ("U", h)) + sum(
            d @ m.T for d, m in zip(differences(values), v[f"V_{g}"])
        )
        i, f = (torch.sigmoid(pre(g, past)) for g in "if")
        past.append(f * past[-1] + i * torch.tanh(lin(v, "s", ("W", x), ("U", h))))
        h = torch.sigmoid(pre("o", past)) * torch.tanh(past[-1])
        return h

    return {"h": steps(step, v["x"])}


def highway(v):
    """Two micro-steps; without weights of its own the carry gate is what the other leaves."""
    s = torch.zeros(B, H)

    def step(x):
        nonlocal s
        for l in range(2):
            pre = lambda g: (x @ v[f"W_{g}"].T if l == 0 else 0) + s @ v[f"U_{g}"][l].T + v[f"b_{g}"][l]
            t = torch.sigmoid(pre("t"))
            s = torch.tanh(pre("h")) * t + s * (torch.sigmoid(pre("c")) if "U_c" in v else 1 - t)
        return s

    return {"h": steps(step, v["x"])}


def clockwork(v):
    """Two modules; the second runs at every other step, and the first reads both."""
    h = [torch.zeros(B, H), torch.zeros(B, H)]

    def step(t, x):
        nonlocal h
        module = lambda i: torch.tanh(
            x @ v["W"][i].T + sum(h[j] @ v["U"][i, j].T for j in range(i, 2)) + v["b"][i]
        )
        h = [module(i) if t % 2**i == 0 else h[i] for i in range(2)]
        return torch.cat(h, 1)

    return {"h": torch.stack([step(t, x) for t, x in enumerate(v["x"])])}


def main():
    x, square, start, unit = (T, B, I), (H, H), (B, H), (H,)
    inputs = {"x": x, "h0": start}
    weights = [("W", (H, I)), ("U", square), ("b", unit)]
    one = {"W": (H, I), "U": square, "b": unit}
    case("indrnn", inputs | {"W": (H, I), "u": unit, "b": unit}, of_torchrecurrent("IndRNNCell", plain, nonlinearity="relu"))
    beta = {"beta": torch.tensor(1.0)}
    case("janet", inputs | gates("fc", *weights), janet_of(packed("fc", **beta)))
    case("mgu", inputs | gates("fh", *weights), of_torchrecurrent("MGUCell", packed("fh")))
    case("ugrnn", inputs | gates("cg", *weights), of_torchrecurrent("UGRNNCell", packed("cg")))
    content = {"b_c": np.zeros(H)}
    ran = {"x": x, "h0": start, "c0": start, "W_c": (H, I)} | gates("if", *weights)
    case("ran", ran, of_torchrecurrent("RANCell", additive, ("h", "c")), extra=content)
    case("lstm1997", inputs | {"c0": start} | gates("iro", *weights), of_torchrecurrent("OriginalLSTMCell", packed("iro"), ("h", "c")))
    turned = dict(epsilon=0.1, gamma=0.01)
    case("antisymmetric", inputs | one, of_torchrecurrent("AntisymmetricRNNCell", plain, **turned))
    two = {"W_z": (H, I), "b_z": unit}
    case("antisymmetric_gated", inputs | one | two, of_torchrecurrent("GatedAntisymmetricRNNCell", gated, **turned))
    factors = {"W_mx": (H, I), "W_mh": square} | {f"W_{g}x": (H, I) for g in "ifho"}
    factors |= {f"W_{g}m": square for g in "ifho"} | {f"b_{g}": unit for g in "ifho"}
    case("mult_lstm", inputs | {"c0": start} | factors, of_torchrecurrent("MultiplicativeLSTMCell", multiplicative, ("h", "c")))
    for name, letters in [("rhn", "htc"), ("rhn_coupled", "ht")]:
        layers = gates(letters, ("W", (H, I)), ("U", (2, H, H)), ("b", (2, H)))
        case(name, {"x": x} | layers, highway)
    products = {"x": (T, B, H), "c0": start, "W": square} | gates("fr", ("W", square), ("b", unit))
    case("sru", products | gates("fr", ("v", unit)), sru)
    case("sru_first", products, sru)
    full = {"W": (4 * H, I), "U": (4 * H, H), "b": (4 * H,), "h0": start, "c0": start}
    norms = {"g_x": (4 * H,), "g_h": (4 * H,), "g_c": unit, "s_c": unit}
    without = {"s_x": np.zeros(4 * H), "s_h": np.zeros(4 * H)}
    case("layernorm_haste", inputs | full | norms, haste_layernorm, extra=without)
    inner = {f"z.{k}": s for k, s in gates("ifro", *weights).items()}
    case("zoneout", inputs | {"c0": start} | inner, haste_zoneout)
    tree = {"extra": {"edges": EDGES}, "inside": INSIDE}
    case("treelstm_published", {"x": (NODES, B, I)} | gates("ifou", *weights), trees, **tree)
    peeps = gates("ifo", ("p", unit))
    clock = {"time": (T, B), "log_τ": unit, "s": unit, "c0": start}
    case("phased", inputs | clock | gates("ifro", *weights) | peeps, phased)
    fewer = gates("ifro", ("W", (2, 3)), ("U", (2, 2)), ("b", (2,))) | gates("ifo", ("p", (2,)))
    later = gates("ifro", ("W", (H, 6)), ("U", square), ("b", unit)) | peeps
    scans = {f"F.{k}": s for k, s in fewer.items()} | {f"T.{k}": s for k, s in later.items()}
    case("ftlstm", {"v": (T, B, 7)} | scans, frequency_time)
    case("tflstm", {"z": (3, 4, B, I)} | gates("ifro", *weights, ("S", square)) | peeps, time_frequency)
    case("mdrnn", {"x": (3, 4, B, I), "W": (H, I), "U": (2, H, H), "b": unit}, plane)
    orders = {"s0": (B, 3, H)} | gates("ifo", ("V", (3, H, H)))
    case("drnn", inputs | gates("ifso", *weights) | orders, differential)
    modules = {"W": (2, H, I), "U": (2, 2, H, H), "b": (2, H)}
    case("clockwork", {"x": x} | modules, clockwork)


def janet_of(weights):
    """Their state is a pair of equals."""
    inner = of_torchrecurrent("JANETCell", weights, ("h", "c"))
    return lambda v: inner(v | {"c0": v["h0"]})


if __name__ == "__main__":
    main()
