"""Memory: what there is, what is refused before it is asked for, and limits of the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import relutopo as rt
from relutopo.errors import LimitReachedError, OutOfMemoryError
from relutopo.gallery import random_network
from relutopo.system import memory
from relutopo.system.memory import Room, available_bytes, in_words

resource = pytest.importorskip("resource")


def test_what_groups_leave_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = tmp_path / "cgroup"
    monkeypatch.setattr(memory, "_CGROUPS", groups)
    monkeypatch.setattr(memory, "_GROUPS_OF_PROCESS", tmp_path / "groups")
    inner = groups / "batch" / "job"
    inner.mkdir(parents=True)
    (tmp_path / "groups").write_text("0::/batch/job\n")
    (inner / "memory.max").write_text("max\n")
    (inner / "memory.current").write_text("5\n")
    (inner.parent / "memory.max").write_text("3000\n")
    (inner.parent / "memory.current").write_text("2000\n")
    (inner.parent / "memory.stat").write_text("anon 1\ninactive_file 500\n")
    assert available_bytes() == 1500
    old = groups / "memory" / "old"
    old.mkdir(parents=True)
    (tmp_path / "groups").write_text("4:memory:/old\n")
    (old / "memory.limit_in_bytes").write_text("900\n")
    (old / "memory.usage_in_bytes").write_text("1000\n")
    (old / "memory.stat").write_text("total_inactive_file 70\n")
    assert available_bytes() == 0


def test_systems_that_tell_nothing_set_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_MEMINFO", "_CGROUPS", "_GROUPS_OF_PROCESS", "_STATM"):
        monkeypatch.setattr(memory, name, Path("/no/such/file"))
    assert available_bytes() >= 2**30


def test_room_names_what_is_needed() -> None:
    Room(1000).check(1000, "work", "do less")
    with pytest.raises(LimitReachedError, match=r"`max_bytes`=1000 .*work needs 1[.]0 kiB; raise"):
        Room(1000).check(1001, "work", "do less")
    with pytest.raises(LimitReachedError, match=r"work needs .*TiB, and this process can have"):
        Room().check(2**60, "work", "do less")


def test_refusals_of_the_system_become_one_error() -> None:
    for error in (
        MemoryError(),
        MemoryError("Unable to allocate 1 TiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ):
        words = r"the system gives no more memory.*; do less"
        with pytest.raises(OutOfMemoryError, match=words), in_words("do less"):
            raise error
    with pytest.raises(RuntimeError, match=r"^other$"), in_words("do less"):
        raise RuntimeError("other")


def test_searches_and_reductions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    network, box = random_network([2, 30, 1], 0), rt.Box(-1, 1, dim=2)
    with pytest.raises(LimitReachedError, match=r"`max_bytes`=9000 .*a search that has met"):
        rt.search_regions(network, box, max_bytes=9000)
    complex_ = rt.decompose(network, box, enumerator="exact")
    filtration = rt.filtration(complex_, "dimension_major")
    in_space = rt.decompose(random_network([3, 4, 1], 0), rt.Box(-1, 1, dim=3), enumerator="exact")
    monkeypatch.setattr(memory, "_FEW", 0)
    monkeypatch.setattr(memory, "_recently_available", lambda: 100)
    for work, words in (
        (lambda: complex_.dual_graph(), "the dual graph of"),
        (lambda: rt.persistence(complex_, filtration), "the boundary matrix of"),
        (lambda: in_space.volumes, "a triangulation of the cells"),
    ):
        with pytest.raises(LimitReachedError, match=f"not enough memory: {words}"):
            work()


# Limits of the process


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits as Linux keeps them")
def test_modules_that_find_no_room_beside_numpy_are_told_in_words() -> None:
    code = """
import resource
import numpy
import relutopo as rt
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**25, used + 2**25))
try:
    rt.decompose
except rt.errors.OutOfMemoryError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert "raise the limit" in ran.stdout, ran.stderr


