"""What is refused, by which exception, and what it says."""

import pickle

import numpy as np
import pytest

import rnnc
from made_up import standard


def refused(call, kind=rnnc.Error):
    with pytest.raises(kind) as caught:
        call()
    return caught.value


def test_a_mistake_in_a_text_has_its_place():
    text = "cell A(H) {\n  in x : [H]\n\n  y = x + z\n  out y\n}\n"
    error = refused(rnnc.Library.text(text, name="a.rnn").check)
    assert isinstance(error, ValueError) and not isinstance(error, TypeError)
    assert (error.file, error.line, error.column) == ("a.rnn", 4, 11)
    assert error.code.startswith("E0") and "z" in error.message
    assert "y = x + z" in str(error) and error.rendered == str(error)
    assert error.code in rnnc.explain(error.code)


def test_all_mistakes_come_at_once():
    text = "cell A(H) {\n  in x : [H]\n  y = x + z\n  out y\n}\ncell B(H) {\n  in x : [H]\n  y = q\n  out y\n}\n"
    error = refused(rnnc.Library.text(text, name="a.rnn").check)
    assert {problem.line for problem in error.problems} == {3, 8}
    assert all(problem.rendered in str(error) for problem in error.problems)


def test_errors_can_be_sent():
    error = refused(lambda: rnnc.Library.text("cell Mine(H) { h = tanh(x }", name="cell.rnn"))
    sent = pickle.loads(pickle.dumps(error))
    assert type(sent) is rnnc.Error and str(sent) == str(error) and sent.problems == error.problems
    assert type(error).__module__ == "rnnc"


def test_a_file_that_is_not_there(tmp_path):
    error = refused(lambda: rnnc.Library.file(tmp_path / "no.rnn"), FileNotFoundError)
    assert error.filename == str(tmp_path / "no.rnn")
    refused(lambda: rnnc.read_weights(tmp_path / "no.npz"), FileNotFoundError)
    refused(lambda: rnnc.Library.file(tmp_path))
    (tmp_path / "uses.rnn").write_text('use "other.rnn"\n')
    error = refused(lambda: rnnc.Library.file(tmp_path / "uses.rnn"))
    assert "other.rnn" in str(error) and error.line == 1


def test_damaged_weights(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"\xff" * 100)
    refused(lambda: rnnc.read_weights(tmp_path / "w.safetensors"))
    error = refused(lambda: rnnc.write_weights(tmp_path / "w.txt", {}))
    assert "safetensors" in str(error)


def test_recipes(library):
    assert "Leak" in refused(lambda: library.recipe("Leek(3, 4)")).help
    error = refused(lambda: library.compile("Leak(I, 4)"))
    assert "numbers for I" in error.message and "dims" in error.help
    refused(lambda: library.recipe("Leak(I, 4)", dims={"J": 3}))
    refused(lambda: library.recipe("Leak(I, 4)", outputs=["q"]))
    refused(lambda: library.compile("Leak(I, 4)", dims={"I": -1}))
    refused(lambda: library.compile("Leak(3, 4)", wrt=["q"]))
    refused(lambda: library.compile("Leak(3, 4"))
    refused(lambda: library.recipe("Leak(3, 4)").equations("html"), ValueError)
    assert "gradients" in refused(
        lambda: library.compile("Leak(3, 4)", gradients=False).forward_saved(
            {**library.compile("Leak(3, 4)").init(), "x": np.zeros((1, 1, 3), np.float32)}
        )
    ).help


def test_arguments_of_the_wrong_kind(library, leak, x):
    for call in (
        lambda: library.recipe(3),
        lambda: library.recipe("Leak(I, 4)", dims={"I": 2.5}),
        lambda: library.recipe("Leak(I, 4)", dims=[3]),
        lambda: library.compile("Leak(3, 4)", treads=2),
        lambda: library.compile("Leak(3, 4)", threads="two"),
        lambda: library.compile("Leak(3, 4)", outputs=3),
        lambda: leak.forward([x]),
        lambda: leak.forward(x),
        lambda: leak.forward({3: x}),
        lambda: leak.forward({"x": None}),
        lambda: leak.init(seed=1.5),
        lambda: rnnc.Library.text(b"cell"),
    ):
        refused(call, TypeError)
    assert "threads" in str(refused(lambda: library.compile("Leak(3, 4)", threads="two"), TypeError))
    assert "leave it out" in str(refused(lambda: leak.forward({"x": None}), TypeError))
    refused(lambda: leak.init(seed=-1), OverflowError)


