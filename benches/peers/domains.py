"""Contestants over trees and grids, in PyTorch, as a good user batches them: all nodes of a level, all points of a front.

Both are written for weights under rnnc's names, stacked as the products want them; which rows a level or front reads is
worked out beforehand and costs nothing here.
"""

import numpy as np
import torch
import torch.nn.functional as F

from chains import torch_call


def draw(shapes, seed=0):
    random = np.random.default_rng(seed)
    return {n: random.uniform(-0.1, 0.1, s).astype(np.float32) for n, s in shapes.items()}


def leaves_joined(leaves, seed):
    """Children of each node, -1 for none: neighbours are joined in random order."""
    random = np.random.default_rng(seed)
    children, open_ = [[-1, -1] for _ in range(leaves)], list(range(leaves))
    while len(open_) > 1:
        at = random.integers(len(open_) - 1)
        children.append(open_[at : at + 2])
        open_[at : at + 2] = [len(children) - 1]
    return np.array(children)


# --- binary Tree-LSTM -------------------------------------------------------------------------------------------------

TREE = "NaryTreeLSTM({I}, {H}, K = 2)"


def tree_weights(I, H):
    shapes = {}
    for w in "iouf":
        shapes |= {f"W_{w}": (H, I), f"U_{w}": (2, H, H), f"b_{w}": (H,)}
    return draw(shapes | {"U_f": (2, 2, H, H)})


def tree(weights, children, x, dy, training):
    """`children` [B, N, 2], `x` [N, B, I]."""
    N, B, I = x.shape
    H = dy.shape[-1]
    height = np.zeros((B, N), int)
    for b in range(B):
        for n, pair in enumerate(children[b]):
            if pair[0] >= 0:
                height[b, n] = 1 + height[b, pair].max()
    # Rows by level; `place` is the row of node n of tree b.
    order = sorted(((height[b, n], b, n) for b in range(B) for n in range(N)))
    place = np.zeros((B, N), int)
    for row, (_, b, n) in enumerate(order):
        place[b, n] = row
    sizes = np.bincount([level for level, _, _ in order])
    first = torch.tensor([n * B + b for _, b, n in order])
    back = torch.tensor(place.T.reshape(-1).copy())
    sons, at = [], sizes[0]
    for size in sizes[1:]:
        pairs = [place[b, children[b, n]] for _, b, n in order[at : at + size]]
        sons.append(torch.tensor(np.array(pairs).reshape(-1)))
        at += size
    # i, o, u, and f apart, which leaves do not need; then [2 H, 5 H]: i, o, f of either child, u.
    W = np.concatenate([weights["W_i"], weights["W_o"], weights["W_u"]]).T.copy()
    b = np.concatenate([weights["b_i"], weights["b_o"], weights["b_u"]])
    blocks = [weights["U_i"], weights["U_o"], weights["U_f"][0], weights["U_f"][1], weights["U_u"]]
    U = np.concatenate([np.concatenate([u[0].T, u[1].T]) for u in blocks], 1)
    params = [torch.tensor(a, requires_grad=training) for a in (W, b, weights["W_f"].T.copy(), weights["b_f"], U)]

    def run(x):
        W, b, W_f, b_f, U = params
        leaves, inner = x.reshape(N * B, I).index_select(0, first).split((sizes[0], N * B - sizes[0]))
        i, o, u = torch.addmm(b, leaves, W).split(H, 1)
        wide = torch.cat([W[:, : 2 * H], W_f, W_f, W[:, 2 * H :]], 1)
        levels = torch.addmm(torch.cat([b[: 2 * H], b_f, b_f, b[2 * H :]]), inner, wide).split(tuple(sizes[1:]))
        c = torch.sigmoid(i) * torch.tanh(u)
        h = torch.sigmoid(o) * torch.tanh(c)
        if not training:  # no need to keep what was: one array for all rows
            h, c = (torch.cat([s, s.new_empty(N * B - sizes[0], H)]) for s in (h, c))
        at = sizes[0]
        for rows, z in zip(sons, levels):
            n = z.shape[0]
            hs, cs = (s.index_select(0, rows).view(n, 2, H) for s in (h, c))
            a = torch.addmm(z, hs.view(n, 2 * H), U)
            i, o, f, g = torch.sigmoid(a[:, : 4 * H]).split(H, 1)
            new = i * torch.tanh(a[:, 4 * H :]) + f * cs[:, 0] + g * cs[:, 1]
            if training:
                c, h = torch.cat([c, new]), torch.cat([h, o * torch.tanh(new)])
            else:
                c[at : at + n] = new
                torch.mul(o, torch.tanh(new), out=h[at : at + n])
            at += n
        return h.index_select(0, back).view(N, B, H)

    return torch_call(run, params, x, dy, training)


