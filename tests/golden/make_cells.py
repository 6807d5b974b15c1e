"""Writes `cell_*.npz` beside this file: further cells of the standard library, each computed by a published
implementation or, where there is none to install, by loops over PyTorch's own operations.

Run by hand, with torch, numpy, onnx, onnxruntime and, from PyPI, ncps 1.0.1, minGRU-pytorch 0.2.1 and xlstm 2.0.6 (their
files are enough). See README.md. The tests never run this.
"""

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper

HERE = Path(__file__).parent
T, B, I, H = 5, 3, 4, 5
torch.set_default_dtype(torch.float64)


def file_of(package, path):
    """One file of a package, without the package's own requirements."""
    where = importlib.util.find_spec(package).submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location(Path(path).stem, Path(where) / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw(rng, shape):
    return rng.uniform(-0.8, 0.8, shape).astype(np.float32).astype(np.float64)


def case(name, shapes, compute, extra=None, inside=None, positive=()):
    """`shapes`: of what is given, by our names. `compute`: from tensors to results by our names. `extra`: given without a
    gradient. `inside`: of each result, 1 at true points."""
    rng = np.random.default_rng(sum(map(ord, name)))
    given = {}
    for key, shape in shapes.items():
        value = draw(rng, shape)
        given[key] = torch.tensor(abs(value) + 0.25 if key in positive else value, requires_grad=True)
    results = compute(given)
    arrays = dict(extra or {})
    cost = 0
    for key, value in results.items():
        cotangent = draw(rng, value.shape)
        if inside is not None:
            cotangent = cotangent * inside
        arrays[key], arrays[f"{key}_grad"] = value.detach().numpy(), cotangent
        cost = cost + (value * torch.from_numpy(cotangent)).sum()
    cost.backward()
    for key, value in given.items():
        arrays[key], arrays[f"{key}_grad"] = value.detach().numpy(), value.grad.numpy()
    small = {k: v.astype(np.int32 if k == "edges" else np.float32) for k, v in arrays.items()}
    np.savez_compressed(HERE / f"cell_{name}.npz", **small)
    print(name, len(small))


def gates(letters, *kinds):
    """Shapes of families: `gates("fi", ("W", (5, 4)))`."""
    return {f"{kind}_{g}": shape for kind, shape in kinds for g in letters}


def steps(f, *sequences):
    """Results of `f` at each step, stacked."""
    return torch.stack([f(*values) for values in zip(*sequences)])


def lin(v, g, *operands):
    """`∑ M_g x + b_g` for pairs of a letter and a value."""
    return sum(x @ v[f"{m}_{g}"].T for m, x in operands) + v[f"b_{g}"]


# ---- ncps -------------------------------------------------------------------------------------------------


def cfc(v):
    from ncps.torch.cfc_cell import CfCCell

    cell = CfCCell(I, H, mode="default", backbone_units=6, backbone_layers=1)
    weights = {
        "backbone.0.weight": torch.cat([v["W_b"], v["U_b"]], 1),
        "backbone.0.bias": v["b_b"],
    }
    for theirs, ours in [("ff1", "g"), ("ff2", "q"), ("time_a", "ta"), ("time_b", "tb")]:
        weights[f"{theirs}.weight"], weights[f"{theirs}.bias"] = v[f"W_{ours}"], v[f"b_{ours}"]
    h = v["h0"]

    def step(x, dt):
        nonlocal h
        h, _ = torch.func.functional_call(cell, weights, (x, h, dt[:, None]))
        return h

    return {"h": steps(step, v["x"], v["dt"])}


def ltc(v):
    from ncps.torch.ltc_cell import LTCCell
    from ncps.wirings import FullyConnected

    cell = LTCCell(FullyConnected(H), I, ode_unfolds=4, implicit_param_constraints=True)
    ones = {"sparsity_mask": (H, H), "sensory_sparsity_mask": (I, H)}
    cell._params.update({k: torch.ones(shape) for k, shape in ones.items()})
    for theirs, ours in [("w", "w"), ("sigma", "sg"), ("mu", "μ"), ("erev", "E")]:
        cell._params[theirs] = v[ours].T
        cell._params[f"sensory_{theirs}"] = v[f"{ours}_in"].T
    cell._params.update(gleak=v["g"], cm=v["cm"], vleak=v["v_leak"])
    s = v["v0"]

    def step(x, dt):
        nonlocal s
        _, s = cell(x, s, dt[:, None])
        return s

    return {"v": steps(step, v["x"], v["dt"])}


# ---- minGRU-pytorch ---------------------------------------------------------------------------------------


def minimal(name, letters):
    def compute(v):
        from minGRU_pytorch.minGRU import minGRU
        from minGRU_pytorch.minLSTM import minLSTM

        cell = {"minGRU": minGRU, "minLSTM": minLSTM}[name](H)
        (key, _), = cell.named_parameters()
        weights = {key: torch.cat([v[f"W_{g}"] for g in letters])}
        out = torch.func.functional_call(cell, weights, (v["x"].transpose(0, 1),))
        return {"h": out.transpose(0, 1)}

    return compute


# ---- xlstm ------------------------------------------------------------------------------------------------


def slstm_of_xlstm(v):
    point = file_of("xlstm", "blocks/slstm/src/vanilla/slstm.py").slstm_forward_pointwise
    state = torch.stack([v[f"{k}0"] for k in "hcnm"])
    stack = lambda m: torch.cat([v[f"{m}_{g}"] for g in "ifzo"])

    def step(x):
        nonlocal state
        state, _ = point(x @ stack("W").T, state[0] @ stack("U").T, stack("b")[None], state, {})
        return state[0]

    return {"h": steps(step, v["x"])}


def mlstm_of_xlstm(v):
    # The package imports others that one step does not need.
    source = file_of("xlstm", "blocks/mlstm/backends.py")
    c, n = torch.zeros(B, 1, H, H), torch.zeros(B, 1, H, 1)
    m = torch.full((B, 1, 1, 1), -torch.inf)

    def step(x):
        nonlocal c, n, m
        head = lambda a: a[:, None, None, :].clone()
        q = x @ v["W_q"].T + v["b_q"]
        # Their key is scaled as a whole.
        k = x @ v["W_k"].T + v["b_k"] * H**0.5
        i, f = (x @ v[f"w_{g}"] + v[f"b_{g}"] for g in "if")
        value = x @ v["W_v"].T + v["b_v"]
        gate = lambda a: a[:, None, None, None]
        h, (c, n, m) = source.recurrent_step_stabilized_simple(
            c, n, m, head(q), head(k), head(value), gate(i), gate(f), eps=0.0
        )
        return torch.sigmoid(x @ v["W_o"].T + v["b_o"]) * h[:, 0, 0]

    return {"h": steps(step, v["x"])}


# ---- ONNX Runtime -----------------------------------------------------------------------------------------


def gru_before(v):
    """The operator GRU with linear_before_reset = 0; its specification once more in torch, for the gradient."""
    h = v["h0"]

    def step(x):
        nonlocal h
        z, r = (torch.sigmoid(lin(v, g, ("W", x), ("U", h))) for g in "zr")
        h = (1 - z) * torch.tanh(lin(v, "h", ("W", x), ("U", r * h))) + z * h
        return h

    out = steps(step, v["x"])
    n = {k: a.detach().numpy().astype(np.float32) for k, a in v.items()}
    stack = lambda m: np.concatenate([n[f"{m}_{g}"] for g in "zrh"])
    feed = {
        "X": n["x"],
        "W": stack("W")[None],
        "R": stack("U")[None],
        "B": np.concatenate([stack("b"), 0 * stack("b")])[None],
        "initial_h": n["h0"][None],
    }
    inputs = ["X", "W", "R", "B", "", "initial_h"]
    node = helper.make_node("GRU", inputs, ["Y"], hidden_size=H, linear_before_reset=0)
    values = [helper.make_tensor_value_info(k, TensorProto.FLOAT, a.shape) for k, a in feed.items()]
    y = helper.make_tensor_value_info("Y", TensorProto.FLOAT, [T, 1, B, H])
    model = helper.make_model(
        helper.make_graph([node], "gru", values, [y]), opset_imports=[helper.make_opsetid("", 14)], ir_version=8
    )
    onnx.checker.check_model(model)
    theirs = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)[0][:, 0]
    assert np.abs(theirs - out.detach().numpy()).max() < 2e-6
    return {"h": out}


