"""Modules within PyTorch's machinery: compilation, copies, processes, threads, checkpoints, memory, second derivatives."""

import copy
import gc
import io
import multiprocessing
import os
import pickle
import signal
import sys
import threading

import pytest

torch = pytest.importorskip("torch")

import rnnc
import rnnc.torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch_support import SLOW, close

MINE = """
cell Mine(I, H) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1/sqrt(H))
  param U : [H, H] ~ orthogonal
  h = tanh(W @ x + U @ h[t-1])
  out h
}
"""

def mine(**options):
    return rnnc.torch.Module("Mine(3, 4)", MINE, **options)


def step(net, x):
    """Loss and gradients of a module."""
    net.zero_grad()
    out, last = net(x)
    loss = out.square().sum() + (last[0] if isinstance(last, tuple) else last).sum()
    loss.backward()
    return loss.detach(), [p.grad.clone() for p in net.parameters()]


# torch.compile.


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=SLOW)])
@pytest.mark.parametrize("recipe", ["LSTM(3, 4)", "Stack(2, Bi(GRU(_, 4)))"])
def test_compiled_whole(backend, recipe):
    net = WithHead(rnnc.torch.Module(recipe, dims={"I": 3} if "_" in recipe else None))
    fast = torch.compile(net, fullgraph=True, backend=backend, dynamic=True)
    for steps, batch in ((5, 2), (7, 3), (4, 2)):
        x = torch.randn(steps, batch, 3)
        lengths = torch.tensor([steps, 2, 1][:batch])
        loss = net(x, lengths)
        loss2 = fast(x, lengths)
        close(loss2, loss)
        wanted = torch.autograd.grad(loss, list(net.parameters()))
        found = torch.autograd.grad(loss2, list(net.parameters()))
        close(found, wanted)
    with torch.no_grad():
        close(fast(x, lengths), net(x, lengths))


class WithHead(nn.Module):
    def __init__(self, rnn):
        super().__init__()
        self.rnn = rnn
        with torch.no_grad():
            width = rnn(torch.zeros(1, 1, 3))[0].shape[-1]
        self.head = nn.Linear(width, 2)

    def forward(self, x, lengths=None):
        out, states = self.rnn(torch.tanh(x), lengths=lengths)
        h = states[0] if isinstance(states, tuple) else states
        return self.head(out).square().mean() + h.sum()


def test_compiled_with_noise():
    net = rnnc.torch.Module("Dropout(0.5)", dims={"N": 50})
    fast = torch.compile(net, fullgraph=True, backend="aot_eager")
    x = torch.ones(4, 2, 50, requires_grad=True)
    out, _ = fast(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())
    assert set(out.unique().tolist()) == {0, 2}


def test_extents_that_are_fixed_can_be_traced():
    net = rnnc.torch.Module("OneToMany(3, 4, 6)")
    fast = torch.compile(net, fullgraph=True, backend="aot_eager")
    x = torch.randn(2, 3)
    close(fast(x)[0], net(x)[0])
    assert net(x)[0].shape == (6, 2, 3)


def test_exported():
    net = mine().eval()
    exported = torch.export.export(net, (torch.randn(5, 2, 3),), strict=False)
    x = torch.randn(5, 2, 3)
    close(exported.module()(x), net(x))


# Copies.


def same(a, b):
    x = torch.randn(5, 2, 3)
    (loss, gradients), (loss2, gradients2) = step(a, x), step(b, x)
    assert torch.equal(loss, loss2) and all(map(torch.equal, gradients, gradients2))


def test_copies_are_apart():
    net = mine()
    other = copy.deepcopy(net)
    same(net, other)
    with torch.no_grad():
        other.W.add_(1)
    x = torch.randn(5, 2, 3)
    assert not torch.equal(net(x)[0], other(x)[0])
    assert other.W is dict(other.named_parameters())["W"]


def test_pickled():
    net = rnnc.torch.Module("Stack(2, Bi(LSTM(_, 4)))", I=3, batch_first=True)
    again = pickle.loads(pickle.dumps(net))
    same(net, again)
    assert again.batch_first


def test_saved_whole():
    net, file = mine(), io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    same(net, torch.load(file, weights_only=False))


def test_saved_weights():
    net, file = mine(), io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other = mine()
    other.load_state_dict(torch.load(file, weights_only=True))
    same(net, other)


