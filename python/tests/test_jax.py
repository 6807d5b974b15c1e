"""rnnc.jax against the same cells written in `jax.lax.scan`, and under JAX's transformations."""

import functools
import re
import threading
from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402

import rnnc  # noqa: E402
import rnnc.jax  # noqa: E402

DOCS = Path(__file__).resolve().parents[2] / "docs"
T, B, I, H = 6, 3, 4, 5

LEAK = """
## Forgets at a rate it learns.
cell Leak(I, H, gain : real = 1) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1/sqrt(H))
  param U : [H, H] ~ uniform(1/sqrt(H))
  param a : [H] = 1
  h = tanh(σ(a) ⊙ h[t-1] + gain * (W @ x + U @ h[t-1]))
  out h
}
"""


def random(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, shape), jnp.float32)


def close(a, b, bound=1e-5):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=bound, atol=bound), a, b)


def masked(step):
    """A step that leaves the state of finished sequences, and puts out 0 for them."""

    def run(params, x, initial, lengths):
        def one(carry, given):
            t, x = given
            there = (t < lengths)[:, None]
            new = step(params, x, carry)
            kept = tuple(jnp.where(there, n, c) for n, c in zip(new, carry))
            return kept, tuple(jnp.where(there, n, 0) for n in new)

        return jax.lax.scan(one, initial, (jnp.arange(x.shape[0]), x))

    return run


def lstm_step(p, x, state):
    h, c = state
    gate = lambda g: x @ p[f"W_{g}"].T + h @ p[f"U_{g}"].T + p[f"b_{g}"]
    f, i, o = (jax.nn.sigmoid(gate(g)) for g in "fio")
    c = f * c + i * jnp.tanh(gate("r"))
    return o * jnp.tanh(c), c


def mult_step(p, x, state):
    h, c = state
    m = (x @ p["W_mx"].T) * (h @ p["W_mh"].T)
    gate = lambda g: x @ p[f"W_{g}x"].T + m @ p[f"W_{g}m"].T + p[f"b_{g}"]
    f, i, o = (jax.nn.sigmoid(gate(g)) for g in "fio")
    c = f * c + i * jnp.tanh(gate("h"))
    return o * jnp.tanh(c), c


def leak_step(p, x, state):
    (h,) = state
    return (jnp.tanh(jax.nn.sigmoid(p["a"]) * h + x @ p["W"].T + h @ p["U"].T),)


CELLS = {
    "LSTM": (lambda: rnnc.jax.cell(f"LSTM({I}, {H})"), lstm_step, ("h", "c")),
    "MultLSTM": (lambda: rnnc.jax.cell("MultLSTM", I=I, H=H), mult_step, ("h", "c")),
    "Leak": (lambda: rnnc.jax.cell(LEAK, "Leak", I=I, H=H), leak_step, ("h",)),
}


@pytest.fixture(scope="module", params=CELLS)
def pair(request):
    make, step, states = CELLS[request.param]
    return make(), masked(step), states


@pytest.fixture(scope="module")
def leak():
    return rnnc.jax.cell(LEAK, "Leak", I=I, H=H)


@pytest.mark.parametrize("jit, ragged", [(False, True), (True, False)])
def test_equals_scan(pair, jit, ragged):
    cell, scan, states = pair
    params, x = cell.init(3), random(T, B, I)
    initial = tuple(random(B, H, seed=k + 1) for k in range(len(states)))
    lengths = jnp.array([6, 2, 0] if ragged else [T] * B)
    weights = [random(T, B, H, seed=7), random(B, H, seed=8)]

    def ours(params, x, initial):
        given = {f"{name}0": a for name, a in zip(states, initial)}
        out = cell(params, x, initial=given, lengths=lengths if ragged else None)
        last = sum((weights[1] * out[f"{name}_last"]).sum() for name in states)
        return (weights[0] * out["h"]).sum() + last, out

    def theirs(params, x, initial):
        last, over = scan(params, x, initial, lengths)
        out = dict(zip(states, over)) | {f"{name}_last": a for name, a in zip(states, last)}
        return (weights[0] * out["h"]).sum() + sum((weights[1] * a).sum() for a in last), out

    wrap = jax.jit if jit else lambda f: f
    both = [wrap(jax.value_and_grad(f, argnums=(0, 1, 2), has_aux=True)) for f in (ours, theirs)]
    ((loss, out), grads), ((wanted, wanted_out), wanted_grads) = (f(params, x, initial) for f in both)
    close(loss, wanted)
    close({name: out[name] for name in wanted_out}, wanted_out)
    close(grads, wanted_grads)


