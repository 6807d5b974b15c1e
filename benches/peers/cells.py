"""The cells of the table, as a user of PyTorch or JAX would write them.

A cell is three functions over an array library `m` (`Torch` or `Jax` below): `inputs` computes what needs no state, for all
steps at once; `step` goes from one state to the next; the state's first part is what the cell gives out. Weights are
packed: one array for all products that share an operand. Rows are examples, so a product is `x @ W` with `W` [in, out].
"""

from dataclasses import dataclass
from typing import Callable

import numpy as np

MADE_UP = "made_up.rnn"


@dataclass
class Cell:
    name: str
    recipe: str  # with {I} and {H}
    params: Callable  # (I, H) -> {name in rnnc: shape}
    pack: Callable  # {name in rnnc: array} -> {name: packed array}; linear, so gradients are packed the same way
    inputs: Callable  # (m, w, x [T, B, I]) -> [T, B, G]
    step: Callable  # (m, w, z [B, G], state) -> state
    states: int = 2
    file: str | None = None  # beside the folder of this file
    ready: str | None = None  # the library's own name for it


def rows(p, name, words, end=""):
    """Families of rnnc [out, in], side by side as [in, out]."""
    return np.concatenate([p[f"{name}_{w}{end}"] for w in words]).T.copy()


def flat(p, name, words):
    return np.concatenate([p[f"{name}_{w}"] for w in words])


def gates(words, I, H, extra=None):
    shapes = {}
    for w in words:
        shapes |= {f"W_{w}": (H, I), f"U_{w}": (H, H), f"b_{w}": (H,)}
    return shapes | (extra or {})


def linear(m, w, x):
    return m.affine(x, w["W"], w["b"])


def parts(a, n):
    """The last axis in n equal parts, as views."""
    width = a.shape[-1] // n
    return [a[..., k * width : (k + 1) * width] for k in range(n)]


# --- LSTM and its kin ------------------------------------------------------------------------------------------------


def lstm_pack(words):
    return lambda p: {"W": rows(p, "W", words), "U": rows(p, "U", words), "b": flat(p, "b", words)}


def lstm_step(m, w, z, state):
    h, c = state
    a = m.add_product(z, h, w["U"])
    s, r = m.sigmoid(a[..., : 3 * c.shape[-1]]), m.tanh(a[..., 3 * c.shape[-1] :])
    f, i, o = parts(s, 3)
    c = f * c + i * r
    return o * m.tanh(c), c


def cifg_step(m, w, z, state):
    h, c = state
    a = m.add_product(z, h, w["U"])
    s, r = m.sigmoid(a[..., : 2 * c.shape[-1]]), m.tanh(a[..., 2 * c.shape[-1] :])
    f, o = parts(s, 2)
    c = r + f * (c - r)
    return o * m.tanh(c), c


def peephole_pack(p):
    return lstm_pack("fior")(p) | {"p": flat(p, "p", "fi"), "p_o": p["p_o"]}


def peephole_step(m, w, z, state):
    h, c = state
    H = c.shape[-1]
    a = m.add_product(z, h, w["U"])
    f, i = parts(m.sigmoid(a[..., : 2 * H] + m.cat([c, c]) * w["p"]), 2)
    c = f * c + i * m.tanh(a[..., 3 * H :])
    o = m.sigmoid(a[..., 2 * H : 3 * H] + w["p_o"] * c)
    return o * m.tanh(c), c


# --- GRU -------------------------------------------------------------------------------------------------------------


def gru_before_pack(p):
    return {"W": rows(p, "W", "zrh"), "U": rows(p, "U", "zr"), "U_h": p["U_h"].T.copy(), "b": flat(p, "b", "zrh")}


def gru_before_step(m, w, z, state):
    (h,) = state
    H = h.shape[-1]
    u, r = parts(m.sigmoid(m.add_product(z[..., : 2 * H], h, w["U"])), 2)
    new = m.tanh(m.add_product(z[..., 2 * H :], r * h, w["U_h"]))
    return (h + u * (new - h),)


def gru_after_pack(p):
    zeros = np.zeros_like(p["c_h"])
    return {
        "W": rows(p, "W", "zrh"),
        "U": rows(p, "U", "zrh"),
        "b": flat(p, "b", "zrh"),
        "c": np.concatenate([zeros, zeros, p["c_h"]]),
    }


def gru_after_step(m, w, z, state):
    (h,) = state
    H = h.shape[-1]
    a = m.affine(h, w["U"], w["c"])
    u, r = parts(m.sigmoid(z[..., : 2 * H] + a[..., : 2 * H]), 2)
    new = m.tanh(z[..., 2 * H :] + r * a[..., 2 * H :])
    return (h + u * (new - h),)


# --- multiplicative, normalised, made up -----------------------------------------------------------------------------


def mult_params(I, H):
    shapes = {"W_mx": (H, I), "W_mh": (H, H)}
    for w in "hiof":
        shapes |= {f"W_{w}x": (H, I), f"W_{w}m": (H, H), f"b_{w}": (H,)}
    return shapes


def mult_pack(p):
    return {
        "W": np.concatenate([p["W_mx"].T, rows(p, "W", "fioh", "x")], axis=1),
        "b": np.concatenate([np.zeros_like(p["b_f"]), flat(p, "b", "fioh")]),
        "M": p["W_mh"].T.copy(),
        "U": rows(p, "W", "fioh", "m"),
    }


