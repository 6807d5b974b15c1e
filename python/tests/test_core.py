"""Libraries, recipes, runs, gradients: what goes in and what comes out."""

import copy
import pickle

import numpy as np
import pytest

import rnnc
from made_up import compiled, cotangents, everything, library_recipes, standard

RECIPES = library_recipes()


def test_libraries_tell_what_they_have(library):
    (item,) = library.items()
    assert (item.kind, item.name, item.signature) == ("cell", "Leak", "Leak(I, H, gain : real = 1)")
    assert item.docs == "Forgets at a rate it learns.\nWith a second line."
    assert repr(item) == "<cell Leak(I, H, gain : real = 1): Forgets at a rate it learns.>"
    assert repr(library) == "Library of leak.rnn\n  cell   Leak(I, H, gain : real = 1)"
    assert library.check() == []
    names = {item.name for item in rnnc.cells()}
    assert {"LSTM", "GRU", "MDLSTM", "TreeLSTM"} <= names
    assert {item.kind for item in rnnc.cells(None)} == {"cell", "layer", "fn"}
    assert all(item.docs for item in rnnc.cells()), [item for item in rnnc.cells() if not item.docs]


def test_recipes_tell_what_they_are(library):
    recipe = library.recipe("Leak(I, H)")
    assert (recipe.name, recipe.dims, recipe.declared) == ("Leak(I, H)", ["I", "H"], ["h"])
    assert recipe.docs.startswith("Forgets")
    shown = [repr(p) for p in [*recipe.inputs, *recipe.params, *recipe.initial, *recipe.outputs]]
    assert shown == [
        "Port(x : [n, batch, I])",
        "Port(W : [H, I])",
        "Port(a : [H])",
        "Port(h0 : [batch, H])",
        "Port(h : [n, batch, H])",
        "Port(h_last : [batch, H])",
    ]
    h0 = recipe.initial[0]
    assert (h0.kind, h0.state, h0.axes, h0.per_example) == ("initial", "h", (), True)
    assert (h0.dims, h0.extents, h0.elements, h0.symbols) == (("H",), None, "real", None)
    assert recipe.equations().startswith("h = tanh(σ(a) ⊙ h[t-1]")
    assert "sigmoid" in recipe.equations("ascii")
    assert "W_adj" in recipe.gradient(["W"]) and "x_adj" not in recipe.gradient(["W"])
    assert r"\bar{h}" in recipe.gradient(notation="latex")
    assert recipe._repr_latex_().startswith("$$\n\\begin{aligned}")
    assert "k0" in library.recipe("Leak(3, 4)").kernels(gradient=True)
    assert repr(recipe) == (
        "Recipe Leak(I, H), open: I, H\n"
        "  input    x       [n, batch, I]\n"
        "  param    W       [H, I]\n"
        "  param    a       [H]\n"
        "  initial  h0      [batch, H], may be left out\n"
        "  output   h       [n, batch, H]\n"
        "  output   h_last  [batch, H]"
    )


def test_symbols_have_a_number():
    port = rnnc.Library.standard().recipe("Embed(V = 5, E = 3)").inputs[0]
    assert (port.elements, port.symbols) == ("id", 5)


def test_dims_and_outputs_are_options(library):
    recipe = library.recipe("Leak(I, H)", dims={"I": 3, "H": 4}, outputs=["h_last"])
    assert recipe.dims == [] and [p.name for p in recipe.outputs] == ["h_last"]
    cell = recipe.compile(gradients=False, threads=2, interpret=True, max_memory=1 << 20)
    assert list(cell.forward(everything(cell))) == ["h_last"]
    assert cell.recipe.name == "Leak(I, H)"


def test_a_run_has_the_conventions_of_shapes(leak, x):
    out = leak.forward({**leak.init(seed=7), "x": x})
    assert {name: a.shape for name, a in out.items()} == {"h": (5, 2, 4), "h_last": (2, 4)}
    assert all(a.dtype == np.float32 and a.flags.writeable for a in out.values())
    np.testing.assert_array_equal(out["h"][-1], out["h_last"])
    # By hand.
    params = leak.init(seed=7)
    rate = 1 / (1 + np.exp(-params["a"]))
    h = np.zeros((2, 4))
    for t in range(5):
        h = np.tanh(rate * h + x[t] @ params["W"].T)
    np.testing.assert_allclose(out["h_last"], h, atol=1e-6)


