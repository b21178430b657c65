"""A package from outside adds one part of every kind: a class or function, and an entry point."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import relutopo as rt
from relutopo import registry
from relutopo.analyses.base import analysis_class
from relutopo.tracking import Tracker

SOURCE = """
from dataclasses import dataclass

import numpy as np
from relutopo import registry
from relutopo.analyses.checkpoints import CheckpointAnalysis
from relutopo.homology.strategies import FiltrationStrategy, RandomClosure
from relutopo.interfaces import Eigensolver, Enumerator, Reducer
from relutopo.learning.datasets import Dataset
from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature
from relutopo.spectral.weights import EdgeWeights, UnitEdges, Unweighted, VertexWeights


class MyEnumerator(Enumerator):
    def enumerate(self, network, domain, *, max_cells=None, max_bytes=None, progress=None):
        return registry.create("enumerator", "exact").enumerate(network, domain)


class MyEigensolver(Eigensolver):
    def solve(self, laplacian, vertex_weights, **options):
        return registry.create("eigensolver", "arpack").solve(laplacian, vertex_weights, **options)


class MyReducer(Reducer):
    def reduce(self, boundary):
        return registry.create("reducer", "z2").reduce(boundary)


class MyFiltration(RandomClosure):
    name = "my_filtration"


class MyVertexWeights(Unweighted):
    pass


class MyEdgeWeights(UnitEdges):
    pass


def my_data(n=20, seed=0):
    x = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    y = np.where(x[:, 0] > 0, 1.0, -1.0)
    return Dataset("my_data", x, y, x, y)


@dataclass(frozen=True)
class MySignature(Signature):
    scale: float = 1.0

    columns = (Column("my_density", "regions", "regions for each unit of volume, scaled"),)

    def compute(self, subject):
        complex_ = subject.complex
        return {"my_density": self.scale * complex_.n_regions / complex_.volumes.sum()}


@dataclass(frozen=True)
class MyAnalysis(CheckpointAnalysis):
    power: int = 1

    columns = (
        Column("my_cells", "cells", "vertices, to some power"),
        Column("my_words", "text", "nothing"),
        Column("my_held_out", "points", "held-out points: a measure"),
    )
    measures = ("my_cells",)

    def compute(self, subject, dataset):
        return {
            "my_cells": np.int64(subject.complex.n_cells[0] ** self.power),
            "my_held_out": len(dataset.held_out_points),
        }
"""
PARTS = {
    "enumerator": "MyEnumerator",
    "eigensolver": "MyEigensolver",
    "reducer": "MyReducer",
    "filtration": "MyFiltration",
    "vertex_weights": "MyVertexWeights",
    "edge_weights": "MyEdgeWeights",
    "data": "my_data",
    "signature": "MySignature",
    "analysis": "MyAnalysis",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that is installed: its folder."""
    folder = tmp_path / "site"
    info = folder / "my_parts-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "my_parts.py").write_text(SOURCE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-parts\nVersion: 1.0\n")
    points = [f"[relutopo.{role}]\nmine = my_parts:{part}\n" for role, part in PARTS.items()]
    (info / "entry_points.txt").write_text("".join(points))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.fspath(folder))
    yield folder
    sys.modules.pop("my_parts", None)


CHOICES: dict[str, Any] = {
    "enumerator": {"name": "mine"},
    "eigensolver": {"name": "mine"},
    "vertex_weights": {"name": "mine"},
    "edge_weights": {"name": "mine"},
}


@pytest.mark.usefixtures("package")
def test_python_finds_every_part() -> None:
    assert all("mine" in registry.names(role) for role in PARTS)
    data = registry.create("data", "mine", n=30)
    network = rt.as_network(([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0]]], [[0.0, 0.1], [-0.1]]))
    analysis: Any = analysis_class("mine")(
        enumerator={"name": "mine"},
        signatures=["n_regions", {"name": "mine", "scale": 2.0}],  # type: ignore[call-arg]
    )
    found = analysis.analyse(network, data)
    volume = found.complex.volumes.sum()
    assert found.row == {
        "my_cells": 9,
        "my_words": None,
        "my_held_out": 30,
        "n_regions": 4,
        "my_density": pytest.approx(8 / volume),
    }
    assert found.complex.record.method == "exact"
    partition: Any = analysis_class("partition")(**CHOICES)
    own = partition.analyse(network, data).row
    assert own["weighted_fiedler_value"] == own["unweighted_fiedler_value"]
    homology: Any = analysis_class("homology")(
        reducer={"name": "mine"},
        filtration={"name": "mine"},  # type: ignore[call-arg]
        enumerator={"name": "mine"},
    )
    assert homology.analyse(network, data).row["filtration_status"] == "ok"


def test_rows_of_other_code_from_outside_are_computed_again(package: Path) -> None:
    key = analysis_class("mine")().key
    (package / "my_parts.py").write_text(SOURCE + "\n# changed")
    assert analysis_class("mine")().key != key


@pytest.mark.slow
@pytest.mark.usefixtures("package")
def test_the_tracker_records_them(tmp_path: Path) -> None:
    data = registry.create("data", "mine")
    analysis: Any = analysis_class("mine")(enumerator={"name": "mine"})
    signatures = ["n_cells", registry.create("signature", "mine", scale=3.0)]
    with Tracker(tmp_path / "run", data, analysis, signatures=signatures, steps=[0]) as tracker:
        tracker.step(([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]]), 0)
    (row,) = tracker.rows
    assert (row["error"], row["my_cells"], row["n_cells_2"]) == (None, 6, 2)
    assert row["my_density"] > 0


@pytest.mark.slow
@pytest.mark.usefixtures("package")
def test_the_command_finds_every_part(tmp_path: Path, command: Callable[..., str]) -> None:
    parts = [role for role in PARTS if role not in ("signature", "filtration", "reducer")]
    roles = [f"{role}=mine" for role in parts]
    small = ["trainer.n_steps=20", "trainer.n_checkpoints=2", "trainer.checkpoint_steps=[]"]
    network = ["network.hidden=[4]", "seed=0,1", "data.n=24"]
    more = ["signature=[mine,n_regions]", "signature.mine.scale=2"]
    printed = command(
        tmp_path, "--multirun", "hydra.sweep.dir=out", *roles, *small, *network, *more,
        "analysis.power=2", "figures=false",
    )  # fmt: skip
    assert "my_cells against seed" in printed
    table = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert set(table["data"]) == {"my_data"}
    assert (table["my_held_out"] == 24).all()
    assert table["my_words"].isna().all()
    assert (table["my_density"] > 0).all()
    jobs = pd.read_parquet(tmp_path / "out" / "jobs.parquet")
    assert (jobs["status"] == "done").all()
    assert (jobs["analysis"] == "mine").all()
    assert {"my_cells", "my_density", "n_regions"} <= set(jobs.columns)
    folder = next((tmp_path / "out" / "jobs").iterdir())
    assert json.loads((folder / "job.json").read_text())["identity"]["code"]["my-parts"] == "1.0"
    command(
        tmp_path, "analysis=homology", "reducer=other", "reducer.name=mine", "filtration=other",
        "filtration.name=mine", *small, "network.hidden=[4]", "hydra.run.dir=single",
        "trainer.checkpoint_every=5", "figures=false",
    )  # fmt: skip
    single = pd.read_parquet(tmp_path / "single" / "results.parquet")
    assert (single["filtration"] == "mine").all()
