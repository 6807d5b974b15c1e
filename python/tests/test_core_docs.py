"""Every example in docstrings and pages, and the stubs."""

import doctest
import inspect
import subprocess
import sys

import pytest

import rnnc
from made_up import ROOT
from pages import FLAGS, run_page

DOCUMENTED = [rnnc, rnnc.cells, rnnc.Error, rnnc.Library, rnnc.Recipe, rnnc.Port, rnnc.Compiled, rnnc.Saved, rnnc.Stream, rnnc.Optimiser]


@pytest.mark.parametrize("thing", DOCUMENTED, ids=lambda thing: thing.__name__)
def test_docstrings(thing):
    name = thing.__name__
    (test,) = doctest.DocTestFinder(recurse=False).find(thing, name, module=False, globs={})
    assert doctest.DocTestRunner(optionflags=FLAGS).run(test).failed == 0


def test_everything_public_is_documented():
    for name in rnnc.__all__:
        thing = getattr(rnnc, name)
        if name == "__version__":
            continue
        assert inspect.getdoc(thing), name
        if inspect.isclass(thing) and not issubclass(thing, tuple):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (callable(value) or inspect.isdatadescriptor(value)):
                    assert inspect.getdoc(value), f"{name}.{member}"


@pytest.mark.parametrize("page", ["python/README.md", "docs/python.md"])
def test_pages(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_page(ROOT / page) > 0


def test_the_package_needs_numpy_alone():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['jax'] = None; import rnnc, numpy;"
        "print(rnnc.Library.standard().compile('RNN(1, 1)').init()['W'].shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(1, 1)", done.stderr


def test_the_version_is_that_of_the_crate():
    text = (ROOT / "python" / "Cargo.toml").read_text(encoding="utf-8")
    assert f'version = "{rnnc.__version__}"' in text


def test_stubs_are_true():
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy.stubtest", "rnnc._rnnc", "--ignore-disjoint-bases"]
    if "--ignore-disjoint-bases" not in subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "--help"], capture_output=True, text=True, check=True
    ).stdout:
        command.pop()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT / "python")
    assert done.returncode == 0, done.stdout + done.stderr
