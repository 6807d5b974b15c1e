"""Calls of a module: what goes in and comes out, states, lengths, noise, trees, grids, models, and what is refused."""

import pytest

torch = pytest.importorskip("torch")

import rnnc
import rnnc.torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from rnnc.torch.ops import _packed as packed
from torch_support import close

LEAK = """
cell Leak(I, H, rate : real = 1) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1/sqrt(H))
  param a : [H] = rate
  h = tanh(σ(a) ⊙ h[t-1] + W @ x)
  out h
}
"""
TAGGER = """
model Tagger(V, K, H) {
  in w : seq<n> of id(V)
  in y : seq<n> of id(K)
  e = Embed(V, 4)(w)
  h = LSTM(4, H)(e)
  z = Dense(H, K)(h)
  out z
  loss cross_entropy(z, y)
  metric right = accuracy(z, y)
}
"""


# Making one.


def test_names_of_parameters_are_those_of_the_equations():
    net = rnnc.torch.Module("Stack(2, Bi(LSTM(_, 5)))", I=3)
    names = dict(net.named_parameters())
    assert names["l1.fw.W_f"].shape == (5, 3)
    assert names["l2.bw.U_o"].shape == (5, 5)
    assert list(net.state_dict()) == [port.name for port in net.recipe.params]
    assert net.l1.fw.W_f is names["l1.fw.W_f"]


def test_a_name_alone_takes_its_arguments_by_keyword():
    assert rnnc.torch.Module("GRU", I=3, H=4, reset="after").recipe.name == "GRU(I = 3, H = 4, reset = after)"
    assert dict(rnnc.torch.Module("Leak", LEAK, I=2, H=3, rate=0.5).named_parameters())["a"][0] == 0.5
    assert rnnc.torch.Module("Stack(2, GRU(_, 4))", I=3)(torch.zeros(2, 1, 3))[0].shape == (2, 1, 4)
    with pytest.raises(rnnc.torch.InputError, match="numbers for H"):
        rnnc.torch.Module("LSTM(3, H)")
    with pytest.raises(TypeError, match="takes numbers"):
        rnnc.torch.Module("LSTM(3, H)", H="4")


def test_a_file(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "leak.rnn").write_text(LEAK, encoding="utf-8")
    path = tmp_path / "cell.rnn"
    path.write_text('use "lib/leak.rnn"\ncell Slow(I, H) = Leak(I, H) with { param a : [H] = 3 }\n', encoding="utf-8")
    net = rnnc.torch.load(path, "Slow", I=2, H=3)
    assert net.a.tolist() == [3, 3, 3]
    with pytest.raises(FileNotFoundError):
        rnnc.torch.load(tmp_path / "none.rnn", "Slow")
    path.write_text("cell Slow(I, H) {\n  in x : [I]\n  h = tanh(y)\n  out h\n}\n", encoding="utf-8")
    with pytest.raises(rnnc.Error) as caught:
        rnnc.torch.load(path, "Slow", I=2, H=3)
    assert caught.value.line == 3 and caught.value.file.endswith("cell.rnn")


def test_the_seed_decides():
    make = lambda **how: rnnc.torch.Module("LSTM(3, 4)", **how).W_f.detach()
    torch.manual_seed(4)
    first, second = make(), make()
    torch.manual_seed(4)
    assert torch.equal(make(), first) and not torch.equal(first, second)
    assert torch.equal(make(seed=9), make(seed=9))
    net = rnnc.torch.Module("LSTM(3, 4)", seed=9)
    net.reset_parameters(10)
    assert not torch.equal(net.W_f, make(seed=9))
    # As declared: LSTM's forget gate is open, its weights are uniform.
    assert net.b_f.tolist() == [1, 1, 1, 1] and net.W_f.abs().max() <= 0.5


def test_names_that_modules_use_themselves():
    net = rnnc.torch.Module("Odd(3)", "cell Odd(H) { in x : [H]; param forward, half : [H] = 1\n y = forward ⊙ x + half\n out y }")
    assert sorted(net.state_dict()) == ["forward", "half"]
    out, states = net(torch.ones(2, 1, 3))
    assert out.tolist() == [[[2, 2, 2]], [[2, 2, 2]]] and states is None
    out.sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_what_is_not_trained():
    net = rnnc.torch.Module("LSTM(3, 4)", fixed=["W_f", "b_f"])
    assert {"W_f", "b_f"} == {name for name, _ in net.named_buffers()}
    net(torch.ones(2, 1, 3))[0].sum().backward()
    assert net.U_f.grad is not None and net.W_f.grad is None
    with pytest.raises(rnnc.torch.InputError, match="no parameter `V`"):
        rnnc.torch.Module("LSTM(3, 4)", fixed=["V"])


