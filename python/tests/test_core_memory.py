"""Threads, and whose memory lives how long."""

import ctypes
import gc
import os
import select
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rnnc
from made_up import standard


@pytest.fixture(scope="module")
def long():
    """A cell, and arrays of which a run takes a while."""
    cell = standard().compile("LSTM(32, 64)")
    steps = 64
    while True:
        x = np.random.default_rng(1).standard_normal((steps, 8, 32)).astype(np.float32)
        given = {**cell.init(seed=1), "x": x}
        cell.forward(given)
        begin = time.perf_counter()
        cell.forward(given)
        if time.perf_counter() - begin > 0.2:
            return cell, given
        steps *= 2


def test_python_goes_on_while_kernels_run(long):
    cell, given = long
    done = threading.Event()
    thread = threading.Thread(target=lambda: (cell.forward(given), done.set()))
    ticks = 0
    thread.start()
    while not done.is_set():
        time.sleep(0.002)
        ticks += 1
    thread.join()
    # Were the lock held, this thread would wake up but for the moments before and after the run.
    assert ticks > 3


def test_threads_have_the_same_results(leak, x):
    given = {**leak.init(), "x": x}

    def one(_):
        run = leak.forward_saved(given)
        out = run.outputs()
        return out["h"], run.backward({"h_adj": out["h"]})["W_adj"]

    h, by_w = one(0)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(one, range(200)):
            np.testing.assert_array_equal(found[0], h)
            np.testing.assert_array_equal(found[1], by_w)


def test_one_run_is_followed_back_by_many_threads(leak, x):
    run = leak.forward_saved({**leak.init(), "x": x})
    cotangents = [{"h_adj": np.full((5, 2, 4), k, np.float32)} for k in range(8)]
    expected = [run.backward(c)["W_adj"] for c in cotangents]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            for found, wanted in zip(pool.map(run.backward, cotangents), expected):
                np.testing.assert_array_equal(found["W_adj"], wanted)


def test_more_threads_of_ours_change_no_bit(library, leak, x):
    given = {**leak.init(), "x": np.tile(x, (1, 32, 1))}
    two = library.compile("Leak(3, 4)", threads=2)
    np.testing.assert_array_equal(leak.forward(given)["h"], two.forward(given)["h"])


def test_a_run_lives_as_long_as_its_token(leak, x):
    run = leak.forward_saved({**leak.init(), "x": x})
    token = run.token
    assert token.dtype == np.uint8 and token.tolist() == [0] and token.flags.writeable
    assert token.base is run
    address = token.ctypes.data
    assert run.token.ctypes.data == address
    alive = weakref.ref(run)
    expected = run.backward({"h_adj": run.outputs()["h"]})["W_adj"]
    view = token[:]
    del run, token
    gc.collect()
    assert alive() is not None
    found = rnnc.Saved.of_token(address)
    np.testing.assert_array_equal(found.backward({"h_adj": found.outputs()["h"]})["W_adj"], expected)
    del view
    gc.collect()
    assert alive() is None
    # What was found is the run, too.
    assert rnnc.Saved.of_token(address) is not None
    del found
    assert rnnc.Saved.of_token(address) is None


def test_an_address_that_is_no_token(leak, x):
    run = leak.forward_saved({**leak.init(), "x": x})
    copy = run.token.copy()
    assert rnnc.Saved.of_token(copy.ctypes.data) is None
    assert rnnc.Saved.of_token(run.token.ctypes.data + 1) is None
    assert rnnc.Saved.of_token(0) is None
    with pytest.raises((OverflowError, TypeError)):
        rnnc.Saved.of_token(-1)
    # Written to, it stands for the same.
    run.token[0] = 7
    assert rnnc.Saved.of_token(run.token.ctypes.data) is not None


def test_tokens_of_many_threads(leak, x):
    given = {**leak.init(), "x": x}

    def one(_):
        run = leak.forward_saved(given)
        address = run.token.ctypes.data
        found = rnnc.Saved.of_token(address)
        assert found is not None and found.is_of(leak, given)
        del run, found
        return address

    with ThreadPoolExecutor(8) as pool:
        addresses = list(pool.map(one, range(400)))
    assert all(rnnc.Saved.of_token(address) is None for address in addresses)


def test_a_run_knows_what_it_was_given(library, leak, x):
    given = {**leak.init(), "x": x}
    run = leak.forward_saved(given)
    assert run.is_of(leak, given) and run.is_of(leak, dict(reversed(given.items())))
    assert not run.is_of(leak, {**given, "x": x.copy()})
    assert not run.is_of(leak, {**given, "x": x[:4]})
    assert not run.is_of(leak, {name: a for name, a in given.items() if name != "x"})
    assert not run.is_of(library.compile("Leak(3, 4)"), given)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_comes_back():
    # What is free stays with the allocator until it is told to give it back.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        pytest.skip("there is no malloc_trim")

    def resident():
        trim(0)
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    text = "cell Mean(H) {\n  in x : [H]\n  state h : [H] = 0\n  h = 0.5 * h[t-1] + 0.5 * x\n  out h\n}"
    cell = rnnc.Library.text(text).compile("Mean(64)")
    given = {"x": np.zeros((500, 32, 64), np.float32)}  # 4 MB
    run = cell.forward_saved(given)
    one = run.outputs()["h"].nbytes
    for _ in range(10):
        cell.forward_saved(given).backward()
    before = resident()
    for _ in range(100):
        token = cell.forward_saved(given).token
        cell.forward(given)
    assert resident() - before < 20 * one
    kept = [cell.forward_saved(given) for _ in range(30)]
    most = resident()
    del kept, token
    cell.trim()
    gc.collect()
    assert resident() < most - 20 * one
    # Trimmed, a run in flight goes on.
    assert run.backward({"h_adj": run.outputs()["h"]})["x_adj"].shape == (500, 32, 64)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_forked_process_goes_on(library, x, threads):
    cell = library.compile("Leak(I, H)", dims={"I": 64, "H": 256}, threads=threads)
    given = {**cell.init(), "x": np.ones((50, 64, 64), np.float32)}
    expected = cell.forward(given)["h"]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        found = cell.forward(given)["h"]
        os.write(writer, b"same" if np.array_equal(found, expected) else b"other")
        del cell
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert select.select([pipe], [], [], 60)[0], "the child hangs"
        assert pipe.read() == b"same"
    os.waitpid(child, 0)
    np.testing.assert_array_equal(cell.forward(given)["h"], expected)
