"""What a call costs beside the kernels: a small LSTM, one step, one example, in microseconds.

Prints, for the way there and for there and back: the whole module; its operator alone, called with tensors; the program alone, called
with numpy arrays; and `torch.nn.LSTM` for comparison. Each is the median of many rounds, and the least, taken in turns, of processor
time: all of it is one thread, and others may use the machine.
"""

import argparse
import statistics
import time

import torch

import rnnc
import rnnc.torch
from rnnc.torch.ops import _packed as packed


def rows(hidden, steps, batch):
    """What is measured, as functions without arguments."""
    net = rnnc.torch.Module(f"LSTM({hidden}, {hidden})")
    theirs = torch.nn.LSTM(hidden, hidden)
    x = torch.randn(steps, batch, hidden)
    program = net._evaluation
    given = {"x": x, **dict(net.named_parameters())}
    tensors = [given.get(slot.name) for slot in program.slots]
    arrays = {name: tensor.detach().numpy() for name, tensor in given.items()}
    given_now = packed([*tensors, None])
    names = tuple(name for name, _ in net.named_parameters())
    mask = f"{sum(1 << k for k, slot in enumerate(program.slots) if slot.name in names):x}"
    plain = rnnc.Library.standard().compile(f"LSTM({hidden}, {hidden})", outputs=["h", "h_last", "c_last"], gradients=False)
    both = rnnc.Library.standard().compile(f"LSTM({hidden}, {hidden})", outputs=["h", "h_last", "c_last"], wrt=list(names))
    cotangent = torch.ones(steps, batch, hidden)
    cotangents = {"h_adj": cotangent.numpy()}

    def without_gradients(call):
        def run():
            with torch.no_grad():
                call()

        return run

    def back(call):
        def run():
            call()[0].backward(cotangent)

        return run

    def program_back():
        run = both.forward_saved(arrays)
        run.outputs()
        run.backward(cotangents)

    return {
        "there, module": without_gradients(lambda: net(x)),
        "there, operator": without_gradients(lambda: program.ops.forward(*given_now, "0")),
        "there, program": lambda: plain.forward(arrays),
        "there, torch.nn.LSTM": without_gradients(lambda: theirs(x)),
        "both, module": back(lambda: net(x)),
        "both, operator": back(lambda: program.ops.forward(*given_now, mask)),
        "both, program": program_back,
        "both, torch.nn.LSTM": back(lambda: theirs(x)),
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--hidden", type=int, default=8)
    arguments.add_argument("--steps", type=int, default=1)
    arguments.add_argument("--batch", type=int, default=1)
    arguments.add_argument("--rounds", type=int, default=40)
    arguments.add_argument("--calls", type=int, default=50, help="calls of a round")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    measured = rows(options.hidden, options.steps, options.batch)
    times = {name: [] for name in measured}
    for turn in range(options.rounds + 2):
        for name, run in measured.items():
            begin = time.process_time()
            for _ in range(options.calls):
                run()
            # The first rounds make code and touch memory.
            if turn >= 2:
                times[name].append((time.process_time() - begin) / options.calls)
    for name, found in times.items():
        print(f"{name:<24} {1e6 * statistics.median(found):8.1f} µs, at least {1e6 * min(found):8.1f}")


if __name__ == "__main__":
    main()