# ---- PyTorch's operations ---------------------------------------------------------------------------------


def convlstm(v):
    rows, columns = v["v"].shape[1:3]
    h = c = torch.zeros(B, H, rows, columns)

    def conv(m, g, maps):
        return F.conv2d(maps, v[f"{m}_{g}"].permute(2, 3, 0, 1), padding=1)

    def step(maps):
        nonlocal h, c
        maps = maps.permute(2, 3, 0, 1)
        z = {g: conv("W", g, maps) + conv("U", g, h) + v[f"b_{g}"][:, None, None] for g in "ifro"}
        c = torch.sigmoid(z["f"]) * c + torch.sigmoid(z["i"]) * torch.tanh(z["r"])
        h = torch.sigmoid(z["o"]) * torch.tanh(c)
        return h.permute(2, 3, 0, 1)

    return {"h": steps(step, v["v"])}


def layernorm_lstm(v):
    h, c = v["h0"], v["c0"]
    norm = lambda a, k: F.layer_norm(a, a.shape[-1:], v[f"g_{k}"], v[f"s_{k}"], 1e-5)

    def step(x):
        nonlocal h, c
        f, i, o, r = (norm(x @ v["W"].T, "x") + norm(h @ v["U"].T, "h") + v["b"]).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(r)
        h = torch.sigmoid(o) * torch.tanh(norm(c, "c"))
        return h

    return {"h": steps(step, v["x"])}


