"""The notebook runs as it stands, in a kernel of its own, and shows what it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "examples" / "first_look.ipynb"
read: Any = nbformat.read
"""nbformat has no types."""


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    notebook = read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(tmp_path_factory.mktemp("notebook"))}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(cell: Any, kind: str) -> list[str]:
    return [o["data"][kind] for o in cell.outputs if kind in o.get("data", {})]


@pytest.mark.slow
def test_a_figure_as_last_line_shows_once(cells: list[Any]) -> None:
    drawing = [
        c for c in cells if c.source.splitlines()[-1].startswith(("rt.plots.", "tracker.plot"))
    ]
    assert len(drawing) == 5
    for cell in drawing:
        assert len(outputs(cell, "image/png")) == 1, cell.source
        assert len(outputs(cell, "image/png")[0]) > 10_000


@pytest.mark.slow
def test_what_is_no_figure_shows_as_a_table(cells: list[Any]) -> None:
    named = {c.source.splitlines()[-1]: c for c in cells}
    for last in ("complex_", "agreement", "three.decision()"):
        assert outputs(named[last], "text/html"), last


@pytest.mark.slow
def test_nothing_is_warned_of(cells: list[Any]) -> None:
    streams = [o["text"] for c in cells for o in c.outputs if o.output_type == "stream"]
    assert not [text for text in streams if "Warning" in text]


def test_no_results_are_stored() -> None:
    notebook = read(NOTEBOOK, as_version=4)
    assert all(
        not c.outputs and c.execution_count is None for c in notebook.cells if "outputs" in c
    )
