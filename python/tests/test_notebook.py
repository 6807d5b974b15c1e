"""The notebook runs as it is stored, and is stored with what it shows."""

import os
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")
pytest.importorskip("torch")

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "notebook" / "invent_a_cell.ipynb"


def outputs(notebook, kind):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [output for cell in cells for output in cell.outputs if output.output_type == kind]


def shown(notebook, form):
    return [output.data[form] for output in outputs(notebook, "display_data") + outputs(notebook, "execute_result") if form in output.data]


def test_it_runs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    env = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "RNNC_NOTEBOOK_EPOCHS": "3"}
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources)
    client.execute(env=env)
    gradient, equations = shown(notebook, "text/latex")  # what is displayed comes before what a cell ends in
    assert "\\bar{P}" in gradient and "\\sigma(W_{z}" in equations
    assert "True" in shown(notebook, "text/plain")
    assert len(shown(notebook, "image/png")) == 1
    told = "".join(output.text for output in outputs(notebook, "stream"))
    assert "Surprise, 60 units: " in told and "nn.LSTM, 32 units: " in told


def test_it_is_stored_with_its_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not outputs(notebook, "error")
    assert len(shown(notebook, "image/png")) == 1 and len(shown(notebook, "text/latex")) == 2
    assert NOTEBOOK.stat().st_size < 100_000
