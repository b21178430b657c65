"""What the README and the other pages show runs as written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "leaves"),
    [
        ("README.md", ["partition.png", "partition.pdf"]),
        ("docs/networks.md", ["slice.png", "slice.pdf"]),
        ("docs/tracking.md", ["signatures.csv"]),
        ("docs/figures.md", ["side_by_side.pdf", "regions.svg"]),
        ("docs/paths.md", ["segments.csv"]),
        ("docs/domains.md", ["complex.npz", "graph.graphml", "complex.vtu"]),
    ],
)
def test_examples_run_in_order(page: str, leaves: list[str], tmp_path: Path) -> None:
    code = "\n".join(python_blocks(ROOT / page))
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    for name in leaves:
        assert (tmp_path / name).stat().st_size > 1000


@pytest.mark.slow
def test_segments_of_a_convolutional_network_are_followed(tmp_path: Path) -> None:
    """The script, with fewer pairs."""
    code = (ROOT / "docs" / "examples" / "convolutional_segments.py").read_text()
    assert code.count("n=24") == 2
    result = subprocess.run(
        [sys.executable, "-c", code.replace("n=24", "n=2")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "Segments(4 segments" in result.stdout
    assert "certified" in result.stdout
    assert "n_open                 0" in result.stdout
    for name in ("segments.csv", "segment.png", "crossings.png"):
        assert (tmp_path / name).stat().st_size > 300


def test_the_backend_of_the_guide_solves() -> None:
    names: dict[str, type] = {}
    example, check, *_ = python_blocks(ROOT / "docs" / "backends.md")
    exec(example, names)
    exec(check, names)
    path = sparse.csr_array(
        np.diag([1.0, 2.0, 2.0, 1.0]) - np.diag(np.ones(3), 1) - np.diag(np.ones(3), -1)
    )
    result = names["DenseEigensolver"]().solve(path, np.ones(4))
    assert result.values[0] == pytest.approx(2 - 2 * np.cos(np.pi / 4))
    assert result.residuals[0] < 1e-12


def test_the_signature_and_the_analysis_of_the_guide_compute(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, type] = {}
    for block in python_blocks(ROOT / "docs" / "backends.md")[2:]:
        exec(block, names)
    printed = capsys.readouterr().out
    assert all(f"'{name}'" in printed for name in ("my_vertices", "my_density", "n_regions"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_figures_exist(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert makefile.index("\nrun:") < makefile.index("\nquick:")  # plain `make` runs the main job
    assert "```console\nmake " in (ROOT / "README.md").read_text()