def qrnn(v):
    width = v["W_z"].shape[0]
    padded = F.pad(v["x"].permute(1, 2, 0), (width - 1, 0))
    conv = lambda g: F.conv1d(padded, v[f"W_{g}"].flip(0).permute(1, 2, 0), v[f"b_{g}"]).permute(2, 0, 1)
    c = v["c0"]

    def step(z, f, o):
        nonlocal c
        c = torch.sigmoid(f) * c + (1 - torch.sigmoid(f)) * torch.tanh(z)
        return torch.sigmoid(o) * c

    return {"h": steps(step, conv("z"), conv("f"), conv("o"))}


def mdlstm(v):
    rows, columns = v["x"].shape[:2]
    h, c = {}, {}
    zero = torch.zeros(B, H)
    for i in range(rows):
        for j in range(columns):
            x = v["x"][i, j]
            hs = [h.get((i - 1, j), zero), h.get((i, j - 1), zero)]
            cs = [c.get((i - 1, j), zero), c.get((i, j - 1), zero)]
            pre = lambda g: x @ v[f"W_{g}"].T + sum(y @ u.T for y, u in zip(hs, v[f"U_{g}"])) + v[f"b_{g}"]
            f = [
                x @ v["W_f"][d].T + sum(hs[e] @ v["U_f"][d, e].T for e in range(2)) + v["p_f"][d] * cs[d] + v["b_f"][d]
                for d in range(2)
            ]
            old = sum(torch.sigmoid(f[d]) * cs[d] for d in range(2))
            new = torch.sigmoid(pre("i") + v["p_i"] * (cs[0] + cs[1])) * torch.tanh(pre("c")) + old
            h[i, j] = torch.sigmoid(pre("o") + v["p_o"] * new) * torch.tanh(new)
            c[i, j] = new
    return {"h": torch.stack([torch.stack([h[i, j] for j in range(columns)]) for i in range(rows)])}


def gridlstm(v):
    """Two dimensions, time and depth, without priority."""
    depths, zero = 2, torch.zeros(B, H)
    time = [(zero, zero)] * depths
    out = []
    for x in v["x"]:
        depth = (x @ v["E_h"].T, x @ v["E_m"].T)
        for l in range(depths):
            both = torch.cat([time[l][0], depth[0]], 1)
            new = []
            for n, (_, m) in enumerate([time[l], depth]):
                a = {g: both @ v[f"W_{g}"][n].T + v[f"b_{g}"][n] for g in "ufoc"}
                m = torch.sigmoid(a["f"]) * m + torch.sigmoid(a["u"]) * torch.tanh(a["c"])
                new.append((torch.tanh(torch.sigmoid(a["o"]) * m), m))
            time[l], depth = new
        out.append(depth[0])
    return {"y": torch.stack(out)}