def test_the_same_seed_draws_the_same_parameters(leak):
    first, again, other = leak.init(3), leak.init(seed=3), leak.init(4)
    np.testing.assert_array_equal(first["W"], again["W"])
    assert not np.array_equal(first["W"], other["W"])
    np.testing.assert_array_equal(first["a"], np.ones(4, np.float32))


def test_lengths_end_an_example(leak, x):
    given = {**leak.init(), "x": x}
    for lengths in ([5, 2], np.array([5, 2]), np.array([5, 2], np.int32), np.array([5, 2], np.uint8)):
        out = leak.forward({**given, "lengths": lengths})
        assert not out["h"][2:, 1].any()
        np.testing.assert_array_equal(out["h_last"][1], out["h"][1, 1])


def test_initial_states_go_on_where_another_run_ended(leak, x):
    params = leak.init()
    whole = leak.forward({**params, "x": x})
    head = leak.forward({**params, "x": x[:2]})
    tail = leak.forward({**params, "x": x[2:], "h0": head["h_last"]})
    np.testing.assert_allclose(tail["h"], whole["h"][2:], atol=1e-6)


def test_arrays_of_any_strides_are_the_same(leak, x):
    params = leak.init()
    plain = leak.forward({**params, "x": x})["h"]
    turned = np.ascontiguousarray(x.transpose(1, 0, 2)).transpose(1, 0, 2)
    wide = np.concatenate([x, x], axis=2)[:, :, 3:]
    backwards = np.ascontiguousarray(x[::-1])[::-1]
    swapped = x.astype(x.dtype.newbyteorder())
    shifted = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    assert not shifted.flags.aligned
    fixed = x.copy()
    fixed.flags.writeable = False
    for other in (turned, wide, backwards, swapped, shifted, fixed, x.tolist()):
        np.testing.assert_array_equal(leak.forward({**params, "x": other})["h"], plain)
    weights = np.asfortranarray(params["W"])
    np.testing.assert_array_equal(leak.forward({**params, "W": weights, "x": x})["h"], plain)


def test_results_are_arrays_of_their_own(leak, x):
    given = {**leak.init(), "x": x}
    first = leak.forward(given)["h"]
    kept = first.copy()
    second = leak.forward({**given, "x": -x})["h"]
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    assert second.any() and not np.shares_memory(first, second)


def test_any_mapping_will_do(leak, x):
    from types import MappingProxyType

    given = {**leak.init(), "x": x}
    expected = leak.forward(given)["h"]
    np.testing.assert_array_equal(leak.forward(MappingProxyType(given))["h"], expected)


def test_a_run_can_be_followed_back(leak, x):
    given = {**leak.init(), "x": x}
    run = leak.forward_saved(given)
    out = run.outputs()
    np.testing.assert_allclose(out["h"], leak.forward(given)["h"], atol=1e-6)
    assert sorted(run.gradients) == ["W_adj", "a_adj", "h0_adj", "x_adj"]
    first = run.backward({"h_adj": 2 * out["h"]})
    other = run.backward({"h_last_adj": out["h_last"]})
    again = run.backward({"h_adj": 2 * out["h"]})
    np.testing.assert_array_equal(first["W_adj"], again["W_adj"])
    assert not np.array_equal(first["W_adj"], other["W_adj"])
    assert not any(g.any() for g in run.backward().values())
    assert repr(run) == "<Saved(Leak(3, 4))>"


def test_only_what_is_wanted_is_differentiated_by(library, x):
    cell = library.compile("Leak(3, 4)", wrt=["W"])
    run = cell.forward_saved({**cell.init(), "x": x})
    assert run.gradients == ["W_adj"]
    assert list(run.backward({"h_adj": run.outputs()["h"]})) == ["W_adj"]
    exact = cell.exact_gradient({**cell.init(), "x": x}, {"h_adj": run.outputs()["h"]})
    assert list(exact) == ["W_adj"]


def test_64_bits_are_there_to_check_with(leak, x):
    given = {name: a.astype(np.float64) for name, a in {**leak.init(), "x": x}.items()}
    out = leak.exact(given)
    assert out["h"].dtype == np.float64
    np.testing.assert_allclose(leak.forward({**leak.init(), "x": x})["h"], out["h"], atol=1e-6)
    gradients = leak.exact_gradient(given, {"h_adj": out["h"]})
    assert gradients["a_adj"].dtype == np.float64


