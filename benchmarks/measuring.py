"""Measurements that the benchmarks share: memory, sizes, digests, and what the machine is."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import os
import platform
import resource
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
import threadpoolctl

import relutopo as rt
from relutopo.app.reports.environment import versions

Result = TypeVar("Result")

QUICK = bool(os.environ.get("RELUTOPO_BENCHMARKS_QUICK"))
"""Whether to run small sizes only, to see that everything works."""
BOX = 10.0
"""Half the width of the box that random networks are decomposed on."""
_PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "llvmlite",
    "pyamg",
    "phat",
    "torch",
    "hydra-core",
    "cupy-cuda12x",
    "cupy-cuda13x",
)


def decompose(network: rt.Network, half: float = BOX) -> tuple[rt.CellComplex, rt.DualGraph]:
    """Enumerate end to end: cells, facets, patterns and dual graph."""
    complex_ = rt.decompose(network, rt.Box(-half, half, dim=network.input_dim), enumerator="cpu")
    return complex_, complex_.dual_graph()


def peak_memory(function: Callable[[], Result]) -> tuple[Result, int]:
    """Call a function; return also by how many bytes the resident memory rose at its highest.

    Memory that was freed before is first given back to the system, and the kernel's high-water
    mark is reset; where it cannot be, the mark of the whole process is used, an upper bound only
    for the first large call of a process.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    result = function()
    return result, max(_status("VmHWM") - before, 0)


def _status(key: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def arrays(complex_: rt.CellComplex, graph: rt.DualGraph) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the arrays that a complex and its dual graph consist of."""
    yield complex_.vertices
    yield complex_.vertex_errors
    for pair in complex_.facets:
        yield from pair
    yield complex_.packed_patterns
    yield complex_.facet_labels
    yield graph.edges
    yield graph.facets


def result_bytes(complex_: rt.CellComplex, graph: rt.DualGraph) -> int:
    return sum(array.nbytes for array in arrays(complex_, graph))


def digest(*every: np.ndarray[Any, Any]) -> str:
    """Return a hash of the bits of arrays, of their types and of their shapes."""
    state = hashlib.sha256()
    for array in every:
        state.update(f"{array.dtype}{array.shape}".encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()[:16]


def threads() -> dict[str, int]:
    """Return how many threads kernels and linear algebra may use."""
    blas = [p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"]
    return {"numba_threads": numba.get_num_threads(), "blas_threads": max(blas, default=1)}


def machine() -> dict[str, Any]:
    """Return what the numbers depend on."""
    model, memory = platform.processor() or platform.machine(), 0
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = models[0] if models else model
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_bytes": memory,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "relutopo": metadata.version("relutopo"),
        "packages": {
            name: version
            for name, version in versions(_PACKAGES).items()
            if version != "not installed"
        },
    }


def record(
    benchmark: Any,
    function: Callable[[], Result],
    *,
    rounds: int = 5,
    before: Callable[[], None] | None = None,
    **facts: Any,
) -> Result:
    """Measure the memory of a first call, then the time of some more; return the last result.

    The first call also warms up; with one round it is the one whose time counts, and a smaller case
    must have warmed up before. `before` is called before each of several rounds. What is known
    beforehand goes into ``extra_info``.
    """
    result: Result
    if rounds == 1:
        result, peak = benchmark.pedantic(peak_memory, (function,))
    else:
        peak = peak_memory(function)[1]  # its result must not take the memory of the others
        result = benchmark.pedantic(function, setup=before, rounds=rounds)
    benchmark.extra_info |= {**facts, **threads(), "device": "cpu", "peak_bytes": peak}
    return result
