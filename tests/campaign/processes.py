"""Threads, and memory that runs out."""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import relutopo as rt
from relutopo.errors import InputError, LimitReachedError, RelutopoError
from relutopo.gallery import random_network
from tests.campaign.cases import without_each
from tests.campaign.framework import Clock, check, kind

Rng = np.random.Generator


@dataclass(frozen=True)
class ManyCase:
    """Networks that threads work on at the same time.

    Attributes
    ----------
    networks : list of (sizes, seed, kind)
        As `relutopo.gallery.random_network` takes them.
    n_threads : int
    """

    networks: list[tuple[list[int], int, str]]
    n_threads: int

    def tags(self) -> dict[str, Any]:
        """Return the number of threads."""
        return {"threads": self.n_threads}

    def simpler(self) -> Iterator[ManyCase]:
        """Yield fewer networks and threads."""
        for networks in without_each(self.networks):
            yield replace(self, networks=networks)
        if self.n_threads > 2:
            yield replace(self, n_threads=2)


def everything(sizes: list[int], seed: int, weights: str) -> list[NDArray[Any]]:
    """Return what is computed of a network, as arrays."""
    network = random_network(sizes, seed, weights)
    points = np.random.default_rng(seed).uniform(-1, 1, (50, sizes[0]))
    complex_ = rt.decompose(network, rt.Box(-2, 2, dim=sizes[0]))
    graph = complex_.dual_graph("hamming" if seed % 2 else "facet")
    regions = complex_.locate(points)
    arrays: list[NDArray[Any]] = [complex_.vertices, complex_.packed_patterns, graph.edges]
    arrays += [regions, complex_.volumes]
    diagram = rt.persistence(complex_, rt.filtration(complex_, "random_closure", seed=seed))
    arrays.append(diagram.reduction.pairs)
    if graph.component_sizes.max() > 1 and (regions >= 0).any():
        solver = ("auto", "arpack", "amg_lobpcg")[seed % 3]
        part = rt.fiedler_partition(graph, points, eigensolver=solver, component="largest")
        arrays.append(part.vector)
    return arrays


@check("the same bits as in one thread")
def same_bits(case: ManyCase, clock: Clock) -> None:
    """Whatever runs beside it."""
    right = [everything(*network) for network in case.networks]
    ready = threading.Barrier(case.n_threads)

    def run(network: tuple[list[int], int, str]) -> list[NDArray[Any]]:
        ready.wait(60)
        return everything(*network)

    jobs = [case.networks[i % len(case.networks)] for i in range(case.n_threads)]
    with ThreadPoolExecutor(case.n_threads) as pool:
        found = list(pool.map(run, jobs))
    for i, arrays in enumerate(found):
        expected = right[i % len(right)]
        assert len(arrays) == len(expected)
        for a, b in zip(arrays, expected, strict=True):
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), f"thread {i} differs"


@kind("threads", "processes", checks=("the same bits as in one thread",), in_the_gate=2)
def threads(rng: Rng) -> ManyCase:
    networks = []
    for _ in range(int(rng.integers(1, 5))):
        dim = int(rng.integers(1, 4))
        hidden = rng.integers(1, 12 if dim < 3 else 5, int(rng.integers(1, 4))).tolist()
        weights = str(rng.choice(["gaussian", "integer", "float32"]))
        networks.append(([dim, *hidden, 1], int(rng.integers(10**6)), weights))
    return ManyCase(networks, int(rng.choice([2, 4, 16])))


@dataclass(frozen=True)
class MemoryCase:
    """A network, and how much memory there is for it.

    Attributes
    ----------
    sizes : list of int
    seed : int
    megabytes : int
        How much more address space than the process has before it begins.
    """

    sizes: list[int]
    seed: int
    megabytes: int

    def tags(self) -> dict[str, Any]:
        """Return the order of magnitude of the memory."""
        return {"megabytes": 2 ** (self.megabytes.bit_length())}

    def simpler(self) -> Iterator[MemoryCase]:
        """Yield nothing simpler: less is another matter."""
        return iter(())


def _in_little_memory(case: MemoryCase) -> str:
    """Return how the work ended; runs in a process of its own."""
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit = size + case.megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        network = random_network(case.sizes, case.seed)
        complex_ = rt.decompose(network, rt.Box(-3, 3, dim=case.sizes[0]))
        graph = complex_.dual_graph()
        rt.fiedler_partition(graph, vertex_weights="unweighted")
        order = rt.filtration(complex_, "random_closure", seed=0)
        assert rt.persistence(complex_, order).betti_numbers[0] == 1
        return "right"
    except MemoryError as error:
        return f"refused {type(error).__name__}: {error}"
    except RelutopoError as error:
        return f"refused {type(error).__name__}: {error}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"


@check("an answer or an error")
def answer_or_error(case: MemoryCase, clock: Clock) -> None:
    """Under a limit of the address space: no crash, no endless loop."""
    everything([2, 4, 1], 0, "gaussian")  # loads what is compiled
    everything([case.sizes[0], 4, 1], 1, "gaussian")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.write(writing, pickle.dumps(_in_little_memory(case)[:2000]))
        finally:
            os._exit(0)
    os.close(writing)
    message, until = b"", time.monotonic() + 60
    with os.fdopen(reading, "rb") as stream:
        while time.monotonic() < until:
            if select.select([stream], [], [], 1)[0]:
                message = stream.read()
                break
    if not message:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert message, f"no answer: exit status {os.waitstatus_to_exitcode(status)}"
    ended: str = pickle.loads(message)
    if ended.startswith("refused"):
        raise LimitReachedError(f"`memory` is too small; {ended}")
    assert ended == "right", ended


@kind(
    "little memory",
    "processes",
    checks=("an answer or an error",),
    refusals=(LimitReachedError, InputError),
    limit=120.0,
    in_the_gate=1,
)
def little_memory(rng: Rng) -> MemoryCase:
    dim = int(rng.integers(2, 4))
    width = int(rng.integers(8, 40)) if dim == 2 else int(rng.integers(4, 12))
    sizes = [dim, *[width] * int(rng.integers(1, 4)), 1]
    return MemoryCase(sizes, int(rng.integers(1000)), int(2 ** rng.uniform(0, 10)))