def test_gradients_by_some_are_the_same(leak):
    params, x = leak.init(), random(T, B, I)
    loss = lambda params, x: (leak(params, x)["h"] ** 2).sum()
    by_both = jax.grad(loss, argnums=(0, 1))(params, x)
    close(jax.grad(loss)(params, x), by_both[0], 0)
    close(jax.grad(loss, argnums=1)(params, x), by_both[1], 0)
    by_a = jax.jit(jax.grad(lambda a: loss({**params, "a": a}, x)))(params["a"])
    close(by_a, by_both[0]["a"], 0)


@pytest.mark.parametrize("saved", [0, 1])
def test_whether_runs_are_kept_changes_nothing(saved):
    kept = rnnc.jax.cell(LEAK, "Leak", I=I, H=H)
    cell = rnnc.jax.cell(LEAK, "Leak", I=I, H=H, saved=saved)
    params, x = kept.init(), random(T, B, I)

    def loss(cell, params):
        # Three runs wait for their backward at once.
        h = cell(params, x)["h"]
        for _ in range(2):
            h = cell(params, jnp.concatenate([h[..., :1], x[..., 1:]], -1))["h"]
        return (h**2).sum()

    grads = [jax.jit(jax.grad(functools.partial(loss, c)))(params) for c in (kept, cell)]
    close(*grads, 0)


def test_no_run_waits_after_backward(leak):
    params, x = leak.init(), random(T, B, I)
    jax.block_until_ready(jax.jit(jax.grad(lambda p: leak(p, x)["h"].sum()))(params))
    runs = leak._op.program(tuple(sorted(params))).runs
    assert not runs.waiting and runs.last[1] is not None
    _, back = jax.vjp(lambda p: leak(p, x)["h"], params)
    assert len(runs.waiting) == 1 and runs.last[1] is None
    first, second = (back(jnp.ones((T, B, H)))[0] for _ in range(2))
    close(first, second, 0)
    for _ in range(40):  # Nobody ever goes back from these.
        jax.vjp(lambda p: leak(p, x)["h"], params)
    assert len(runs.waiting) == leak._op.saved


def test_a_token_from_elsewhere_is_no_run(leak):
    program = leak._op.program(("W",))
    real = {**leak.init(), "x": random(T, B, I)}
    given = {"h_adj": np.ones((T, B, H), np.float32)}
    out, token = program.run_saved(real, {})
    of_run = program.back(real, {}, given, token)
    strange = program.back(real, {}, given, np.array([1, 2, 3, 4], np.uint32))
    close(of_run, strange, 0)


def test_transformations(leak):
    params, x = leak.init(), random(T, B, I)
    f = lambda params, x: leak(params, x)["h"]
    xs = jnp.stack([x, 2 * x, -x])
    close(jax.vmap(f, (None, 0))(params, xs), jnp.stack([f(params, x) for x in xs]), 0)
    close(jax.jit(jax.vmap(f, (None, 0)))(params, xs), jnp.stack([f(params, x) for x in xs]), 0)
    loss = lambda params, x: (f(params, x) ** 2).sum()
    each = jax.vmap(jax.grad(loss), (None, 0))(params, xs)
    close(each, jax.tree.map(lambda *a: jnp.stack(a), *[jax.grad(loss)(params, x) for x in xs]), 0)
    close(jax.grad(jax.checkpoint(loss))(params, x), jax.grad(loss)(params, x), 0)

    def windows(params):
        """A long sequence window by window, states going on."""

        def one(h, x):
            out = leak(params, x, initial={"h0": h})
            return out["h_last"], out["h"]

        return (jax.lax.scan(one, jnp.zeros((B, H)), xs)[1] ** 2).sum()

    whole = lambda params: (f(params, xs.reshape(-1, B, I)) ** 2).sum()
    close(jax.jit(jax.value_and_grad(windows))(params), jax.value_and_grad(whole)(params))


def test_jacobian_and_higher_derivatives(leak):
    step = masked(leak_step)
    params, x = leak.init(), random(3, 2, I)
    lengths, zero = jnp.array([3, 3]), (jnp.zeros((2, H)),)
    f = lambda params, x: leak(params, x)["h"]
    g = lambda params, x: step(params, x, zero, lengths)[1][0]
    close(jax.jacrev(f)(params, x), jax.jacrev(g)(params, x))

    def penalty(f, params, x):
        """A gradient within a loss, as of gradient penalties."""
        by_x = jax.grad(lambda x: (f(params, x) ** 3).sum())(x)
        return (by_x**2).sum()

    ours, theirs = (jax.jit(jax.grad(functools.partial(penalty, h), argnums=(0, 1))) for h in (f, g))
    close(ours(params, x), theirs(params, x), 2e-5)
    direction = random(*x.shape, seed=5)
    hvp = lambda f: jax.grad(lambda x: (jax.grad(lambda x: f(params, x)[-1].sum())(x) * direction).sum())(x)
    close(hvp(f), hvp(g))
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda x: f(params, x), (x,), (direction,))


