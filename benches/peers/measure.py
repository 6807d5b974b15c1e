#!/usr/bin/env python3
"""Measures PyTorch, JAX and ONNX Runtime beside rnnc, by turns on the same cores: see README.md.

    python measure.py [--rnnc PATH] [--cells LSTM,GRU] [--shapes 100,32,256,256] [--modes train,infer,stream,domains]
                      [--threads 1,2] [--cores 0,1] [--rounds 5] [--quick] [--compile few|all|none] [--out results.json]

In each round every contestant has a spell of calls, then rnnc has one (`rnnc bench --json`, in a process of its own on
the same cores). What is told of a contestant is the median of its calls, and the median over the rounds of its time
divided by rnnc's in the same round. Figures of an earlier run that are not measured anew stay in the file.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

HERE = Path(__file__).resolve().parent
SHAPES = ["100,32,256,256", "100,1,128,128", "1000,1,64,64", "35,20,650,650", "512,16,64,64", "100,64,512,512"]
COMPILED = SHAPES[:2]  # compiling a step with gradients takes up to a minute
STREAMS = [8, 16, 32, 64, 128, 256]
SPELL, WARM_UP = 0.08, 0.25  # seconds
LONG = 0.4  # calls that take longer get three rounds


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--rnnc", default=str(HERE.parents[1] / "target/release/rnnc"))
    p.add_argument("--cells", default="", help="names, separated by commas [default: all]")
    p.add_argument("--shapes", default=";".join(SHAPES), help="T,B,I,H, separated by semicolons")
    p.add_argument("--modes", default="train,infer,stream,domains")
    p.add_argument("--threads", default="1,2")
    p.add_argument("--cores", default="0,1")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--compile", choices=["few", "all", "none"], default="few", help="torch.compile")
    p.add_argument("--quick", action="store_true", help="two rounds, no torch.compile")
    p.add_argument("--out", default=str(HERE / "results.json"))
    p.add_argument("--no-check", action="store_true", help="do not compare results first")
    p.add_argument("--worker", help=argparse.SUPPRESS)
    o = p.parse_args()
    if o.quick:
        o.rounds, o.compile = 2, "none"
    return o


def main():
    o = options()
    if o.worker:
        return work(o, int(o.worker))
    # Libraries count the cores they may use when they are loaded: a process for each number of threads.
    cores = o.cores.split(",")
    for threads in o.threads.split(","):
        env = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        chosen = {int(c) for c in cores[: int(threads)]}
        if len(chosen) < int(threads):
            sys.exit(f"{threads} threads need as many --cores")
        pin = lambda: os.sched_setaffinity(0, chosen) if hasattr(os, "sched_setaffinity") else None
        subprocess.run([sys.executable, *sys.argv, "--worker", threads], env=env, preexec_fn=pin, check=True)


def timed(call, until):
    times, begin = [], time.perf_counter()
    while not times or time.perf_counter() - begin < until:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def rnnc(o, cell, file, steps, batch, mode, threads):
    """Seconds of a call, or nothing if rnnc refuses."""
    args = [o.rnnc, "bench"] + ([str(HERE.parent / file)] if file else [])
    args += ["--cell", cell, "--steps", str(steps), "--batch", str(batch), "--mode", mode]
    args += ["--threads", str(threads), "--seconds", "0.3", "--json"]
    ran = subprocess.run(args, capture_output=True, text=True)
    if ran.returncode != 0:
        print(f"  rnnc refuses: {ran.stderr.strip().splitlines()[0] if ran.stderr.strip() else ran.returncode}")
        return None
    return json.loads(ran.stdout)["median_s"]


def contest(o, calls, own):
    """{name: figures}, and rnnc's own figures."""
    slowest = 0.0
    for call in calls.values():
        call()
        slowest = max(slowest, min(timed(call, WARM_UP)))
    count = o.rounds if slowest < LONG else min(o.rounds, 3)
    all_times = {name: [] for name in calls}
    rounds = {name: [] for name in calls}
    mine, ratios = [], {name: [] for name in calls}
    for k in range(count):
        order = list(calls) if k % 2 == 0 else list(reversed(calls))
        for name in order:
            time.sleep(0.02)  # threads of the one before go to sleep
            times = timed(calls[name], SPELL)
            all_times[name] += times
            rounds[name].append(median(times))
        time.sleep(0.02)
        seconds = own()
        if seconds is None:
            mine = []
            continue
        mine.append(seconds)
        for name in calls:
            ratios[name].append(rounds[name][-1] / seconds)
    told = {}
    for name, times in all_times.items():
        told[name] = {"median_s": median(times), "min_s": min(times), "runs": len(times)}
        if ratios[name]:
            four = quantiles(ratios[name], n=4, method="inclusive") if len(ratios[name]) > 1 else ratios[name] * 3
            told[name] |= {"ratio": median(ratios[name]), "quarters": [four[0], four[2]]}
    return told, (median(mine) if mine else None)