def test_every_item_of_the_library_has_a_recipe():
    items = {item.name for item in rnnc.cells(None) if item.kind in ("cell", "layer")}
    assert items <= set(RECIPES), items - set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_everything_compiles_runs_and_has_the_right_slope(name):
    cell = compiled(RECIPES[name])
    given = everything(cell)
    exact = cell.exact(given)
    run = cell.forward_saved(given)
    outputs = run.outputs()
    for output, values in exact.items():
        np.testing.assert_allclose(outputs[output], values, rtol=1e-4, atol=1e-4, err_msg=output)
    back = cotangents(cell, outputs)
    gradients = run.backward(back)
    # The derivative along a random direction, by central differences in 64 bits.
    rng = np.random.default_rng(2)
    real = [port.name for port in [*cell.inputs, *cell.params, *cell.initial] if port.elements == "real"]
    direction = {name: rng.standard_normal(given[name].shape) for name in real}

    def loss(step):
        moved = {name: given[name].astype(np.float64) + step * direction[name] for name in real}
        out = cell.exact({**given, **moved})
        return sum(np.sum(out[name.removesuffix("_adj")] * by) for name, by in back.items())

    step = 1e-5
    slope = (loss(step) - loss(-step)) / (2 * step)
    along = [np.sum(gradients[f"{name}_adj"] * direction[name]) for name in real if f"{name}_adj" in gradients]
    size = 1 + sum(np.linalg.norm(gradients[f"{name}_adj"]) for name in real if f"{name}_adj" in gradients)
    assert abs(slope - sum(along)) < 1e-3 * size, (slope, sum(along))


def test_a_stream_is_the_whole_sequence(x):
    cell = standard().compile("LSTM(3, 4)")
    params = cell.init(seed=1)
    one = x[:, :1]
    whole = cell.forward({**params, "x": one})["h"]
    stream = cell.stream(params)
    assert stream.inputs == [("x", [3])] and ("h", [4]) in stream.outputs
    steps = [stream.step({"x": x_t})["h"] for x_t in one[:, 0]]
    np.testing.assert_allclose(steps, whole[:, 0], atol=1e-6)
    stream.restart()
    np.testing.assert_array_equal(stream.step({"x": one[0, 0]})["h"], steps[0])
    stream.restart()
    stream.set_params({"W_o": np.zeros_like(params["W_o"])})
    assert not np.array_equal(stream.step({"x": one[0, 0]})["h"], steps[0])
    assert repr(stream).startswith("Stream(x : [3] -> ")


def test_an_update_rule_learns(leak, x):
    params, adam = leak.init(seed=1), leak.optimiser("Adam(lr = 0.05)")
    target = np.full((5, 2, 4), 0.3, np.float32)
    losses = []
    for _ in range(60):
        run = leak.forward_saved({**params, "x": x})
        error = run.outputs()["h"] - target
        losses.append(float(np.mean(error**2)))
        before = params
        params = adam.update(params, run.backward({"h_adj": error}), scale=0.1)
    assert losses[-1] < 0.7 * losses[0]
    assert not np.shares_memory(before["W"], params["W"])
    assert (np.abs(params["a"]) <= 2).all()
    assert adam.steps == 60 and repr(adam) == "Optimiser(Adam(lr = 0.05), 60 steps)"


def test_noise_is_drawn_from_a_seed():
    cell = compiled("Dropout(0.5)", training=True)
    (noise,) = cell.recipe.noise
    assert noise.kind == "noise"
    given = {cell.inputs[0].name: np.ones((4, 8, 3), np.float32)}
    first, again = cell.forward(given, seed=1), cell.forward(given, seed=1)
    others = cell.forward(given, seed=2), cell.forward(given, seed=1, run=1)
    (name,) = first
    np.testing.assert_array_equal(first[name], again[name])
    assert all(not np.array_equal(first[name], other[name]) for other in others)
    with pytest.raises(rnnc.Error, match="missing"):
        cell.forward(given)


def test_weights_go_to_files_and_back(tmp_path, leak):
    params = leak.init(seed=5)
    for ending in ("safetensors", "npz"):
        path = tmp_path / f"w.{ending}"
        rnnc.write_weights(path, params)
        for name, values in rnnc.read_weights(path).items():
            np.testing.assert_array_equal(values, params[name])