def test_it_prints():
    text = repr(rnnc.torch.Module("Stack(2, Bi(LSTM(_, 5)))", I=3, batch_first=True))
    assert "x [batch, n, 3] -> l [batch, n, 10]" in text and "h [4, batch, 5], c [4, batch, 5]" in text


# Outputs and states.


def test_states_by_name_and_stacked_are_the_same():
    net = rnnc.torch.Module("Stack(2, Bi(LSTM(_, 5)))", I=3)
    assert net.state_names[0] == ["l1.fw.h", "l1.bw.h", "l2.fw.h", "l2.bw.h"]
    x, h, c = torch.randn(6, 2, 3), torch.randn(4, 2, 5), torch.randn(4, 2, 5)
    out, (h1, c1) = net(x, (h, c))
    names = net.state_names
    by_name = {name: t for group, value in zip(names, (h, c)) for name, t in zip(group, value)}
    out2, last = net(x, by_name)
    assert torch.equal(out, out2)
    for k, name in enumerate(names[0]):
        assert torch.equal(last[name], h1[k])
    # Those that are left out are as declared.
    only = {"l1.fw.h": h[0]}
    zeros = torch.zeros_like(h)
    close(net(x, only)[0], net(x, (torch.cat([h[:1], zeros[1:]]), zeros))[0])


def test_a_sequence_in_two_pieces():
    net = rnnc.torch.Module("MultLSTM(3, 4)")
    x = torch.randn(9, 2, 3)
    whole, last = net(x)
    first, states = net(x[:4])
    second, last2 = net(x[4:], states)
    close(torch.cat([first, second]), whole)
    close(last2, last)


def test_an_empty_sequence_leaves_the_state():
    net = rnnc.torch.Module("GRU(3, 4)")
    h = torch.randn(1, 2, 4)
    out, last = net(torch.randn(5, 2, 3), h, lengths=[0, 3])
    assert torch.equal(last[0, 0], h[0, 0]) and not out[:, 0].any()


def test_outputs_that_are_asked_for():
    net = rnnc.torch.Module("LSTM(3, 4)", outputs=["h", "c"])
    out, (h, c) = net(torch.randn(5, 2, 3))
    assert list(out) == ["h", "c"]
    assert torch.equal(out["c"][-1], c[0])
    with pytest.raises(rnnc.Error):
        rnnc.torch.Module("LSTM(3, 4)", outputs=["y"])


def test_a_state_that_runs_backwards_has_no_last_value():
    net = rnnc.torch.Module("BRNN(3, 4, 2)")
    out, states = net(torch.randn(5, 2, 3), {"f": torch.randn(2, 4), "b": torch.randn(2, 4)})
    assert out.shape == (5, 2, 2) and list(states) == ["f"]
    assert net(torch.randn(5, 2, 3))[1].shape == (1, 2, 4)


def test_several_inputs():
    net = rnnc.torch.Module("MatchLSTM(3, 4)")
    ht, hs = torch.randn(5, 2, 3), torch.randn(7, 2, 3)
    out, _ = net(ht, hs=hs)
    assert torch.equal(out, net(ht=ht, hs=hs)[0])
    short = net(ht, hs=hs, lengths={"n": [5, 3], "M": [2, 7]})[0]
    close(short[:3, 1], net(ht[:3], hs=hs)[0][:, 1])
    with pytest.raises(rnnc.torch.InputError, match="by name"):
        net(ht, hs=hs, lengths=[5, 3])


def test_packed_and_other_inputs():
    net = rnnc.torch.Module("CfC(3, 4)")
    x, dt = torch.randn(5, 2, 3), torch.rand(5, 2)
    pack = lambda t: pack_padded_sequence(t, [2, 5], enforce_sorted=False)
    out, _ = net(pack(x), dt=pack(dt))
    close(pad_packed_sequence(out)[0], net(x, dt=dt, lengths=[2, 5])[0])
    with pytest.raises(rnnc.torch.InputError, match="must be packed too"):
        net(pack(x), dt=dt)


