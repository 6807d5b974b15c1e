#!/usr/bin/env python3
"""Trains models/charlm.rnn and the same model in PyTorch by turns, and tells the ratio of their times.

    python charlm.py [--rnnc PATH] [--threads 2] [--cores 0,1] [--rounds 3] [--part 1.0] [--out charlm.json]

A round is one epoch of each, over the same text (`--part` of the novel): all windows of the first nine tenths, then the
loss on the last tenth. Of rnnc the whole process counts, with compiling, reading and writing its checkpoint; of PyTorch
only the epoch. Both must reach about the same bits per character, or the comparison is void.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Of models/charlm.rnn.
E, H, BATCH, WINDOW, RATE, CLIP = 64, 256, 32, 100, 3e-3, 1.0


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--rnnc", default=str(ROOT / "target/release/rnnc"))
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--cores", default="0,1")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--part", type=float, default=1.0, help="of the novel")
    p.add_argument("--out", default=str(HERE / "charlm.json"))
    p.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return p.parse_args()


def main():
    o = options()
    if o.worker:
        return compare(o)
    chosen = {int(c) for c in o.cores.split(",")[: o.threads]}
    pin = lambda: os.sched_setaffinity(0, chosen) if hasattr(os, "sched_setaffinity") else None
    env = os.environ | {"OMP_NUM_THREADS": str(o.threads)}
    subprocess.run([sys.executable, *sys.argv, "--worker"], env=env, preexec_fn=pin, check=True)


def compare(o):
    text = (ROOT / "models/data/pride_and_prejudice.txt").read_text()
    text = text[: int(len(text) * o.part)]
    mine, theirs, bits = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        novel = Path(folder) / "text.txt"
        novel.write_text(text)
        for k in range(o.rounds):
            turns = [rnnc, pytorch] if k % 2 == 0 else [pytorch, rnnc]
            for turn in turns:
                seconds, reached = turn(o, text, novel, Path(folder) / f"run{k}")
                (mine if turn is rnnc else theirs).append(seconds)
                bits[turn.__name__] = reached
                print(f"{turn.__name__}: {seconds:.2f} s, {reached:.3f} bits per character after one epoch", flush=True)
    ratios = [b / a for a, b in zip(mine, theirs)]
    told = {
        "threads": o.threads,
        "characters": len(text),
        "rnnc_s": round(median(mine), 3),
        "pytorch_s": round(median(theirs), 3),
        "ratio": round(median(ratios), 3),
        "rounds": o.rounds,
        "bits": {name: round(b, 3) for name, b in bits.items()},
    }
    Path(o.out).write_text(json.dumps(told) + "\n")
    print(f"PyTorch takes {told['ratio']:.2f} times as long (between {min(ratios):.2f} and {max(ratios):.2f})")


def rnnc(o, text, novel, folder):
    args = [o.rnnc, "train", str(ROOT / "models/charlm.rnn"), "--data", str(novel), "--set", "train.epochs=1"]
    known = subprocess.run([o.rnnc, "train", "--help"], capture_output=True, text=True).stdout
    if "--threads" in known:
        args += ["--threads", str(o.threads)]
    elif o.threads > 1:
        print("this rnnc trains with one thread", file=sys.stderr)
    start = time.perf_counter()
    ran = subprocess.run([*args, "--out", str(folder)], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if ran.returncode != 0:
        sys.exit(ran.stderr)
    last = [line for line in (ran.stdout + ran.stderr).splitlines() if "test: loss" in line][-1]
    return seconds, float(last.split("bits")[-1].split()[0].strip(",;"))


def pytorch(o, text, novel, folder):
    import torch
    from torch import nn

    torch.manual_seed(1)
    torch.set_num_threads(o.threads)
    torch.set_flush_denormal(True)
    letters = sorted(set(text))
    number = {c: i for i, c in enumerate(letters)}
    ids = torch.tensor([number[c] for c in text])
    cut = int(len(ids) * 0.9)

    class CharLM(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(len(letters) + 1, E)  # the last is what stands before the text
            self.lstm = nn.LSTM(E, H)
            self.dense = nn.Linear(H, len(letters))
            nn.init.uniform_(self.lstm.weight_ih_l0, -math.sqrt(3 / E), math.sqrt(3 / E))
            for gate in self.lstm.weight_hh_l0.split(H):
                nn.init.orthogonal_(gate)
            nn.init.zeros_(self.lstm.bias_ih_l0)
            nn.init.zeros_(self.lstm.bias_hh_l0)

        def forward(self, before, state):
            h, state = self.lstm(self.embed(before), state)
            return self.dense(h), state

    net = CharLM()
    net.lstm.bias_hh_l0.requires_grad_(False)  # the model has one bias
    params = [p for p in net.parameters() if p.requires_grad]
    adam = torch.optim.Adam(params, lr=RATE, fused=True)

    def windows(ids):
        """Lanes side by side, window after window: what was read before, and what comes."""
        lanes = ids[: len(ids) // BATCH * BATCH].view(BATCH, -1).t()
        before = torch.cat([torch.full((1, BATCH), len(letters)), lanes[:-1]])
        return zip(before.split(WINDOW), lanes.split(WINDOW))

    def loss_of(before, here, state):
        y, state = net(before, state)
        return nn.functional.cross_entropy(y.flatten(0, 1), here.flatten()), tuple(s.detach() for s in state)

    start = time.perf_counter()
    state = None
    for before, here in windows(ids[:cut]):
        loss, state = loss_of(before, here, state)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(params, CLIP)
        adam.step()
    total, count, state = 0.0, 0, None
    with torch.no_grad():
        for before, here in windows(ids[cut:]):
            loss, state = loss_of(before, here, state)
            total, count = total + loss.item() * here.numel(), count + here.numel()
    return time.perf_counter() - start, total / count / math.log(2)


if __name__ == "__main__":
    main()