def test_elements_of_another_type(leak, x):
    params = leak.init()
    error = refused(lambda: leak.forward({**params, "x": x.astype(np.float64)}), rnnc.DtypeError)
    assert isinstance(error, TypeError) and isinstance(error, rnnc.Error)
    assert "`x`" in str(error) and "64 bits" in str(error) and "exact" in error.help
    for dtype in (np.float16, np.complex64, np.uint64, object):
        error = refused(lambda: leak.forward({**params, "x": x.astype(dtype)}), rnnc.DtypeError)
        assert "`x`" in str(error) and "float32" in error.help
    refused(lambda: leak.forward({**params, "x": x.astype(np.int32)}), rnnc.DtypeError)
    refused(lambda: leak.forward({**params, "x": "words"}), rnnc.DtypeError)
    embed = standard().compile("Embed(V = 5, E = 3)")
    given = {**embed.init(), embed.inputs[0].name: np.zeros((2, 2), np.float32)}
    assert "whole numbers" in refused(lambda: embed.forward(given), TypeError).help
    refused(lambda: leak.optimiser("SGD()").update(params, {"W_adj": params["W"].astype(np.float64)}), TypeError)
    refused(lambda: leak.stream(params).step({"x": np.zeros(3)}), TypeError)


def test_shapes_and_names(leak, x):
    params = leak.init()
    error = refused(lambda: leak.forward({**params, "x": x[:, :, :2]}))
    assert error.code == "E0703" and "[5, 2, 3]" in error.message and isinstance(error, ValueError)
    assert refused(lambda: leak.forward({**params, "x": x[0]})).code == "E0703"
    assert refused(lambda: leak.forward({"x": x})).code == "E0701"
    assert refused(lambda: leak.forward({**params, "x": x, "V": x})).code == "E0702"
    assert refused(lambda: leak.forward({**params, "x": x[:, :0]})).code == "E0746"
    for lengths in ([5], [5, -1], [5, 9], [[5, 2]]):
        assert refused(lambda: leak.forward({**params, "x": x, "lengths": lengths})).code == "E0707"
    run = leak.forward_saved({**params, "x": x})
    assert refused(lambda: run.backward({"q_adj": x})).code == "E0702"
    assert refused(lambda: run.backward({"h_adj": x})).code == "E0703"
    # And goes on as before.
    assert run.backward({"h_adj": run.outputs()["h"]})["x_adj"].any()


def test_symbols_and_trees(x):
    embed = standard().compile("Embed(V = 5, E = 3)")
    name = embed.inputs[0].name
    for ids in ([[5, 0]], [[-1, 0]], [[2**40, 0]]):
        error = refused(lambda: embed.forward({**embed.init(), name: np.array(ids)}))
        assert error.code == "E0705" and "from 0 to 4" in error.help
    tree = standard().compile("TreeLSTM(3, 4)")
    given = {**tree.init(), "x": x}
    assert refused(lambda: tree.forward(given)).code == "E0709"
    assert refused(lambda: tree.forward({**given, "children": np.full((2, 5, 2), 7)})).code == "E0710"


def test_streams_and_rules(leak, x):
    params = leak.init()
    stream = leak.stream(params)
    assert "missing" in str(refused(lambda: stream.step({}), ValueError))
    assert "it takes x" in str(refused(lambda: stream.step({"y": x[0, 0]}), ValueError))
    assert "one step" in str(refused(lambda: stream.step({"x": x[0]}), ValueError))
    assert stream.step({"x": x[0, 0]})["h"].shape == (4,)
    both_ways = standard().compile("Bi(RNN(3, 4))")
    refused(lambda: both_ways.stream(both_ways.init()))
    refused(lambda: leak.optimiser("RNN(3, 4)"))
    rule = leak.optimiser("SGD()")
    refused(lambda: rule.update(params, {"W_adj": params["a"]}))
    assert rule.steps == 0


def test_memory_has_a_limit(library):
    cell = library.compile("Leak(3, 4)", max_memory=1 << 16)
    given = {**cell.init(), "x": np.zeros((1000, 100, 3), np.float32)}
    assert refused(lambda: cell.forward(given)).code == "E0911"


def test_codes_that_are_none():
    refused(lambda: rnnc.explain("E9999"), KeyError)
    assert rnnc.explain("e0703").startswith("E0703: ")


def test_classes_are_not_made_by_hand(leak):
    for kind in (rnnc.Library, rnnc.Recipe, rnnc.Compiled, rnnc.Saved, rnnc.Stream, rnnc.Port, rnnc.Item):
        refused(kind, TypeError)
    with pytest.raises(AttributeError):
        leak.inputs = []