def work(o, threads):
    sys.path.insert(0, str(HERE))
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    import chains
    import check
    import domains
    from cells import CELLS

    results = Results(o.out)
    wanted = [c for c in CELLS if not o.cells or c.name in o.cells.split(",")]
    modes = o.modes.split(",")

    def measure(key, calls, own):
        told, mine = contest(o, calls, own)
        results.add(key, told, mine)
        ms = lambda s: f"{s * 1e3:.4g} ms"
        line = ", ".join(f"{n} {ms(t['median_s'])}" + (f" ({t['ratio']:.2f})" if "ratio" in t else "") for n, t in told.items())
        what = " ".join(str(v) for v in key.values())
        print(f"{what}: rnnc {ms(mine) if mine else 'none'}; {line}", flush=True)

    chain_modes = [m for m in ("train", "infer") if m in modes]
    for cell in wanted if chain_modes else []:
        if not o.no_check and threads == 1:
            check.chain(o.rnnc, cell)
        for shape in o.shapes.split(";"):
            T, B, I, H = sizes = [int(n) for n in shape.split(",")]
            recipe = cell.recipe.format(I=I, H=H)
            compiled = o.compile == "all" or o.compile == "few" and shape in COMPILED
            for mode in chain_modes:
                key = dict(cell=cell.name, recipe=recipe, shape=shape, mode=mode, threads=threads)
                calls = chains.make(cell, sizes, mode, threads, compiled)
                measure(key, calls, lambda: rnnc(o, recipe, cell.file, T, B, mode, threads))
            torch.compiler.reset()
    if "stream" in modes and threads == 1:
        for cell in wanted:
            for H in STREAMS:
                for I in (H, 1):
                    recipe = cell.recipe.format(I=I, H=H)
                    key = dict(cell=cell.name, recipe=recipe, shape=f"1,1,{I},{H}", mode="stream", threads=1)
                    own = lambda: rnnc(o, recipe, cell.file, 100, 1, "stream", 1)
                    measure(key, chains.streams(cell, I, H, 1), own)
    if "domains" in modes:
        for which, recipe, steps, batch, I, H in (
            ("tree", domains.TREE, domains.TREE_SHAPE[1], *[domains.TREE_SHAPE[k] for k in (0, 2, 3)]),
            ("grid", domains.GRID, *domains.GRID_SHAPE),
        ):
            recipe = recipe.format(I=I, H=H)
            if not o.no_check and threads == 1:
                check.domain(o.rnnc, which, recipe)
            for mode in ("infer", "train"):
                key = dict(cell=which, recipe=recipe, shape=f"{steps},{batch},{I},{H}", mode=mode, threads=threads)
                calls = {"PyTorch by levels" if which == "tree" else "PyTorch by fronts": domains.make(which, mode == "train")[0]}
                measure(key, calls, lambda: rnnc(o, recipe, None, steps, batch, mode, threads))


class Results:
    """The file of results: whatever is measured anew takes the place of what was there."""

    def __init__(self, path):
        self.path = Path(path)
        self.all = json.loads(self.path.read_text()) if self.path.exists() else {"entries": []}
        self.all["machine"] = machine()

    def add(self, key, peers, own):
        same = lambda e: all(e[k] == v for k, v in key.items())
        self.all["entries"] = [e for e in self.all["entries"] if not same(e)]
        entry = key | {"rnnc_s": own, "peers": peers}
        self.all["entries"].append(json.loads(json.dumps(entry), parse_float=lambda s: float(f"{float(s):.5g}")))
        lines = ",\n".join("  " + json.dumps(e) for e in self.all["entries"])
        head = json.dumps(self.all["machine"])
        text = f'{{\n"machine": {head},\n"entries": [\n{lines}\n]\n}}\n'
        with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False) as new:
            new.write(text)
        os.chmod(new.name, 0o644)
        os.replace(new.name, self.path)


def machine():
    from importlib.metadata import version

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0] if names else cpu
    packages = ("torch", "jax", "onnxruntime", "numpy")
    return {"cpu": cpu, "python": platform.python_version()} | {p: version(p) for p in packages}


if __name__ == "__main__":
    main()
