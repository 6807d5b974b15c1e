"""The examples of docs/python-torch.md and of the docstrings."""

import doctest

import pytest

torch = pytest.importorskip("torch")

import rnnc.torch
from made_up import ROOT
from pages import FLAGS, run_page


def test_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    assert run_page(ROOT / "docs" / "python-torch.md") > 0


def test_docstrings():
    assert doctest.testmod(rnnc.torch, optionflags=FLAGS).failed == 0
