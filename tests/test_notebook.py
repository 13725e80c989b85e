"""docs/first_run.ipynb: executed in a kernel, as a person does it who runs all cells."""

import os

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support import ROOT

FILE = ROOT / "docs/first_run.ipynb"


def outputs(notebook):
    """What the cells with code show, by kinds: text that is printed, and what a cell comes to."""
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_the_notebook_is_kept_without_outputs():
    notebook = nbformat.read(FILE, nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert not outputs(notebook)
    assert all(cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.slow
@pytest.mark.program
def test_the_first_run_goes_from_nothing_to_a_picture(tmp_path):
    notebook = nbformat.read(FILE, nbformat.NO_CONVERT)
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": ""})
    shown = outputs(notebook)
    printed = "".join(output.text for output in shown if output.output_type == "stream")
    lines = [output.data["text/plain"] for output in shown if "data" in output]
    assert any(line.startswith("training: 30/30  reward") for line in lines)  # the one line that was renewed
    assert len(printed.splitlines()) < 100 and len(lines) < 25
    assert sum("image/png" in output.get("data", {}) for output in shown) == 1
    assert any("| chain | 3 | trained |" in output.get("data", {}).get("text/markdown", "") for output in shown)
    assert "── round 1 of 3 ──" in printed and any(line.startswith("SolveResult(") for line in lines)
    assert (tmp_path / "outputs").is_dir()
