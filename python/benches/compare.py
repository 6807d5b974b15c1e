#!/usr/bin/env python3
"""A multiplicative LSTM (Krause et al. 2016) trained through rnnc.torch, beside the best one writes in PyTorch itself.

    python benches/compare.py [--shapes "100,32,256,256;512,16,64,64"] [--rounds 9] [--core 0] [--no-compile] [--json FILE]

A call is a whole training step: forward, mean squared error, backward, Adam. One thread, pinned to one core; contestants take
turns, and what is told is the median over the rounds of a contestant's time divided by rnnc's in the same round. All of them give
the same loss and gradients first. It wants a release build: `pip install ./python`.
"""

import argparse
import json
import os
import sys
import time
import warnings
from statistics import median, quantiles

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # before torch is loaded

import torch  # noqa: E402
from torch import nn  # noqa: E402

import rnnc.torch  # noqa: E402

SHAPES = "100,32,256,256;512,16,64,64;1000,1,64,64"
GOALS = {"100,32,256,256": 1.7, "512,16,64,64": 3.0, "1000,1,64,64": 10.0}
warnings.filterwarnings("ignore", message=".*torch.jit.script. is deprecated")
SPELL = 0.3  # seconds that a contestant runs in each round, at least one step


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--shapes", default=SHAPES, help="steps, batch, inputs, units; separated by semicolons")
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--core", type=int, default=0)
    p.add_argument("--no-compile", action="store_true", help="without torch.compile, which needs a C++ compiler")
    p.add_argument("--json", help="where the figures are written to")
    return p.parse_args()


# The cell in PyTorch. Weights are packed: W [I, 5H] of m, f, i, o, candidate; M [H, H]; U [H, 4H]; b [5H].


def step(z, h, c, M, U):
    H = h.shape[1]
    m = z[:, :H] * (h @ M)
    a = torch.addmm(z[:, H:], m, U)
    f, i, o = torch.sigmoid(a[:, : 3 * H]).chunk(3, 1)
    c = f * c + i * torch.tanh(a[:, 3 * H :])
    return o * torch.tanh(c), c


def inputs(x, W, b):
    """What needs no state, for all steps at once."""
    T, B, I = x.shape
    return torch.addmm(b, x.reshape(T * B, I), W).reshape(T, B, W.shape[1])


def loop(x, W, M, U, b, step=step):
    h = c = x.new_zeros(x.shape[1], M.shape[0])
    out = []
    for z in inputs(x, W, b).unbind(0):
        h, c = step(z, h, c, M, U)
        out.append(h)
    return torch.stack(out)


def scripted():
    @torch.jit.script
    def run(x: torch.Tensor, W: torch.Tensor, M: torch.Tensor, U: torch.Tensor, b: torch.Tensor):
        T, B, I = x.shape
        H = M.shape[0]
        zs = torch.addmm(b, x.reshape(T * B, I), W).reshape(T, B, 5 * H)
        h = torch.zeros(B, H)
        c = torch.zeros(B, H)
        out: list[torch.Tensor] = []
        for z in zs.unbind(0):
            m = z[:, :H] * (h @ M)
            a = torch.addmm(z[:, H:], m, U)
            f, i, o = torch.sigmoid(a[:, : 3 * H]).chunk(3, 1)
            c = f * c + i * torch.tanh(a[:, 3 * H :])
            h = o * torch.tanh(c)
            out.append(h)
        return torch.stack(out)

    return run


