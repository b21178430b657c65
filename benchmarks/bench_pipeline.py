"""How fast a checkpoint is analysed, and how fast relutopo starts.

``pytest benchmarks/bench_pipeline.py``. The checkpoints are those of the built-in experiments: of
each run the one with the most regions, analysed as the command does it, with one thread for linear
algebra. Start-up times are those of fresh processes, and the first use finds no compiled kernel.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import threadpoolctl
from omegaconf import OmegaConf

import relutopo as rt
from relutopo import registry
from relutopo.analyses.base import analysis_of
from relutopo.analyses.checkpoints import CheckpointAnalysis
from relutopo.learning.runs import TrainingRun
from relutopo.learning.trainer import MlpSettings, TrainerSettings, train

from .measuring import QUICK, record

SMALL = ("experiment=two_moons", "network.hidden=[16,16]")
EXPERIMENTS = {
    "two_moons": ["experiment=two_moons"],
    "two_circles": ["experiment=two_circles"],
    "two_moons_grok": [
        "experiment=two_moons_grok",
        "network.hidden=[32,32,32]",
        "network.init_scale=16",
        "trainer.n_steps=300",
        "trainer.checkpoint_steps=[]",
    ],
    "regression": ["experiment=regression", "trainer.n_steps=500"],
    "regression_decline": ["experiment=regression_decline", "trainer.n_steps=500"],
    "[2,16,16,1], partition": [*SMALL],
    "[2,16,16,1], homology": [*SMALL, "analysis=homology"],
}
"""What is overridden: long runs are cut short after their checkpoints with the most regions, and
one has a wide network for more of them. The last are of a small network, with all steps of both
analyses."""


def settings_of(overrides: list[str]) -> Any:
    """Return the configuration that the command composes."""
    command = [sys.executable, "-m", "relutopo.app.cli", *overrides, "--cfg", "job"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return OmegaConf.to_container(OmegaConf.create(result.stdout), resolve=True)


@pytest.mark.parametrize("experiment", list(EXPERIMENTS)[:: 3 if QUICK else 1])
def test_checkpoint(benchmark: Any, experiment: str, tmp_path: Path) -> None:
    overrides = [*EXPERIMENTS[experiment]]
    if QUICK:
        overrides += ["trainer.n_steps=50", "trainer.checkpoint_steps=[]"]
    values = settings_of(overrides)
    analysis = analysis_of(values)
    assert isinstance(analysis, CheckpointAnalysis)
    data = registry.create("data", values["data"].pop("name"), **values["data"])
    run = train(
        data,
        MlpSettings(**values["network"]),
        TrainerSettings(**values["trainer"]),
        seed=0,
        directory=TrainingRun(tmp_path / "run").directory,
    )
    steps = run.steps[:: max(1, len(run.steps) // 30)]
    sizes = {step: analysis.subject(run.network(step), data).complex.n_regions for step in steps}
    step = max(sizes, key=lambda step: sizes[step])
    network = run.network(step)
    with threadpoolctl.threadpool_limits(1, "blas"):
        found = record(
            benchmark, lambda: analysis.analyse(network, data), rounds=100, experiment=experiment
        )
    stages = {k: v for k, v in found.row.items() if k.startswith("seconds_")}
    benchmark.extra_info |= {
        "step": step,
        "n_regions": found.complex.n_regions,
        "n_cells": found.complex.n_cells,
        "first_call": stages,
    }


START = {
    "import relutopo": [sys.executable, "-c", "import relutopo"],
    "import relutopo, use it": [
        sys.executable,
        "-c",
        "import relutopo as rt; rt.decompose(([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]]), "
        "rt.Box(-1, 1, dim=2)).dual_graph()",
    ],
    "relutopo --help": [sys.executable, "-m", "relutopo.app.cli", "--help"],
}


FIRST_USE = """
import relutopo as rt
from relutopo.gallery import random_network
complex_ = rt.decompose(random_network([2, 16, 16, 1]), rt.Box(-1, 1, dim=2))
rt.fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
"""


def test_first_use(benchmark: Any, tmp_path: Path) -> None:
    """From an empty cache of kernels to the first complex and partition, in a fresh process."""
    command = [sys.executable, "-c", FIRST_USE]
    caches = count()

    def process() -> None:
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / str(next(caches)))}
        subprocess.run(command, check=True, capture_output=True, env=environment)

    benchmark.extra_info |= {"what": "first complex and partition", "relutopo": rt.__version__}
    benchmark.pedantic(process, rounds=1 if QUICK else 2)


@pytest.mark.parametrize("what", list(START))
def test_start(benchmark: Any, what: str, tmp_path: Path) -> None:
    def process() -> None:
        subprocess.run(START[what], check=True, capture_output=True, cwd=tmp_path)

    benchmark.extra_info |= {"what": what, "relutopo": rt.__version__}
    benchmark.pedantic(process, rounds=5, warmup_rounds=1)
