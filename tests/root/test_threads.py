"""The public face in several threads at once, and in processes of many kinds."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import matplotlib
import numpy as np
import pytest
import threadpoolctl
import torch
from torch import nn

import relutopo as rt
from relutopo.learning.trainer import MlpSettings, TrainerSettings, build_mlp, train
from relutopo.plots.style import style

POINTS = np.random.default_rng(9).uniform(-1, 1, (40, 2))
LABELS = np.where(POINTS[:, 0] > 0, 1, -1)
BOX = rt.Box(-1, 1, dim=2)


class Clipped(nn.Module):
    """Not made of layers alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, width), nn.Linear(width + 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.where(self.first(x.float()) > 0, self.first(x.float()), 0)
        out: torch.Tensor = self.last(torch.cat([x, nn.ReLU6()(h)], dim=1))
        return out


def model(seed: int) -> nn.Module:
    rng = np.random.default_rng(seed)
    made = Clipped(5) if seed % 2 else nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 1))
    for parameter in made.parameters():
        parameter.data = torch.tensor(rng.standard_normal(tuple(parameter.shape)))
    return made.float()


MODELS = [model(seed) for seed in range(8)]


def numbers(seed: int) -> tuple[Any, ...]:
    """Decompose and summarise one network; needs no files."""
    complex_ = rt.decompose(MODELS[seed], BOX)
    part = rt.fiedler_partition(complex_.dual_graph(), points=POINTS)
    diagram = rt.persistence(complex_, rt.filtration(complex_, "random_closure", seed=seed))
    return (
        complex_.n_regions,
        complex_.vertices.tobytes(),
        f"{part.value:.9g}",
        diagram.betti_numbers,
        diagram.pairs(0).tobytes(),
        rt.decision_boundary(complex_).n_cells,
    )


def everything(seed: int, directory: Path) -> tuple[Any, ...]:
    """Go through the public face with one network."""
    path = directory / f"{seed}.npz"
    complex_ = rt.decompose(MODELS[seed], BOX)
    complex_.check()
    rt.save_complex(path, complex_)
    part = rt.fiedler_partition(rt.load_complex(path).dual_graph(), points=POINTS)
    rt.plots.save_figure(rt.plots.plot_partition(part, POINTS, LABELS), directory / str(seed))
    search = rt.search_regions(MODELS[seed], BOX, POINTS[:1], max_regions=5)
    weights = build_mlp(2, MlpSettings(hidden=(3,)), seed).state_dict()
    return (
        *numbers(seed),
        part.agreement(POINTS, LABELS).accuracy,
        search.patterns.tobytes(),
        rt.as_network(weights)(POINTS).tobytes(),
        (directory / f"{seed}.png").read_bytes(),
    )


@pytest.fixture
def hasty() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


SEEDS = range(8)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_the_public_face_in_eight_threads(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "together").mkdir()
    expected = [everything(seed, tmp_path / "alone") for seed in SEEDS]
    random_state, fonts = torch.get_rng_state(), dict(matplotlib.rcParams)
    n_threads = blas_threads()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda seed: everything(seed, tmp_path / "together"), SEEDS))
    assert found == expected
    assert torch.equal(torch.get_rng_state(), random_state)
    assert dict(matplotlib.rcParams) == fonts
    assert blas_threads() == n_threads


def blas_threads() -> list[int]:
    info = threadpoolctl.threadpool_info()
    return [library["num_threads"] for library in info if library["user_api"] == "blas"]


def test_settings_of_the_process_come_back_when_nobody_needs_them() -> None:
    before, barrier = matplotlib.rcParams["font.size"], Barrier(2)

    def first() -> None:
        with style():
            barrier.wait(20)  # the second has begun
        barrier.wait(20)

    def second() -> float:
        with style():
            barrier.wait(20)
            barrier.wait(20)  # the first has ended
            return float(matplotlib.rcParams["font.size"])

    with ThreadPoolExecutor(2) as pool:
        ended, within = pool.submit(first), pool.submit(second)
        ended.result()
        assert within.result() != before
    assert matplotlib.rcParams["font.size"] == before


@pytest.mark.slow
def test_training_runs_in_threads_are_those_alone(tmp_path: Path) -> None:
    data = rt.two_moons(n=40)

    def weights(name: str) -> bytes:
        run = train(data, MlpSettings(hidden=(4,)), SETTINGS, directory=tmp_path / name)
        return run.network(run.steps[-1]).weights[0].tobytes()

    before = torch.get_num_threads()
    expected = weights("alone")
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(weights, "abcd")) == {expected}
    assert torch.get_num_threads() == before


SETTINGS = TrainerSettings(n_steps=20, n_checkpoints=2)


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_processes(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    expected = [numbers(seed) for seed in (0, 1)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(numbers, (0, 1)) == expected


@pytest.mark.slow
def test_joblib() -> None:
    joblib: Any = pytest.importorskip("joblib")
    with joblib.parallel_config("loky", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(numbers)(seed) for seed in (0, 1))
    assert found == [numbers(seed) for seed in (0, 1)]


class Complexes(torch.utils.data.Dataset[int]):
    """A data set whose items are decomposed when they are asked for."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, seed: int) -> int:
        return int(numbers(seed)[0])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_workers_of_a_data_loader() -> None:
    data = Complexes()
    loader: Any = torch.utils.data.DataLoader(data, batch_size=2, num_workers=2)
    assert torch.cat(list(loader)).tolist() == [data[seed] for seed in range(4)]


def test_compiled_modules_before_and_after() -> None:
    module, x = MODELS[1], torch.tensor(POINTS, dtype=torch.float)
    compiled: Any = torch.compile(module, backend="eager")
    expected = compiled(x)
    for _ in range(2):
        found = rt.as_network(compiled, (2,))(POINTS)
        np.testing.assert_allclose(found, expected.detach(), rtol=1e-5, atol=1e-5)
        assert torch.equal(compiled(x), expected)
        torch.compiler.reset()  # compiles anew, after tracing


FIRST = """
import sys
sys.setswitchinterval(1e-5)
sys.path.insert(0, {folder!r})
from concurrent.futures import ThreadPoolExecutor
import test_threads
with ThreadPoolExecutor(8) as pool:
    print(hash(tuple(pool.map(test_threads.numbers, range(8)))))
print(hash(tuple(map(test_threads.numbers, range(8)))))
"""


@pytest.mark.slow
def test_first_use_in_threads() -> None:
    code = FIRST.format(folder=str(Path(__file__).parent))
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    together, alone = result.stdout.split()
    assert together == alone
