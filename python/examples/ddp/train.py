#!/usr/bin/env python3
"""Who speaks? Nine speakers, one vowel (JapaneseVowels), by a cell of one's own, in one process or several.

    python train.py                                              # one process
    torchrun --nproc-per-node 2 train.py                         # two: each has half of every batch
    torchrun --nproc-per-node 2 train.py --shard                 # and half of the parameters (FSDP)
    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-endpoint HOST:29500 train.py

All of them make the same steps: a step's gradient is the mean over the whole batch, whoever has which part of it.
"""

import argparse
import json
import os
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy

import rnnc.torch

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[2] / "models" / "data"


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--steps", type=int, default=200)
    p.add_argument("--batch", type=int, default=30, help="examples of a step, of all processes together")
    p.add_argument("--units", type=int, default=32)
    p.add_argument("--rate", type=float, default=0.2)
    p.add_argument("--shard", action="store_true", help="parameters in parts too: fully_shard in place of DistributedDataParallel")
    p.add_argument("--data", type=Path, default=DATA / "JapaneseVowels_TRAIN.ts")
    p.add_argument("--out", type=Path, help="where the weights and the losses of all steps are written to")
    return p.parse_args()


def read(path):
    """Examples of a series file: frames `[steps, channels]`, and the speaker from 0."""
    lines = path.read_text().splitlines()
    lines = lines[lines.index("@data") + 1 :]
    for line in lines:
        *channels, speaker = line.split(":")
        frames = torch.tensor([[float(v) for v in c.split(",")] for c in channels]).T
        yield frames, int(speaker) - 1


class Reader(nn.Module):
    """The mean of the states over the frames of each utterance, and nine scores."""

    def __init__(self, channels, units, threads):
        super().__init__()
        self.cell = rnnc.torch.load(HERE / "cell.rnn", "Fade", I=channels, H=units, threads=threads)
        self.scores = nn.Linear(units, 9)

    def forward(self, x, lengths):
        h, _ = self.cell(x, lengths=lengths)  # beyond its length an example's h is 0
        return self.scores(h.sum(0) / lengths[:, None])


def main():
    o = options()
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    # The cores of this machine, shared out to its processes; rnnc and PyTorch take turns on them.
    threads = max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    torch.set_num_threads(threads)
    if world > 1:
        dist.init_process_group("gloo")
    if o.batch % world:
        raise SystemExit(f"--batch {o.batch} cannot be shared out to {world} processes equally, so their mean would not be the batch's")

    torch.manual_seed(0)  # The same parameters and the same order of examples in every process.
    examples = list(read(o.data))
    model = Reader(examples[0][0].shape[1], o.units, threads)
    parallel = distributed(model, o.shard) if world > 1 else model
    optimiser = torch.optim.SGD(parallel.parameters(), lr=o.rate, momentum=0.9)
    losses = []
    order = torch.randperm(len(examples)).tolist()
    for step in range(o.steps):
        begin = step * o.batch % (len(order) - o.batch + 1)
        mine = [examples[i] for i in order[begin + rank : begin + o.batch : world]]
        frames, speakers = zip(*mine)
        lengths = torch.tensor([len(f) for f in frames])
        scores = parallel(nn.utils.rnn.pad_sequence(frames), lengths)
        loss = cross_entropy(scores, torch.tensor(speakers))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(mean(loss.detach(), world))
        if rank == 0 and (step % 20 == 0 or step == o.steps - 1):
            print(f"step {step}: {losses[-1]:.4f}", flush=True)
    write(o.out, model, losses, rank)
    if world > 1:
        dist.destroy_process_group()


def distributed(model, shard):
    if not shard:
        return nn.parallel.DistributedDataParallel(model)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    fully_shard(model.cell, mesh=mesh)  # gathered when the cell begins, and given back when it is over
    return fully_shard(model, mesh=mesh)


def mean(loss, world):
    """The loss of the whole batch: that of its parts, which are equally large."""
    if world > 1:
        dist.all_reduce(loss)
    return loss.item() / world


def write(path, model, losses, rank):
    if path is None:
        return
    whole = lambda p: p.full_tensor() if hasattr(p, "full_tensor") else p
    weights = {name: whole(p.detach()) for name, p in model.state_dict().items()}  # of parts, by all processes together
    if rank == 0:
        torch.save(weights, path.with_suffix(".pt"))
        path.with_suffix(".json").write_text(json.dumps(losses))


if __name__ == "__main__":
    main()