def matchlstm(v):
    state = torch.zeros(B, H), torch.zeros(B, H)
    stack = lambda m: torch.cat([v[f"m.{m}_{g}"] for g in "ifro"])
    cell = torch.nn.LSTMCell(2 * I, H)
    weights = {"weight_ih": stack("W"), "weight_hh": stack("U"), "bias_ih": stack("b"), "bias_hh": 0 * stack("b")}
    keys = torch.cat([v["hs"], torch.zeros(1, B, I)])

    def step(x):
        nonlocal state
        query = x @ v["W_t"].T + state[0] @ v["W_m"].T
        weight = torch.softmax(torch.tanh(keys @ v["W_s"].T + query) @ v["w_e"], 0)
        context = torch.einsum("kb,kbd->bd", weight, keys)
        state = torch.func.functional_call(cell, weights, (torch.cat([context, x], 1), state))
        return state[0]

    return {"h": steps(step, v["ht"])}


# Of each example and node the children, before their parent; −1: none.
TREES = [
    [[-1, -1], [-1, -1], [0, 1], [-1, -1], [2, 3]],
    [[-1, -1], [-1, -1], [-1, -1], [1, 2], [0, 3], [4, -1]],
    [[-1, -1]],
]
NODES = max(map(len, TREES))
EDGES = np.array([tree + [[-2, -2]] * (NODES - len(tree)) for tree in TREES])
INSIDE = np.array([[k < len(tree) for tree in TREES] for k in range(NODES)])[:, :, None].astype(float)


def on_trees(node):
    """`node(v, x, [(h, c) of each edge, or None])` gives h and c."""

    def compute(v):
        rows = []
        for b, tree in enumerate(TREES):
            done = []
            for k, edges in enumerate(tree):
                done.append(node(v, v["x"][k, b], [done[e] if e >= 0 else None for e in edges]))
            rows.append(torch.stack([h for h, _ in done] + [torch.zeros(H)] * (NODES - len(tree))))
        return {"h": torch.stack(rows, 1)}

    return compute


def child_sum(v, x, children):
    children = [c for c in children if c]
    total = sum((h for h, _ in children), torch.zeros(H))
    i, o = (torch.sigmoid(lin(v, g, ("W", x), ("U", total))) for g in "io")
    c = i * torch.tanh(lin(v, "u", ("W", x), ("U", total)))
    for h, m in children:
        c = c + torch.sigmoid(lin(v, "f", ("W", x), ("U", h))) * m
    return o * torch.tanh(c), c


def nary(v, x, children):
    zero = torch.zeros(H)
    children = [c or (zero, zero) for c in children]
    pre = lambda g: v[f"W_{g}"] @ x + v[f"b_{g}"] + sum(u @ h for u, (h, _) in zip(v[f"U_{g}"], children))
    c = torch.sigmoid(pre("i")) * torch.tanh(pre("u"))
    for k, (_, m) in enumerate(children):
        f = v["W_f"] @ x + v["b_f"] + sum(v["U_f"][k, l] @ h for l, (h, _) in enumerate(children))
        c = c + torch.sigmoid(f) * m
    return torch.sigmoid(pre("o")) * torch.tanh(c), c


def slstm(v, x, children):
    if not any(children):
        c = v["W_leaf"] @ x + v["b_leaf"]
        return torch.tanh(c), c
    zero = torch.zeros(H)
    (hl, cl), (hr, cr) = (c or (zero, zero) for c in children)
    hidden = lambda g: v[f"U_{g}_L"] @ hl + v[f"U_{g}_R"] @ hr + v[f"b_{g}"]
    gate = lambda g: torch.sigmoid(hidden(g) + v[f"V_{g}_L"] @ cl + v[f"V_{g}_R"] @ cr)
    c = gate("fL") * cl + gate("fR") * cr + gate("i") * torch.tanh(hidden("x"))
    return torch.sigmoid(hidden("o") + v["V_o"] @ c) * torch.tanh(c), c