# --- two-dimensional LSTM ---------------------------------------------------------------------------------------------

GRID = "MDLSTM({I}, {H}, D = 2)"


def grid_weights(I, H):
    shapes = {}
    for w in "ico":
        shapes |= {f"W_{w}": (H, I), f"U_{w}": (2, H, H), f"b_{w}": (H,)}
    return draw(shapes | {"W_f": (2, H, I), "U_f": (2, 2, H, H), "b_f": (2, H)})


def grid(weights, x, dy, training):
    """`x` [R, C, B, I]; fronts are anti-diagonals."""
    R, C, B, I = x.shape
    H = dy.shape[-1]
    points = [[(i, d - i) for i in range(max(0, d - C + 1), min(R, d + 1))] for d in range(R + C - 1)]
    flat = [i * C + j for front in points for i, j in front]
    first = torch.tensor(flat)
    back = torch.empty_like(first)
    back[first] = torch.arange(len(flat))
    sizes = [len(front) for front in points]
    W = np.concatenate([weights["W_i"], weights["W_o"], *weights["W_f"], weights["W_c"]]).T.copy()
    b = np.concatenate([weights["b_i"], weights["b_o"], *weights["b_f"], weights["b_c"]])
    blocks = [weights["U_i"], weights["U_o"], *weights["U_f"], weights["U_c"]]
    U = np.concatenate([np.concatenate([u[0].T, u[1].T]) for u in blocks], 1)
    W, b, U = (torch.tensor(a, requires_grad=training) for a in (W, b, U))

    def run(x):
        rows = x.reshape(R * C, B, I).index_select(0, first)
        z = torch.addmm(b, rows.view(-1, I), W).view(R * C, B, 5 * H)
        h = c = None
        outs = []
        for d, z in enumerate(z.split(sizes)):
            n = z.shape[0]
            a = z.reshape(n * B, 5 * H)
            if d == 0:
                up_c = left_c = torch.zeros(B, H)
            else:
                # Row k of the front before, or none: above is one row less than left of it.
                lead, tail = points[d][0][0] - points[d - 1][0][0], points[d][-1][0] - points[d - 1][-1][0]
                above = lambda s: F.pad(s, (0, 0, 0, 0, 1 - lead, 0))[:n]
                left = lambda s: F.pad(s, (0, 0, 0, 0, 0, tail))[lead : lead + n]
                both = torch.cat([above(h), left(h)], 2).view(n * B, 2 * H)
                a = torch.addmm(a, both, U)
                up_c, left_c = above(c).reshape(n * B, H), left(c).reshape(n * B, H)
            s = torch.sigmoid(a[:, : 4 * H])
            i, o, f, g = s.split(H, 1)
            c = i * torch.tanh(a[:, 4 * H :]) + f * up_c + g * left_c
            h = (o * torch.tanh(c)).view(n, B, H)
            c = c.view(n, B, H)
            outs.append(h)
        return torch.cat(outs).index_select(0, back).view(R, C, B, H)

    return torch_call(run, [W, b, U], x, dy, training)


def make(which, training):
    """A call, and the arrays that rnnc needs for the same."""
    random = np.random.default_rng(1)
    uniform = lambda *shape: random.uniform(-1, 1, shape).astype(np.float32)
    if which == "tree":
        B, leaves, I, H = TREE_SHAPE
        children = np.stack([leaves_joined(leaves, b) for b in range(B)])
        x, dy, weights = uniform(2 * leaves - 1, B, I), uniform(2 * leaves - 1, B, H), tree_weights(I, H)
        call = tree(weights, children, x, dy, training)
        return call, weights | {"x": x, "h_adj": dy, "children": children.astype(np.int64)}
    side, B, I, H = GRID_SHAPE
    x, dy, weights = uniform(side, side, B, I), uniform(side, side, B, H), grid_weights(I, H)
    return grid(weights, x, dy, training), weights | {"x": x, "h_adj": dy}


TREE_SHAPE = (32, 20, 128, 128)  # trees, leaves, I, H
GRID_SHAPE = (28, 32, 4, 32)  # side, B, I, H