class ByHand(torch.autograd.Function):
    """The backward derived and written by hand, without an autograd node for each step: weight gradients are one product each."""

    @staticmethod
    def forward(ctx, x, W, M, U, b):
        (T, B, _), H = x.shape, M.shape[0]
        z = inputs(x, W, b)
        q, m, r, tc = (x.new_empty(T, B, H) for _ in range(4))
        s, a = x.new_empty(T, B, 3 * H), x.new_empty(B, 4 * H)
        h, c = x.new_zeros(T + 1, B, H), x.new_zeros(T + 1, B, H)
        for t in range(T):
            torch.mm(h[t], M, out=q[t])
            torch.mul(z[t, :, :H], q[t], out=m[t])
            torch.addmm(z[t, :, H:], m[t], U, out=a)
            torch.sigmoid(a[:, : 3 * H], out=s[t])
            torch.tanh(a[:, 3 * H :], out=r[t])
            f, i, o = s[t].chunk(3, 1)
            torch.mul(f, c[t], out=c[t + 1])
            c[t + 1].addcmul_(i, r[t])
            torch.tanh(c[t + 1], out=tc[t])
            torch.mul(o, tc[t], out=h[t + 1])
        ctx.save_for_backward(x, W, M, U, z, q, m, r, tc, s, h, c)
        return h[1:]

    @staticmethod
    def backward(ctx, dout):
        x, W, M, U, z, q, m, r, tc, s, h, c = ctx.saved_tensors
        (T, B, I), H = x.shape, M.shape[0]
        slope = s * (1 - s)  # of all steps at once
        r_slope, c_slope = 1 - r * r, s[..., 2 * H :] * (1 - tc * tc)
        dz, dq = x.new_empty(T, B, 5 * H), x.new_empty(T, B, H)
        dh, dc = x.new_zeros(B, H), x.new_zeros(B, H)
        Mt, Ut = M.t(), U.t()
        for t in reversed(range(T)):
            dh += dout[t]
            dc.addcmul_(dh, c_slope[t])
            f, i, _ = s[t].chunk(3, 1)
            da = dz[t, :, H:]
            torch.mul(dc, c[t], out=da[:, :H])
            torch.mul(dc, r[t], out=da[:, H : 2 * H])
            torch.mul(dh, tc[t], out=da[:, 2 * H : 3 * H])
            da[:, : 3 * H].mul_(slope[t])
            torch.mul(dc, i, out=da[:, 3 * H :])
            da[:, 3 * H :].mul_(r_slope[t])
            dc.mul_(f)
            dm = da @ Ut
            torch.mul(dm, q[t], out=dz[t, :, :H])
            torch.mul(dm, z[t, :, :H], out=dq[t])
            torch.mm(dq[t], Mt, out=dh)
        flat = lambda a: a.reshape(T * B, -1)
        dW = flat(x).t() @ flat(dz)
        dM = flat(h[:-1]).t() @ flat(dq)
        dU = flat(m).t() @ flat(dz[..., H:])
        dx = (flat(dz) @ W.t()).reshape(T, B, I) if ctx.needs_input_grad[0] else None
        return dx, dW, dM, dU, flat(dz).sum(0)


class Packed(nn.Module):
    def __init__(self, weights, run):
        super().__init__()
        self.run = run
        rows = lambda kind: torch.cat([weights[f"W_{g}{kind}"].t() for g in "fioh"], 1)
        self.W = nn.Parameter(torch.cat([weights["W_mx"].t(), rows("x")], 1))
        self.M = nn.Parameter(weights["W_mh"].t().contiguous())
        self.U = nn.Parameter(rows("m"))
        bias = [torch.zeros_like(weights["b_h"]), *(weights[f"b_{g}"] for g in "fioh")]
        self.b = nn.Parameter(torch.cat(bias))

    def forward(self, x):
        return self.run(x, self.W, self.M, self.U, self.b)


class Rnnc(nn.Module):
    def __init__(self, recipe):
        super().__init__()
        self.cell = rnnc.torch.Module(recipe)

    def forward(self, x):
        return self.cell(x)[0]


class Ready(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)[0]