def test_f64_is_exact(leak):
    from jax.test_util import check_grads

    with jax.enable_x64(True):
        params = leak.init(dtype=jnp.float64)
        x = jnp.asarray(random(3, 2, I), jnp.float64)
        h0 = jnp.asarray(random(2, H, seed=4), jnp.float64)
        lengths = jnp.array([3, 1])
        f = lambda params, x, h0: leak(params, x, initial={"h0": h0}, lengths=lengths)["h"]
        assert f(params, x, h0).dtype == jnp.float64
        # Central differences are good to so much; the same cell in JAX itself to more.
        check_grads(f, (params, x, h0), order=1, modes=["rev"], atol=1e-5, rtol=1e-5)
        g = lambda params, x, h0: masked(leak_step)(params, x, (h0,), lengths)[1][0]
        close(f(params, x, h0), g(params, x, h0), 1e-14)
        by_all = lambda f: jax.grad(lambda *a: (f(*a) ** 3).sum(), argnums=(0, 1, 2))
        close(by_all(f)(params, x, h0), by_all(g)(params, x, h0), 1e-12)
        square = lambda f: lambda *a: sum((g**2).sum() for g in jax.tree.leaves(by_all(f)(*a)))
        close(jax.grad(square(f))(params, x, h0), jax.grad(square(g))(params, x, h0), 1e-11)


def test_symbols_and_a_loss():
    text = """
    model Tag(V, K, E, H) {
      in w : seq<n> of id(V)
      in y : seq<n> of id(K)
      e = Embed(V, E)(w)
      h = LSTM(E, H)(e)
      z = Dense(H, K)(h)
      out z
      loss cross_entropy(z, y)
    }
    """
    cell = rnnc.jax.cell(text, "Tag(7, 3, 4, 5)")
    params = cell.init()
    w, y = jnp.arange(6).reshape(3, 2) % 7, jnp.arange(6).reshape(3, 2) % 3
    loss = lambda params: cell(params, w, y=y)["loss"].mean()
    value, grads = jax.jit(jax.value_and_grad(loss))(params)

    def theirs(params):
        z = cell(params, w, y=y)["z"]
        each = jax.nn.logsumexp(z, -1) - jnp.take_along_axis(z, y[..., None], -1)[..., 0]
        return each.mean()

    wanted, wanted_grads = jax.value_and_grad(theirs)(params)
    close(value, wanted)
    close(grads, wanted_grads)
    # What does not count has no gradient, also where another output does.
    none = jax.grad(lambda params: 0 * cell(params, w, y=y)["z"].sum())(params)
    assert all((g == 0).all() for g in none.values())
    with_dict = cell(params, {"w": w, "y": y})["loss"]
    close(with_dict.mean(), value, 0)
    by_all = jax.grad(lambda p, w: cell(p, w, y=y)["loss"].sum(), argnums=1, allow_int=True)(params, w)
    assert by_all.dtype == jax.dtypes.float0


def test_trees_and_grids():
    grid = rnnc.jax.cell(f"MDRNN({I}, {H})")
    params, x = grid.init(), random(3, 4, B, I)
    assert grid(params, x)["h"].shape == (3, 4, B, H)
    check_by_differences(lambda x: (grid(params, x)["h"] ** 2).sum(), x)
    tree = rnnc.jax.cell(f"TreeLSTM({I}, {H})")
    params, x = tree.init(), random(5, 2, I)
    # Two trees of five nodes, children before parents: a pair of pairs, and a chain.
    children = jnp.array(
        [[[-1, -1], [-1, -1], [0, 1], [-1, -1], [2, 3]], [[-1, -1], [0, -1], [1, -1], [2, -1], [3, -1]]]
    )
    assert jax.jit(tree)(params, x, children=children)["h"].shape == (5, 2, H)
    check_by_differences(lambda x: (tree(params, x, children=children)["h"][-1] ** 2).sum(), x)


def check_by_differences(f, x, step=1e-2):
    """The slope along a direction, by central differences of the f32 function."""
    direction = random(*x.shape, seed=11)
    wanted = (f(x + step * direction) - f(x - step * direction)) / (2 * step)
    got = (jax.grad(f)(x) * direction).sum()
    np.testing.assert_allclose(got, wanted, rtol=2e-3)