def test_programs_can_be_copied_and_sent(library, leak, x, tmp_path):
    given = {**leak.init(), "x": x}
    expected = leak.forward(given)["h"]
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "leak.rnn").write_text(next(iter(library.__reduce__()[1][0]))[1], encoding="utf-8")
    (tmp_path / "mine.rnn").write_text('use "lib/leak.rnn"\ncell Two(I, H) = Leak(I, H)\n', encoding="utf-8")
    of_files = rnnc.Library.file(tmp_path / "mine.rnn").compile("Two(I, 4)", dims={"I": 3}, wrt=["x"])
    for path in (tmp_path / "lib" / "leak.rnn", tmp_path / "mine.rnn"):
        path.unlink()
    for cell in (leak, of_files):
        assert copy.deepcopy(cell) is cell
        sent = pickle.loads(pickle.dumps(cell))
        np.testing.assert_array_equal(sent.forward(given)["h"], expected)
        assert sent.forward_saved(given).gradients == cell.forward_saved(given).gradients
    sent = pickle.loads(pickle.dumps(of_files))
    assert sent.recipe.dims == [] and repr(sent) == repr(of_files)
    assert pickle.loads(pickle.dumps(rnnc.Library.standard())).items() == rnnc.Library.standard().items()


def test_several_texts_use_each_other():
    library = rnnc.Library.texts(
        {
            "lib/one.rnn": "cell One(H) {\n  in x : [H]\n  y = 2 * x\n  out y\n}\n",
            "two.rnn": 'use "lib/one.rnn"\ncell Two(H) = One(H)\n',
        }
    )
    assert [item.name for item in library.items()] == ["One", "Two"]
    out = library.compile("Two(2)").forward({"x": np.ones((1, 1, 2), np.float32)})
    assert out["y"].tolist() == [[[2, 2]]]


def test_a_gradient_is_a_recipe_too(library, leak, x):
    recipe = library.recipe("Leak(3, 4)").adjoint(["x", "W"])
    assert [p.name for p in recipe.outputs] == ["x_adj", "W_adj"]
    assert [p.name for p in recipe.inputs] == ["x", "h_adj", "h_last_adj"]
    slope = recipe.compile()
    out = leak.forward({**leak.init(), "x": x})
    back = {"h_adj": np.ones_like(out["h"]), "h_last_adj": np.zeros_like(out["h_last"])}
    given = {**leak.init(), "x": x}
    run = leak.forward_saved(given)
    first = run.backward(back)
    again = slope.forward_saved({**given, **back})
    np.testing.assert_allclose(again.outputs()["W_adj"], first["W_adj"], rtol=1e-5, atol=1e-5)
    # Second derivatives, by central differences of the exact first ones.
    second = again.backward({"W_adj_adj": np.ones((4, 3), np.float32)})["x_adj"]
    direction = np.random.default_rng(3).standard_normal(x.shape)

    def first_sum(step):
        moved = {**given, "x": x.astype(np.float64) + step * direction}
        return leak.exact_gradient(moved, back)["W_adj"].sum()

    expected = (first_sum(1e-5) - first_sum(-1e-5)) / 2e-5
    assert abs(np.sum(second * direction) - expected) < 1e-3 * (1 + abs(expected))
    sent = pickle.loads(pickle.dumps(slope))
    assert repr(sent) == repr(slope)
    with pytest.raises(rnnc.Error):
        library.recipe("Leak(3, 4)").adjoint(["q"])


def test_weights_of_others_come_in_and_go_out():
    cell = standard().compile("Stack(2, Bi(LSTM(_, 5)))", dims={"I": 3})
    params = cell.init(seed=2)
    theirs = cell.export_weights(params, "torch")
    assert theirs["weight_ih_l0"].shape == (20, 3) and theirs["weight_hh_l1_reverse"].shape == (20, 5)
    for width in (np.float32, np.float64):
        ours = cell.import_weights({name: a.astype(width) for name, a in theirs.items()}, layout="torch")
        assert ours.keys() == params.keys()
        for name, values in params.items():
            np.testing.assert_allclose(ours[name], values, rtol=1e-6)
    del theirs["weight_hh_l0"]
    theirs["bias_ih_l9"] = theirs["bias_ih_l0"]
    with pytest.raises(rnnc.Error) as caught:
        cell.import_weights(theirs, "torch")
    assert "weight_hh_l0" in str(caught.value) and "bias_ih_l9" in str(caught.value)
    one = standard().compile("LSTM(3, 5)")
    below = {f"model.{name}": a for name, a in one.export_weights(one.init(), "torch").items()}
    assert one.import_weights(below, "torch", maps=["= model"]).keys() == one.init().keys()


def test_numbers_that_are_not_finite_are_refused_by_name(leak):
    params = leak.init(1)
    params["a"][1] = np.nan
    with pytest.raises(rnnc.Error, match="the first NaN at") as refused:
        leak.import_weights(params)
    assert refused.value.code == "E0754"
    assert np.isnan(leak.import_weights(params, allow_nan=True)["a"][1])