def main():
    x, square, start = (T, B, I), (H, H), (B, H)
    inputs = {"x": x}
    timed = {"x": x, "dt": (T, B)}
    heads = {f"W_{g}": (H, 6) for g in ["g", "q", "ta", "tb"]} | {f"b_{g}": (H,) for g in ["g", "q", "ta", "tb"]}
    case("cfc", timed | heads | {"W_b": (6, I), "U_b": (6, H), "b_b": (6,), "h0": start}, cfc, positive=["dt"])
    synapses = {f"{k}": square for k in ["w", "sg", "μ", "E"]} | {f"{k}_in": (H, I) for k in ["w", "sg", "μ", "E"]}
    case("ltc", timed | synapses | {"g": (H,), "cm": (H,), "v_leak": (H,), "v0": start}, ltc, positive=["dt"])
    for name, letters in [("minGRU", "hz"), ("minLSTM", "hfi")]:
        without = {f"b_{g}": np.zeros(H) for g in letters}
        case(name, {"x": (T, B, H)} | gates(letters, ("W", square)), minimal(name, letters), extra=without)
    weights = [("W", (H, I)), ("U", square), ("b", (H,))]
    # From a state that is not 0: from 0 on the bias of i has no effect.
    given = {f"{k}0": start for k in "hcnm"}
    case("xlstm_s", inputs | given | gates("zifo", *weights), slstm_of_xlstm, positive=["n0"])
    per_gate = {"w_i": (I,), "w_f": (I,), "b_i": (), "b_f": ()}
    case("xlstm_m", inputs | gates("qkvo", ("W", (H, I)), ("b", (H,))) | per_gate, mlstm_of_xlstm)
    case("gru_before", inputs | {"h0": start} | gates("zrh", *weights), gru_before)
    maps = gates("ifro", ("W", (3, 3, H, I)), ("U", (3, 3, H, H)), ("b", (H,)))
    case("convlstm", {"v": (3, 3, 4, B, I)} | maps, convlstm)
    norms = {f"{a}_{k}": (4 * H if k != "c" else H,) for a in "gs" for k in "xhc"}
    full = {"W": (4 * H, I), "U": (4 * H, H), "b": (4 * H,), "h0": start, "c0": start}
    case("layernorm", inputs | full | norms, layernorm_lstm)
    case("qrnn", inputs | {"c0": start} | gates("zfo", ("W", (3, H, I)), ("b", (H,))), qrnn)
    plane = gates("ico", ("W", (H, I)), ("U", (2, H, H)), ("b", (H,))) | {"p_i": (H,), "p_o": (H,)}
    forget = {"W_f": (2, H, I), "U_f": (2, 2, H, H), "p_f": (2, H), "b_f": (2, H)}
    case("mdlstm", {"x": (3, 4, B, I)} | plane | forget, mdlstm)
    blocks = {"E_h": (H, I), "E_m": (H, I)} | gates("ufoc", ("W", (2, H, 2 * H)), ("b", (2, H)))
    case("gridlstm", inputs | blocks, gridlstm)
    look = {"hs": (4, B, I), "ht": x, "W_s": (I, I), "W_t": (I, I), "W_m": (I, H), "w_e": (I,)}
    inner = {f"m.{k}": s for k, s in gates("ifro", ("W", (H, 2 * I)), ("U", square), ("b", (H,))).items()}
    case("matchlstm", look | inner, matchlstm)
    tree = {"extra": {"edges": EDGES}, "inside": INSIDE}
    nodes = {"x": (NODES, B, I)}
    case("treelstm", nodes | gates("ifou", *weights), on_trees(child_sum), **tree)
    arms = {"U_f": (2, 2, H, H)} | gates("iou", ("U", (2, H, H)))
    case("nary", nodes | gates("ifou", ("W", (H, I)), ("b", (H,))) | arms, on_trees(nary), **tree)
    sides = {f"U_{g}_{s}": square for g in ["i", "fL", "fR", "x", "o"] for s in "LR"}
    sides |= {f"V_{g}_{s}": square for g in ["i", "fL", "fR"] for s in "LR"} | {"V_o": square}
    biases = {f"b_{g}": (H,) for g in ["i", "fL", "fR", "x", "o", "leaf"]}
    case("slstm", nodes | sides | biases | {"W_leaf": (H, I)}, on_trees(slstm), **tree)


if __name__ == "__main__":
    main()