def mult_step(m, w, z, state):
    h, c = state
    H = c.shape[-1]
    return lstm_step(m, w, z[..., H:], (z[..., :H] * (h @ w["M"]), c))


def norm_params(I, H):
    shapes = {"W": (4 * H, I), "U": (4 * H, H), "b": (4 * H,), "g_c": (H,), "s_c": (H,)}
    return shapes | {name: (4 * H,) for name in ("g_x", "g_h", "s_x", "s_h")}


def norm_pack(p):
    return {name: a.T.copy() if name in ("W", "U") else a for name, a in p.items()}


def norm_inputs(m, w, x):
    return m.normal(x @ w["W"], w["g_x"], w["s_x"]) + w["b"]


def norm_step(m, w, z, state):
    h, c = state
    H = c.shape[-1]
    a = z + m.normal(h @ w["U"], w["g_h"], w["s_h"])
    f, i, o = parts(m.sigmoid(a[..., : 3 * H]), 3)
    c = f * c + i * m.tanh(a[..., 3 * H :])
    return o * m.tanh(m.normal(c, w["g_c"], w["s_c"])), c


def made_up_params(I, H):
    R = H // 2
    shapes = {"D": (R, H), "U": (H, H), "A_k": (H, R), "A_g": (H, R)}
    for w in "kgr":
        shapes |= {f"W_{w}": (H, I), f"b_{w}": (H,)}
    return shapes


def made_up_pack(p):
    return {
        "W": rows(p, "W", "kgr"),
        "b": flat(p, "b", "kgr"),
        "A": rows(p, "A", "kg"),
        "D": p["D"].T.copy(),
        "U": p["U"].T.copy(),
    }


def made_up_step(m, w, z, state):
    h, c = state
    H = c.shape[-1]
    k, g = parts(m.add_product(z[..., : 2 * H], h @ w["D"], w["A"]), 2)
    k, g = m.sigmoid(k), 1 - m.exp(-g * g)
    c = k * c + g * m.tanh(m.add_product(z[..., 2 * H :], g * h, w["U"]))
    return g * m.tanh(c), c


CELLS = [
    Cell("LSTM", "LSTM({I}, {H})", lambda I, H: gates("fior", I, H), lstm_pack("fior"), linear, lstm_step, ready="LSTM"),
    Cell("GRU", "GRU({I}, {H})", lambda I, H: gates("zrh", I, H), gru_before_pack, linear, gru_before_step, 1),
    Cell(
        "GRU, reset after",
        "GRU({I}, {H}, reset = after)",
        lambda I, H: gates("zrh", I, H, {"c_h": (H,)}),
        gru_after_pack,
        linear,
        gru_after_step,
        1,
        ready="GRU",
    ),
    Cell("CIFG", "CIFG({I}, {H})", lambda I, H: gates("for", I, H), lstm_pack("for"), linear, cifg_step),
    Cell(
        "PeepholeLSTM",
        "PeepholeLSTM({I}, {H})",
        lambda I, H: gates("fior", I, H, {f"p_{w}": (H,) for w in "fio"}),
        peephole_pack,
        linear,
        peephole_step,
    ),
    Cell("MultLSTM", "MultLSTM({I}, {H})", mult_params, mult_pack, linear, mult_step),
    Cell("LayerNormLSTM", "LayerNormLSTM({I}, {H})", norm_params, norm_pack, norm_inputs, norm_step),
    Cell("made up", "Estuary({I}, {H})", made_up_params, made_up_pack, linear, made_up_step, file=MADE_UP),
]


def draw(cell, I, H, seed=0):
    """Weights under rnnc's names."""
    random = np.random.default_rng(seed)
    bound = H**-0.5
    shapes = cell.params(I, H)
    return {name: random.uniform(-bound, bound, shape).astype(np.float32) for name, shape in shapes.items()}


class Torch:
    """What cells are written with, in PyTorch."""

    import torch

    sigmoid, tanh, exp, cat = torch.sigmoid, torch.tanh, torch.exp, lambda a: Torch.torch.cat(a, -1)

    @staticmethod
    def affine(x, w, b):
        if x.dim() == 2:
            return Torch.torch.addmm(b, x, w)
        return Torch.torch.addmm(b, x.flatten(0, -2), w).unflatten(0, x.shape[:-1])

    @staticmethod
    def add_product(z, x, w):
        return Torch.torch.addmm(z, x, w)

    @staticmethod
    def normal(x, g, s):
        return Torch.torch.nn.functional.layer_norm(x, x.shape[-1:], g, s, 1e-5)


class Jax:
    """The same in JAX."""

    import jax
    import jax.numpy as jnp

    sigmoid, tanh, exp, cat = jax.nn.sigmoid, jnp.tanh, jnp.exp, lambda a: Jax.jnp.concatenate(a, -1)

    @staticmethod
    def affine(x, w, b):
        return x @ w + b

    @staticmethod
    def add_product(z, x, w):
        return z + x @ w

    @staticmethod
    def normal(x, g, s):
        mean = x.mean(-1, keepdims=True)
        centred = x - mean
        scale = Jax.jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5)
        return centred * scale * g + s
