"""The chain cells of the standard library as modules: gradients, gradients of gradients, and what PyTorch asks of an operator."""

import pytest

torch = pytest.importorskip("torch")

import rnnc
import rnnc.torch
from torch.func import functional_call
from rnnc.torch.ops import _packed as packed
from torch_support import SLOW, Case, arguments, cases, flat, kinds, module

KINDS = kinds()


def axes(case: Case) -> int:
    recipe = rnnc.Library.standard().recipe(case.recipe)
    return max(len(port.axes) for port in recipe.inputs)


FUNCTIONS = {item.name for item in rnnc.Library.standard().items() if item.kind == "fn"}
# A layer takes grids or not, whatever stands in its first line.
CHAINS = [case for case in [*cases(), Case("LGTransition(D = 2, E = 2)", 3)] if case.name not in {*KINDS, *FUNCTIONS} and axes(case) < 2]


def one_of_each():
    """The first recipe of each name; with RNNC_SLOW=1 all."""
    seen = set()
    for case in CHAINS:
        yield pytest.param(case, id=str(case), marks=[SLOW] if case.name in seen else [])
        seen.add(case.name)


each_chain = pytest.mark.parametrize("case", list(one_of_each()))


def test_every_chain_cell_is_among_them():
    tested = {case.name for case in CHAINS}
    items = rnnc.Library.standard().items()
    missing = {item.name for item in items if item.kind in ("cell", "layer")} - tested - set(KINDS)
    assert len(tested) > 50
    # Layers over grids.
    assert missing == {"LGNet", "MultiDirectional"}


def function(net, steps, dtype):
    """A module as a function of all its real tensors, and these."""
    inputs, keywords = arguments(net, steps, dtype)
    states = keywords.pop("states", {})
    reals = {("input", n): t for n, t in inputs.items() if t.is_floating_point()}
    reals.update({("state", n): t for n, t in states.items()})
    reals.update({("param", n): p.detach() for n, p in net.named_parameters()})
    whole = {n: t for n, t in inputs.items() if not t.is_floating_point()}

    def run(*tensors):
        by = {kind: {n: t for (k, n), t in zip(reals, tensors) if k == kind} for kind in ("input", "state", "param")}
        given = {**whole, **by["input"], **keywords}
        if by["state"]:
            given["states"] = by["state"]
        return flat(functional_call(net, by["param"], (), given))

    return run, tuple(t.requires_grad_() for t in reals.values())


@each_chain
def test_gradcheck(case: Case):
    net = module(case).double().eval()
    run, tensors = function(net, min(case.steps, 4), torch.float64)
    assert torch.autograd.gradcheck(run, tensors, fast_mode=True, check_batched_grad=False)


@pytest.mark.parametrize("recipe", ["LSTM(2, 2)", "Stack(2, Bi(GRU(_, 1)))", "MultLSTM(2, 2)"])
def test_gradcheck_of_every_element(recipe):
    net = module(Case(recipe, 3)).double()
    run, tensors = function(net, 3, torch.float64)
    assert torch.autograd.gradcheck(run, tensors)


@each_chain
def test_gradgradcheck(case: Case):
    net = module(case).double().eval()
    run, tensors = function(net, min(case.steps, 3), torch.float64)
    assert torch.autograd.gradgradcheck(run, tensors, fast_mode=True)


@each_chain
def test_opcheck(case: Case):
    net = module(case).eval()
    program = net._evaluation
    inputs, keywords = arguments(net, case.steps)
    given = dict(inputs)
    given.update((f"{port.name}", keywords["states"][port.state]) for port in program.initial)
    given.update((f"lengths_{axis}", lengths) for axis, lengths in keywords.get("lengths", {}).items())
    given.update(net.named_parameters())
    tensors = [given.get(slot.name) for slot in program.slots]
    tensors = [t.detach().requires_grad_(t.is_floating_point()) if t is not None else None for t in tensors]
    save = sum(1 << bit for bit, t in enumerate(tensors) if t is not None and t.requires_grad)
    report = torch.library.opcheck(program.ops.forward, (*packed([*tensors, None]), f"{save:x}"))
    assert set(report.values()) == {"SUCCESS"}, report


@pytest.mark.parametrize("recipe", ["LSTM(2, 3)", "Bi(GRU(2, 3))"])
def test_opcheck_of_the_way_back(recipe):
    net = module(Case(recipe, 4))
    program = net._evaluation
    inputs, _ = arguments(net, 4)
    given = {**inputs, **{n: p.detach() for n, p in net.named_parameters()}}
    tensors = [given.get(slot.name) for slot in program.slots]
    wrt = sum(1 << bit for bit, t in enumerate(tensors) if t is not None)
    *outputs, token = program.ops.forward(*packed([*tensors, None]), f"{wrt:x}")
    cotangents = [torch.ones_like(output) for output in outputs]
    torch.library.opcheck(program.ops.backward, (token, *packed([*tensors, None]), *packed(cotangents), f"{wrt:x}"))