WORK = {
    "exact": (
        "complex_ = rt.decompose(net([2, 10, 10, 1]), rt.Box(-1, 1, dim=2), enumerator='exact')"
    ),
    "plane": "complex_ = rt.decompose(net([2, 40, 40, 1]), rt.Box(-1, 1, dim=2))",
    "space": "complex_ = rt.decompose(net([3, 12, 12, 1]), rt.Box(-1, 1, dim=3))",
    "chain": (
        "complex_ = rt.decompose(net([2, 12, 12, 1]), rt.Box(-1, 1, dim=2))\n"
        "    rt.fiedler_partition(complex_.dual_graph(), vertex_weights='unweighted')\n"
        "    rt.betti_numbers(complex_)"
    ),
    "module": (
        "import torch\n"
        "    module = torch.nn.Sequential(torch.nn.Linear(2, 9), torch.nn.ReLU(), "
        "torch.nn.Linear(9, 1))\n"
        "    complex_ = rt.decompose(module, rt.Box(-1, 1, dim=2))"
    ),
}
_CODE = """
import relutopo as rt
from relutopo.errors import RelutopoError
def net(widths):
    from relutopo.gallery import random_network
    return random_network(widths)
{limits}
try:
    {work}
except RelutopoError as error:
    print("refused:", error)
else:
    print("done:", complex_.n_cells)
"""
_COPIES = """
import os, resource, sys
rt.decompose, rt.Box  # loads SciPy
for number, size in enumerate(SIZES):
    if os.fork() == 0:
        sys.stdout = open(f"{number}.txt", "w")
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + size, used + size))
        break
    assert os.wait()[1] == 0, (size, open(f"{number}.txt").read())
else:
    sys.exit()
"""
MIB = 2**20


def outcome(work: str, size: int) -> str:
    """Run work in a process whose address space has so many MiB."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (size * MIB, size * MIB))

    ran = subprocess.run(
        [sys.executable, "-c", _CODE.format(work=WORK[work], limits="")],
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=limit,
    )
    assert ran.returncode == 0, f"{work} in {size} MiB: {ran.returncode} {ran.stderr[-500:]}"
    return ran.stdout


def outcomes(work: str, sizes: list[int], folder: Path) -> list[str]:
    """Run work in processes that have imported relutopo, and get so many MiB more."""
    copies = _COPIES.replace("SIZES", str([size * MIB for size in sizes]))
    code = _CODE.format(work=WORK[work], limits=copies)
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, f"{work}: {ran.returncode} {ran.stderr[-500:]}"
    return [(folder / f"{number}.txt").read_text() for number in range(len(sizes))]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits as Linux keeps them")
def test_a_limit_of_the_process_gives_the_result_or_a_clear_error() -> None:
    rt.decompose(random_network([2, 40, 40, 1]), rt.Box(-1, 1, dim=2))  # compiled before
    assert "refused: " in outcome("plane", 150)
    assert "refused: " in outcome("plane", 450)
    assert "done: " in outcome("plane", 4000)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits as Linux keeps them")
@pytest.mark.parametrize("work", [name for name in WORK if name != "module"])
def test_twenty_limits(work: str, tmp_path: Path) -> None:
    """One work is limited before the package is imported, and the others after it."""
    rt.decompose(random_network([3, 12, 12, 1]), rt.Box(-1, 1, dim=3))
    if work == "chain":
        sizes = np.unique(np.geomspace(120, 8000, 20).astype(int)).tolist()
        found = [outcome(work, size) for size in sizes]
    else:
        sizes = np.unique(np.geomspace(1, 8000, 20).astype(int)).tolist()
        found = outcomes(work, sizes, tmp_path)
    assert len(sizes) == len(found) >= 18
    assert all(text.startswith(("refused: ", "done: ")) for text in found), found
    assert found[0].startswith("refused: ")
    assert len({text for text in found if text.startswith("done: ")}) == 1
    assert found[-1].startswith("done: ")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits as Linux keeps them")
def test_a_limit_of_a_forked_process_is_seen_at_once() -> None:
    code = (
        "import os, resource\n"
        "from relutopo.system.memory import address_space_left\n"
        "assert address_space_left() is None\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))\n"
        "    os._exit(address_space_left() is None)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
