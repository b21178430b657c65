"""Nothing needs Linux: the main path runs where what Linux alone has is hidden."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HIDDEN = """
import os, signal, socket, sys, threading, time

for name in (
    "fork", "forkpty", "fdatasync", "getloadavg", "getpgid", "getpriority", "getsid", "killpg",
    "memfd_create", "nice", "posix_fadvise", "posix_fallocate", "posix_spawn", "posix_spawnp",
    "pread", "preadv", "process_cpu_count", "pwrite", "pwritev", "sched_getaffinity",
    "sched_getparam", "sched_getscheduler", "sched_setaffinity", "sched_setparam",
    "sched_setscheduler", "sched_yield", "sendfile", "setpgid", "setpriority", "setsid", "sync",
    "SCHED_IDLE", "SCHED_BATCH", "SCHED_OTHER", "O_DIRECTORY", "O_DIRECT", "O_TMPFILE", "sysconf",
):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGALRM", "SIGUSR1", "SIGUSR2", "SIGHUP", "alarm", "setitimer", "getitimer"):
    delattr(signal, name)
sys.modules["fcntl"] = sys.modules["resource"] = None  # importing them fails
"""
"""The site's own module of every Python that runs here."""

PROGRAM = """
import os
import signal
import sys

try:
    import fcntl
except ImportError:
    pass
else:
    raise AssertionError("fcntl is not hidden")
assert not hasattr(os, "sched_getaffinity") and not hasattr(signal, "SIGALRM")

import numpy as np

if __name__ == "__main__":
    import relutopo as rt
    from relutopo.learning.datasets import two_moons

    weights = [np.array([[1.0, 0.5], [-0.5, 1.0], [1.0, 1.0]]), np.array([[1.0, -1.0, 0.5]])]
    network = rt.ReluNetwork(weights, [np.array([0.1, 0.2, -0.3]), np.zeros(1)])
    cut = rt.decompose(network, rt.Box(-1, 1, dim=2))
    rt.decompose(rt.ReluNetwork([np.eye(3), np.ones((1, 3))], [np.zeros(3), np.zeros(1)]),
                 rt.Box(-1, 1, dim=3))
    data = two_moons(n=20)
    graph = cut.dual_graph()
    for solver in ("auto", "arpack", "amg_lobpcg"):
        part = rt.fiedler_partition(graph, data.points, eigensolver=solver)
    diagram = rt.persistence(cut, rt.filtration(cut, "abs_output"))
    print(cut.n_regions, part.value > 0, diagram.betti_curve(0).peak().height)

    from relutopo.tracking import Tracker

    with Tracker("tracked", data, steps=[0, 1]) as tracker:
        for step in range(2):
            tracker.step(network, step, loss=0.5)
    rows = tracker.rows
    print([(row["step"], row["error"]) for row in rows])
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """Return the environment of processes that are not on Linux."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(HIDDEN)
    return os.environ | {"PYTHONPATH": str(tmp_path / "site")}


@pytest.mark.slow
def test_complexes_partitions_diagrams_and_trackers(
    elsewhere: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=elsewhere,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["[(0, None), (1, None)]"]
    assert not (tmp_path / "tracked" / "worker.log").read_text().count("Error")


@pytest.mark.slow
def test_the_command(elsewhere: dict[str, str], tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "relutopo.app.cli"),
        *("data.n=40", "network.hidden=[4]", "trainer.n_steps=20", "trainer.n_checkpoints=2"),
        *("trainer.checkpoint_steps=[]", "figures=false", "hydra.run.dir=out"),
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env=elsewhere, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "results.parquet").is_file()
    assert (tmp_path / "out" / "done.json").is_file()