def test_noise_is_drawn_from_a_key():
    text = """
    layer Dropped(I, H)(x : seq<n> of [I]) {
      h = LSTM(I, H)(x)
      y = Dropout(0.5)(h)
      out y
    }
    """
    cell = rnnc.jax.cell(text, f"Dropped({I}, {H})", training=True)
    params, x = cell.init(), random(T, B, I)
    one, two = jax.random.key(1), jax.random.key(2)
    run = jax.jit(lambda key: cell(params, x, key=key)["y"])
    close(run(one), run(one), 0)
    assert (run(one) != run(two)).any()
    dropped = run(one) == 0
    assert 0.2 < dropped.mean() < 0.8
    # Forward and backward see the same noise: of what was dropped there is no gradient.
    loss = lambda x: jnp.where(dropped, cell(params, x, key=one)["y"], 0).sum()
    assert (jax.grad(loss)(x) == 0).all()
    with pytest.raises(ValueError, match="give key="):
        cell(params, x)
    calm = rnnc.jax.cell(text, f"Dropped({I}, {H})")
    with pytest.raises(ValueError, match="draws no noise"):
        calm(params, x, key=one)


def test_many_large_calls_do_not_wait_for_each_other(leak):
    """Callbacks that read large arrays have made JAX wait for itself; this would not end."""
    params, x = leak.init(), random(200, 64, I)
    step = jax.jit(jax.grad(lambda p: (leak(p, x)["h"] ** 2).sum()))

    def run():
        g = params
        for _ in range(10):
            g = step(g)
        jax.block_until_ready(g)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()


def test_threads_change_no_bit(leak):
    two = rnnc.jax.cell(LEAK, "Leak", I=I, H=H, threads=2)
    params, x = leak.init(), random(50, 32, I)
    grads = [jax.grad(lambda p, c=c: (c(p, x)["h"] ** 2).sum())(params) for c in (leak, two)]
    close(*grads, 0)


def test_only_what_is_wanted():
    cell = rnnc.jax.cell("LSTM", I=I, H=H, outputs=["h_last"])
    assert set(cell(cell.init(), random(T, B, I))) == {"h_last"}


def test_arguments_by_name():
    cell = rnnc.jax.cell(LEAK, "Leak", I=I, H=H, gain=0.5)
    whole = rnnc.jax.cell(LEAK, f"Leak({I}, {H}, gain = 0.5)")
    x = random(T, B, I)
    close(cell(cell.init(), x), whole(whole.init(), x), 0)
    assert "x : [" in repr(cell) and "W : [5, 4]" in repr(cell)


def test_mistakes(leak, tmp_path):
    params, x = leak.init(), random(T, B, I)
    refused = pytest.raises
    with refused(TypeError, match="parameter `W` is missing"):
        leak({k: v for k, v in params.items() if k != "W"}, x)
    with refused(TypeError, match="no parameter `V`; there are `W`"):
        leak({**params, "V": x}, x)
    with refused(TypeError, match="the input `x` is missing"):
        leak(params)
    with refused(TypeError, match="no initial state `c0`"):
        leak(params, x, initial={"c0": jnp.zeros((B, H))})
    with refused(ValueError, match=re.escape("`x` has shape [6, 4], but x : [")):
        leak(params, x[:, 0])
    with refused(ValueError, match="as others have batch = 3"):
        leak(params, x, initial={"h0": jnp.zeros((B + 1, H))})
    with refused(TypeError, match="`x` has elements of int32; floating-point"):
        leak(params, jnp.ones((T, B, I), jnp.int32))
    with refused(TypeError, match="all real arrays are float32 or all float64"):
        leak(params, x.astype(jnp.bfloat16))
    with refused(TypeError, match="`lengths` has elements of float32; integers"):
        leak(params, x, lengths=jnp.ones(B))
    with refused(ValueError, match="`lengths` holds -1"):
        leak(params, x, lengths=jnp.array([6, -1, 2]))
    with refused(ValueError, match="one row for each of 3 examples"):
        leak(params, x, lengths=jnp.array([6, 1]))
    # What is known only while it runs is refused by JAX with rnnc's message in it.
    with refused(Exception, match="no length from 0 to 6"):
        jax.block_until_ready(jax.jit(lambda n: leak(params, x, lengths=n)["h"])(jnp.array([6, -1, 2])))
    with refused(rnnc.Error) as caught:
        rnnc.jax.cell(LEAK.replace("W @ x", "W @ y"), "Leak", I=I, H=H)
    assert caught.value.line == 9 and "`y`" in str(caught.value)
    with refused(OSError):
        rnnc.jax.cell(tmp_path / "none.rnn", "Leak")
    with refused(rnnc.Error, match="H"):
        rnnc.jax.cell(LEAK, "Leak(3, H)")


def test_the_page():
    """The examples of docs/python-jax.md, in their order."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "python-jax.md").read_text(), re.S)
    assert len(blocks) > 3
    names = {}
    for block in blocks:
        exec(compile(block, "python-jax.md", "exec"), names)