def test_moved_to_f64_and_back():
    net = mine()
    x = torch.randn(5, 2, 3)
    wanted, _ = net(x)
    found, _ = net.double()(x.double())
    assert found.dtype is torch.float64
    close(found.float(), wanted)
    assert torch.equal(net.float()(x)[0], wanted)


def test_parametrized():
    net = mine()
    nn.utils.parametrizations.orthogonal(net, "U")
    net(torch.randn(5, 2, 3))[0].sum().backward()
    assert net.parametrizations.U.original.grad is not None


# Processes.


class Rows(torch.utils.data.Dataset):
    """Runs a module where data is loaded."""

    def __init__(self, net):
        self.net = net

    def __len__(self):
        return 6

    def __getitem__(self, k):
        with torch.no_grad():
            return self.net(torch.full((5, 3), float(k)))[0]


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.parametrize("threads", [1, 2])
def test_in_workers_of_a_data_loader(context, threads):
    if context not in multiprocessing.get_all_start_methods():
        pytest.skip("not on this system")
    net = mine(threads=threads)
    wanted = [net(torch.full((5, 3), float(k)))[0] for k in range(6)]
    loader = torch.utils.data.DataLoader(Rows(net), batch_size=3, num_workers=2, multiprocessing_context=context, timeout=120)
    found = torch.cat(list(loader))
    assert torch.equal(found, torch.stack(wanted))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_team_of_threads_survives_a_fork():
    # Large enough that the second thread is taken.
    net = rnnc.torch.Module("LSTM(64, 128)", threads=2)
    x = torch.randn(30, 32, 64)
    with torch.no_grad():
        wanted = net(x)[0]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(60)
            # Threads of OpenMP, which PyTorch itself uses, are not there either; and its autograd refuses to run.
            torch.set_num_threads(1)
            with torch.no_grad():
                os.write(write, b"same" if torch.equal(net(x)[0], wanted) else b"else")
        finally:
            os._exit(0)
    os.close(write)
    assert os.read(read, 4) == b"same"
    os.waitpid(child, 0)
    with torch.no_grad():
        assert torch.equal(net(x)[0], wanted)


# Threads.


def test_threads_do_not_disturb_each_other():
    net = rnnc.torch.Module("LSTM(3, 4)")
    inputs = [torch.randn(5, 2, 3) for _ in range(4)]
    wanted = [torch.autograd.grad(net(x)[0].sum(), net.U_f)[0] for x in inputs]
    wrong = []

    def work(x, gradient):
        for _ in range(50):
            if not torch.equal(torch.autograd.grad(net(x)[0].sum(), net.U_f)[0], gradient):
                wrong.append(1)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(inputs, wanted)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_number_of_threads_changes_no_bit():
    one = rnnc.torch.Module("LSTM(32, 64)", seed=3)
    two = rnnc.torch.Module("LSTM(32, 64)", seed=3, threads=2)
    x = torch.randn(20, 16, 32)
    assert all(map(torch.equal, step(one, x)[1], step(two, x)[1]))


# Autograd.


def test_only_what_is_needed_is_differentiated(monkeypatch):
    net = mine()
    asked = []
    compiled = type(net._evaluation).compiled

    def watched(program, wrt):
        asked.append(wrt)
        return compiled(program, wrt)

    monkeypatch.setattr(type(net._evaluation), "compiled", watched)
    x = torch.randn(5, 2, 3)
    net(x)[0].sum().backward()
    assert asked == [("W", "U")] and net.W.grad is not None

    asked.clear()
    net.W.requires_grad_(False)
    net(x.requires_grad_())[0].sum().backward()
    assert asked == [("x", "U")]

    asked.clear()
    with torch.no_grad():
        net(x)
    with torch.inference_mode():
        net(x.detach())
    assert asked == [None, None]


@pytest.mark.parametrize("is_compiled", [False, True])
def test_the_way_back_goes_on_from_the_way_there(is_compiled, monkeypatch):
    net = mine(batch_first=True)
    call = torch.compile(net, fullgraph=True, backend="aot_eager") if is_compiled else net
    runs = []
    compiled = type(net._evaluation).compiled
    monkeypatch.setattr(type(net._evaluation), "compiled", lambda program, wrt: runs.append(wrt) or compiled(program, wrt))
    # Not contiguous, so that it is copied each time that it is read.
    x = torch.randn(2, 5, 3, requires_grad=True)
    call(x)[0].sum().backward()
    assert len(runs) == 1


