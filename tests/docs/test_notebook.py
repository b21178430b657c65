"""The notebooks run as they stand, each in a kernel of its own, and show what they make."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
read: Any = nbformat.read
"""nbformat has no types."""


def run(name: str, folder: Path) -> list[Any]:
    notebook = read(EXAMPLES / name, as_version=4)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return run("first_look.ipynb", tmp_path_factory.mktemp("notebook"))


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


@pytest.mark.slow
def test_pages_show_themselves(tmp_path: Path) -> None:
    cells = run("pages.ipynb", tmp_path)
    showing = [c for c in cells if "rt.explore(" in c.source]
    assert len(showing) == 9
    if find_spec("anywidget") is not None:
        (live,) = [c for c in showing if "family=" in c.source]
        showing.remove(live)
        assert outputs(live, "application/vnd.jupyter.widget-view+json")
        assert not outputs(live, "text/html")
    for cell in showing:
        (page,) = outputs(cell, "text/html")
        assert page.startswith("<iframe srcdoc="), cell.source
        assert 'sandbox="allow-scripts allow-downloads"' in page
    streams = [o["text"] for c in cells for o in c.outputs if o.output_type == "stream"]
    assert not [text for text in streams if "Warning" in text]


@pytest.mark.parametrize("notebook", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_results_are_stored(notebook: Path) -> None:
    cells = read(notebook, as_version=4).cells
    assert cells
    assert all(not c.outputs and c.execution_count is None for c in cells if "outputs" in c)
