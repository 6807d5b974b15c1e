"""The same numbers as torch.nn.LSTM, GRU and RNN have with the same weights."""

import pytest

torch = pytest.importorskip("torch")

import rnnc.torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch_support import close

I, H, T, B = 5, 7, 9, 4
LENGTHS = torch.tensor([9, 2, 5, 1])

CELLS = {
    "LSTM": (nn.LSTM, "LSTM({i}, {h})"),
    "GRU": (nn.GRU, "GRU({i}, {h}, reset = after, update = keep)"),
    "RNN": (nn.RNN, "RNN({i}, {h})"),
}
SHAPES = {"one": (1, False), "two layers": (2, False), "both directions": (1, True), "two layers in both directions": (2, True)}


def recipe(cell: str, layers: int, both: bool) -> str:
    if layers == 1 and not both:
        return cell.format(i=I, h=H)
    one = cell.format(i="_", h=H)
    one = f"Bi({one})" if both else one
    return f"Stack({layers}, {one})" if layers > 1 else f"Bi({cell.format(i=I, h=H)})"


def pair(name: str, shape: str, **options):
    """A module of PyTorch and one of ours with its weights."""
    kind, cell = CELLS[name]
    layers, both = SHAPES[shape]
    torch.manual_seed(1)
    theirs = kind(I, H, num_layers=layers, bidirectional=both, **options)
    dims = {"I": I} if layers > 1 else {}
    ours = rnnc.torch.Module(recipe(cell, layers, both), **dims, **options)
    ours.load_torch_state_dict(theirs.state_dict())
    return theirs, ours


def states_of(name: str, shape: str, batch=B):
    layers, both = SHAPES[shape]
    make = lambda: torch.randn(layers * (1 + both), batch, H, requires_grad=True)
    return (make(), make()) if name == "LSTM" else make()


def loss(out, states):
    """A number that every output counts in, each otherwise."""
    states = states if isinstance(states, tuple) else (states,)
    return sum((t * torch.linspace(-1, 1, t.numel()).reshape(t.shape)).sum() for t in (out, *states))


def gradients_as_theirs(ours) -> dict:
    """Our gradients by their names. Those of the sum of two biases stand under the first."""
    copy = rnnc.torch.Module(ours.recipe.name, dims={} if not ours._evaluation.spec.dims else dict(ours._evaluation.spec.dims))
    with torch.no_grad():
        for (_, to), (_, parameter) in zip(copy.named_parameters(), ours.named_parameters()):
            to.copy_(parameter.grad)
    return copy.to_torch_state_dict()


def compare_gradients(name, theirs, ours):
    found = gradients_as_theirs(ours)
    for key, parameter in theirs.named_parameters():
        if not key.startswith("bias_hh"):
            close(found[key], parameter.grad)
        elif name == "GRU":
            # Inside the reset gate there is a bias of its own; the others are sums with those of the other side.
            close(found[key][2 * H :], parameter.grad[2 * H :])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CELLS)
def test_outputs_and_gradients(name, shape):
    theirs, ours = pair(name, shape)
    x = torch.randn(T, B, I, requires_grad=True)
    x2 = x.detach().clone().requires_grad_()
    states = states_of(name, shape)
    twins = tuple(s.detach().clone().requires_grad_() for s in states) if name == "LSTM" else states.detach().clone().requires_grad_()

    out, last = theirs(x, states)
    out2, last2 = ours(x2, twins)
    close(out2, out)
    close(last2, last)

    loss(out, last).backward()
    loss(out2, last2).backward()
    close(x2.grad, x.grad)
    for a, b in zip(twins if name == "LSTM" else [twins], states if name == "LSTM" else [states]):
        close(a.grad, b.grad)
    compare_gradients(name, theirs, ours)


@pytest.mark.parametrize("name", CELLS)
def test_packed_sequences(name):
    theirs, ours = pair(name, "two layers in both directions")
    x = torch.randn(T, B, I)
    packed = pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    states = states_of(name, "two layers in both directions")
    out, last = theirs(packed, states)
    out2, last2 = ours(packed, states)
    assert torch.equal(out2.batch_sizes, out.batch_sizes)
    assert torch.equal(out2.sorted_indices, out.sorted_indices)
    assert torch.equal(out2.unsorted_indices, out.unsorted_indices)
    close(out2.data, out.data)
    close(last2, last)

    grads = torch.autograd.grad(loss(out.data, last), theirs.weight_hh_l0)
    loss(out2.data, last2).backward()
    close(gradients_as_theirs(ours)["weight_hh_l0"], grads[0])


def test_lengths_are_packing():
    theirs, ours = pair("LSTM", "both directions")
    x = torch.randn(T, B, I)
    out, last = theirs(pack_padded_sequence(x, LENGTHS, enforce_sorted=False))
    padded, _ = nn.utils.rnn.pad_packed_sequence(out)
    out2, last2 = ours(x, lengths=LENGTHS)
    close(out2, padded)
    close(last2, last)
    # Whatever lies behind the end counts for nothing, be it no number.
    x[5:, 2] = float("nan")
    close(ours(x, lengths=LENGTHS.tolist())[0], padded)


def test_sorted_packing_keeps_its_form():
    theirs, ours = pair("GRU", "one")
    packed = pack_padded_sequence(torch.randn(T, B, I), [9, 7, 7, 2])
    out, last = theirs(packed)
    out2, last2 = ours(packed)
    assert out2.sorted_indices is None
    close(out2.data, out.data)
    close(last2, last)


@pytest.mark.parametrize("name", CELLS)
def test_batch_first(name):
    theirs, ours = pair(name, "two layers", batch_first=True)
    x = torch.randn(B, T, I)
    out, last = theirs(x)
    out2, last2 = ours(x)
    assert out2.shape == (B, T, H)
    close(out2, out)
    close(last2, last)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_without_a_batch(name, batch_first):
    theirs, ours = pair(name, "two layers in both directions", batch_first=batch_first)
    x = torch.randn(T, I)
    states = states_of(name, "two layers in both directions", 1)
    states = tuple(s.squeeze(1) for s in states) if name == "LSTM" else states.squeeze(1)
    for given in (None, states):
        out, last = theirs(x, given)
        out2, last2 = ours(x, given)
        close(out2, out)
        close(last2, last)


def test_weights_go_there_and_back():
    theirs, ours = pair("LSTM", "two layers in both directions")
    again = nn.LSTM(I, H, num_layers=2, bidirectional=True)
    again.load_state_dict(ours.to_torch_state_dict())
    x = torch.randn(T, B, I)
    close(again(x)[0], theirs(x)[0])


def test_weights_that_do_not_fit():
    _, ours = pair("LSTM", "one")
    with pytest.raises(rnnc.torch.RunError, match="weight_hh_l0"):
        ours.load_torch_state_dict(nn.LSTM(I, H + 1).state_dict())
    with pytest.raises(rnnc.Error):
        ours.load_torch_state_dict({})


def test_training_is_the_same():
    theirs, ours = pair("LSTM", "one")
    x, target = torch.randn(T, B, I), torch.randn(T, B, H)
    for net in (theirs, ours):
        # Two biases in place of one would learn at twice the rate.
        parameters = [p for n, p in net.named_parameters() if "bias" not in n and not n.startswith("b_")]
        optimiser = torch.optim.SGD(parameters, lr=0.1)
        for _ in range(20):
            optimiser.zero_grad()
            value = (net(x)[0] - target).square().mean()
            value.backward()
            optimiser.step()
        net.value = value.item()
    assert abs(ours.value - theirs.value) < 1e-5