def contestants(I, H, compiled):
    """{name: module}, rnnc first, from the same weights."""
    own = Rnnc(f"MultLSTM({I}, {H})")
    weights = {name.split(".", 1)[1]: p.detach().clone() for name, p in own.named_parameters()}
    hand = lambda x, *w: ByHand.apply(x, *w)
    all_ = {"rnnc": own, "loop": Packed(weights, loop), "torch.jit.script": Packed(weights, scripted())}
    if compiled:
        quick = torch.compile(step, dynamic=False)
        all_["torch.compile of a step"] = Packed(weights, lambda *a: loop(*a, step=quick))
    return all_ | {"backward by hand": Packed(weights, hand)}


def training(module, x, y):
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3, fused=True)

    def call():
        optimiser.zero_grad()
        loss = nn.functional.mse_loss(module(x), y)
        loss.backward()
        optimiser.step()
        return loss.item()

    return call


def agree(modules, x, y):
    """All give rnnc's loss, and their gradient of the bias of the candidate is its."""
    found = {}
    for name, module in modules.items():
        loss = nn.functional.mse_loss(module(x), y)
        loss.backward()
        bias = module.b.grad[-module.M.shape[0] :] if isinstance(module, Packed) else module.cell.b_h.grad
        found[name] = (loss.detach(), bias.clone())
        module.zero_grad()
    for name, (loss, bias) in found.items():
        for got, wanted in ((loss, found["rnnc"][0]), (bias, found["rnnc"][1])):
            error = (got - wanted).abs().max() / wanted.abs().max()
            if not error < 1e-3:
                sys.exit(f"{name} is not what rnnc computes: {error:.2g} off")


def contest(calls, rounds):
    for call in calls.values():
        begin = time.perf_counter()
        while time.perf_counter() - begin < SPELL:
            call()
    times = {name: [] for name in calls}
    for k in range(rounds):
        for name in list(calls) if k % 2 == 0 else reversed(calls):
            spell, begin = [], time.perf_counter()
            while not spell or time.perf_counter() - begin < SPELL:
                start = time.perf_counter()
                calls[name]()
                spell.append(time.perf_counter() - start)
            times[name].append(median(spell))
    ratios = {name: [a / b for a, b in zip(t, times["rnnc"])] for name, t in times.items()}
    quarters = lambda r: quantiles(r, n=4, method="inclusive") if len(r) > 1 else r * 3
    return {n: {"seconds": median(times[n]), "ratio": median(ratios[n]), "quarters": quarters(ratios[n])[::2]} for n in calls}


def show(shape, what, told, goal=None):
    print(f"\n{what}, {shape}:")
    for name, t in told.items():
        low, high = t["quarters"]
        print(f"  {name:26}{t['seconds'] * 1e3:9.2f} ms   {t['ratio']:6.2f}  (half of the rounds: {low:.2f} to {high:.2f})")
    if goal:
        best = min((t["ratio"], n) for n, t in told.items() if n not in ("rnnc", "backward by hand"))
        print(f"  best by autograd: {best[1]}, {best[0]:.2f} times rnnc's time; goal {goal}", flush=True)


def main():
    o = options()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {o.core})
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    results = []
    for shape in o.shapes.split(";"):
        T, B, I, H = (int(n) for n in shape.split(","))
        x, y = torch.rand(T, B, I) * 2 - 1, torch.rand(T, B, H) * 2 - 1
        modules = contestants(I, H, not o.no_compile)
        agree(modules, x, y)
        told = contest({name: training(m, x, y) for name, m in modules.items()}, o.rounds)
        show(shape, "multiplicative LSTM", told, GOALS.get(shape))
        ready = {"rnnc": Rnnc(f"LSTM({I}, {H})"), "nn.LSTM": Ready(nn.LSTM(I, H))}
        lstm = contest({name: training(m, x, y) for name, m in ready.items()}, o.rounds)
        show(shape, "LSTM", lstm)
        results.append({"shape": shape, "MultLSTM": told, "LSTM": lstm})
        torch.compiler.reset()
    if o.json:
        with open(o.json, "w") as file:
            json.dump({"torch": torch.__version__, "entries": results}, file, indent=1)


if __name__ == "__main__":
    main()