def test_a_grid():
    net = rnnc.torch.Module("MDLSTM(3, 4)", batch_first=True)
    x = torch.randn(2, 5, 6, 3, requires_grad=True)
    out, states = net(x, lengths=[[5, 6], [3, 2]])
    assert out.shape == (2, 5, 6, 4) and states is None
    assert not out[1, 3:].any() and not out[1, :, 2:].any()
    close(out[1, :3, :2], net(x[1, :3, :2])[0])
    out.sum().backward()
    assert not x.grad[1, 3:].any()
    with pytest.raises(rnnc.torch.InputError, match=r"\[batch, 2\]"):
        net(x, lengths=[5, 3])


def test_trees():
    net = rnnc.torch.Module("TreeLSTM(3, 4)")
    children = torch.tensor([[[-1, -1], [-1, -1], [0, 1]], [[-1, -1], [0, -1], [-1, -1]]])
    x = torch.randn(3, 2, 3)
    out, _ = net(x, children=children, lengths=[3, 2])
    assert not out[2, 1].any()
    changed = x.clone()
    changed[0, 0] += 1
    moved = (net(changed, children=children, lengths=[3, 2])[0] - out).abs().sum(-1) > 0
    # The root sees its children, and nobody else's.
    assert moved.tolist() == [[True, False], [False, False], [True, False]]
    close(net(x[:, 0], children=children[0])[0], out[:, 0])
    with pytest.raises(rnnc.torch.InputError, match=r"\[batch, nodes, edges\]"):
        net(x, children=children[0])
    with pytest.raises(rnnc.Error, match="children"):
        net(x)


def test_a_grid_has_gradients():
    net = rnnc.torch.Module("MDRNN(2, 2)", seed=3).double()
    x = torch.randn(3, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: net(x, lengths=[[3, 2], [2, 1]])[0], (x,))


def test_trees_have_gradients():
    net = rnnc.torch.Module("NaryTreeLSTM(2, 2, K = 2)", seed=3).double()
    children = torch.tensor([[[-1, -1], [-1, -1], [0, 1]]])
    x = torch.randn(3, 1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: net(x, children=children)[0], (x,))


def test_a_model_with_a_loss():
    net = rnnc.torch.Module("Tagger", TAGGER, V=6, K=3, H=4)
    w, y = torch.randint(6, (5, 2)), torch.randint(3, (5, 2))
    out, _ = net(w=w, y=y)
    assert sorted(out) == ["loss", "metric.right", "z"]
    close(out["loss"], nn.functional.cross_entropy(out["z"].flatten(0, 1), y.flatten()))
    out["loss"].backward()
    first = net.h.W_f.grad.clone()
    net.zero_grad()
    # What is made of the outputs counts, and the loss does not if it is not used.
    nn.functional.cross_entropy(net(w=w, y=y)[0]["z"].flatten(0, 1), y.flatten()).backward()
    close(net.h.W_f.grad, first)


# Noise.


def test_noise_is_drawn_in_training_only():
    net = rnnc.torch.Module("Dropout(0.5)", dims={"N": 50})
    x = torch.ones(4, 2, 50)
    torch.manual_seed(3)
    a = net(x)[0]
    b = net(x)[0]
    torch.manual_seed(3)
    assert torch.equal(net(x)[0], a) and not torch.equal(a, b)
    assert set(a.unique().tolist()) == {0, 2}
    assert torch.equal(net.eval()(x)[0], x)


def test_both_passes_see_the_same_noise():
    net = rnnc.torch.Module("Dropout(0.5)", dims={"N": 50})
    x = torch.ones(4, 2, 50, requires_grad=True)
    out, _ = net(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())
    # Also where the forward pass is made again, as the copy of the token is not known.
    program = net._training
    given = [x.detach(), None, None, torch.tensor([7])]
    outputs = program.ops.forward(*packed(given), "1")
    (grad,) = program.ops.backward(outputs[-1].clone(), *packed(given), *packed([torch.ones_like(x)]), "1")
    assert torch.equal(grad, outputs[0])


# What is refused, and how.