def test_code_is_kept_for_a_bounded_number_of_sets():
    net = rnnc.torch.Module("LSTM(2, 2)")
    names = [name for name, _ in net.named_parameters()]
    for name in names:
        for other, parameter in net.named_parameters():
            parameter.requires_grad_(other == name)
        net(torch.ones(1, 1, 2))[0].sum().backward()
    assert len(net._evaluation._variants) <= 8


def test_back_twice():
    net = mine()
    x = torch.randn(5, 2, 3)
    out, _ = net(x)
    first = torch.autograd.grad(out.sum(), net.W, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(out.sum(), net.W, retain_graph=True)[0], first)
    close(torch.autograd.grad(2 * out.sum(), net.W)[0], 2 * first)
    with pytest.raises(RuntimeError, match="second time"):
        out.sum().backward()


def test_a_changed_input_is_noticed():
    net, x = mine(), torch.randn(5, 2, 3)
    out, _ = net(x)
    with torch.no_grad():
        net.W.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_a_run_is_freed_with_its_graph():
    net = mine()
    live = []
    of_token = rnnc.Saved.of_token
    outs = [net(torch.randn(5, 2, 3))[0] for _ in range(3)]
    tokens = [out.grad_fn.saved_tensors[-1] for out in outs]
    live = [token.data_ptr() for token in tokens]
    assert all(of_token(address) is not None for address in live)
    outs[0].sum().backward()
    del tokens, outs
    gc.collect()
    assert all(of_token(address) is None for address in live)


def test_checkpointed():
    net = nn.ModuleList([rnnc.torch.Module("GRU(3, 3)"), rnnc.torch.Module("Dropout(0.5)", dims={"N": 3})])
    x = torch.randn(5, 2, 3, requires_grad=True)
    run = lambda x: net[1](net[0](x)[0])[0].sum()
    torch.manual_seed(1)
    (wanted,) = torch.autograd.grad(run(x), x)
    torch.manual_seed(1)
    (found,) = torch.autograd.grad(checkpoint(run, x, use_reentrant=False), x)
    assert torch.equal(found, wanted)


def test_second_derivatives_in_single_precision():
    net = rnnc.torch.Module("LSTM(3, 4)")
    exact = copy.deepcopy(net).double()
    x = torch.randn(5, 2, 3, requires_grad=True)

    def penalty(net, x):
        """The gradient of a gradient's norm, by all parameters."""
        (gradient,) = torch.autograd.grad(net(x, lengths=[5, 3])[0].square().sum(), x, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), list(net.parameters()))

    for found, wanted in zip(penalty(net, x), penalty(exact, x.double())):
        close(found.double(), wanted, 1e-4)


def test_third_derivatives():
    net = rnnc.torch.Module("RNN(1, 1)").double()
    x = torch.randn(3, 1, 1, dtype=torch.float64, requires_grad=True)

    def second(x):
        (g,) = torch.autograd.grad(net(x)[0].sum(), x, create_graph=True)
        (h,) = torch.autograd.grad(g.square().sum(), x, create_graph=True)
        return h

    assert torch.autograd.gradcheck(second, (x,))


def test_transforms():
    net = mine()
    x = torch.randn(5, 2, 3)
    loss = lambda weights: torch.func.functional_call(net, weights, (x,))[0].square().sum()
    weights = {name: p.detach() for name, p in net.named_parameters()}
    found = torch.func.grad(loss)(weights)
    wanted = torch.autograd.grad(net(x)[0].square().sum(), list(net.parameters()))
    for name, gradient in zip(weights, wanted):
        close(found[name], gradient)
    with pytest.raises(RuntimeError, match="vmap"):
        torch.func.vmap(lambda x: net(x)[0])(torch.randn(4, 5, 2, 3))


def test_a_part_does_not_run():
    net = rnnc.torch.Module("Stack(2, LSTM(_, 4))", I=3)
    with pytest.raises(NotImplementedError, match="runs with the whole"):
        net.l1()


def test_it_is_not_imported_with_the_package():
    import subprocess

    code = "import rnnc, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