def lstm(**options):
    return rnnc.torch.Module("LSTM(3, 4)", **options)


@pytest.mark.parametrize(
    "call, kind, text",
    [
        (lambda n: n(torch.zeros(5, 2, 4)), RuntimeError, r"`x` has shape \[5, 2, 4\], but \[n, batch, 3\] is needed"),
        (lambda n: n(torch.zeros(5)), ValueError, "or unbatched"),
        (lambda n: n(torch.zeros(5, 2, 3).double()), TypeError, r"x\.float\(\)"),
        (lambda n: n(torch.zeros(5, 2, 3).half()), RuntimeError, r"x\.float\(\)"),
        (lambda n: n(torch.zeros(5, 2, 3).long()), TypeError, r"x\.float\(\)"),
        (lambda n: n([[1.0]]), TypeError, "torch.as_tensor"),
        (lambda n: n(torch.zeros(5, 2, 3), y=1), TypeError, "no input `y`"),
        (lambda n: n(torch.zeros(5, 2, 3, device="meta")), RuntimeError, "meta device"),
        (lambda n: n(torch.zeros(5, 2, 3), torch.zeros(1, 2, 4)), ValueError, "1 states are given, but there are 2"),
        (lambda n: n(torch.zeros(5, 2, 3), (torch.zeros(2, 4),) * 2), RuntimeError, r"\[1, batch, 4\] is needed"),
        (lambda n: n(torch.zeros(5, 2, 3), (torch.zeros(1, 3, 4),) * 2), ValueError, "h0"),
        (lambda n: n(torch.zeros(5, 2, 3), {"s": torch.zeros(2, 4)}), ValueError, "no state `s`; there are h, c"),
        (lambda n: n(torch.zeros(5, 2, 3), lengths=[5, -1]), RuntimeError, "-1"),
        (lambda n: n(torch.zeros(5, 2, 3), lengths=[6, 1]), RuntimeError, "6"),
        (lambda n: n(torch.zeros(5, 2, 3), lengths=[5]), ValueError, "lengths"),
        (lambda n: n(torch.zeros(5, 2, 3), lengths=[5.0, 1.0]), TypeError, r"lengths\.long\(\)"),
        (lambda n: n(torch.zeros(5, 2, 3), lengths={"m": [5, 1]}), ValueError, "no extent `m`"),
        (lambda n: n(), ValueError, "x"),
    ],
)
def test_refused(call, kind, text):
    with pytest.raises(kind, match=text):
        call(lstm())


def test_refused_with_the_batch_first():
    with pytest.raises(rnnc.torch.InputError, match=r"\[batch, n, 3\] is needed"):
        lstm(batch_first=True)(torch.zeros(2, 5, 4))


def test_a_module_in_half_precision_is_refused():
    with pytest.raises(TypeError, match="a module in float32"):
        lstm().half()(torch.zeros(5, 2, 3).half())
    with pytest.raises(TypeError, match=r"module\.double\(\)"):
        lstm()(torch.zeros(5, 2, 3, dtype=torch.float64))


def test_autocast_says_what_to_do():
    net, head = lstm(), nn.Linear(3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        x = head(torch.zeros(5, 2, 3))
        with pytest.raises(RuntimeError, match="enabled=False"):
            net(x)
        with torch.autocast("cpu", enabled=False):
            assert net(x.float())[0].dtype is torch.float32


def test_symbols():
    net = rnnc.torch.Module("Embed(5, 3)")
    w = torch.tensor([[0, 4], [1, 2]])
    assert torch.equal(net(w)[0], net.table[w])
    net(w.int())[0].sum().backward()
    assert net.table.grad[3].abs().sum() == 0 and net.table.grad[4].tolist() == [1, 1, 1]
    with pytest.raises(rnnc.Error):
        net(torch.tensor([[5]]))
    with pytest.raises(TypeError, match=r"w\.long\(\)"):
        net(w.float())


def test_what_is_not_contiguous_is_copied():
    net = lstm()
    x = torch.randn(3, 2, 5).movedim(-1, 0).movedim(1, 2)
    assert not x.is_contiguous()
    assert torch.equal(net(x)[0], net(x.contiguous())[0])
    out, _ = net(x)
    out.sum().backward()  # an expanded cotangent
    assert net.W_f.grad.abs().sum() > 0
