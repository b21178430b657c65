"""A process that is interrupted again and again, and says what came of it.

As a program, with a seed, how many interrupts a phase gets, whether they strike at ``moments`` or
``lines``, and the phases. At random moments a thread sends the signal; at random lines of functions
that hold locks or write files a trace function raises it.

Each phase is one piece of work, which begins with the first use of what it needs. It is interrupted
some times, at once again for some of these; then it is done undisturbed, and what it gives must be
what it gives in a process that nobody interrupts.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["PHASES", "TRACED"]

LIMIT = 300.0
"""Seconds without progress after which the process is taken to hang."""
LATE = 2.0
"""Seconds of the processor that may pass between an interrupt and its exception."""
LONGEST = 30.0
"""Seconds that may pass, on a machine that does other things as well."""
TRACED = (
    "llvmlite/binding/ffi.py",
    "numba/core/compiler_lock.py",
    "numba/core/dispatcher.py",
    "numba/core/caching.py",
    "numba/core/serialize.py",
    "numba/core/typing/typeof.py",
    "importlib._bootstrap",
    "relutopo/system/",
)
"""What the trace function strikes in."""


class Striker:
    """Sends interrupts while work is under way, and counts those that were raised."""

    def __init__(self, rng: random.Random, by_line: bool) -> None:
        self.rng, self.by_line = rng, by_line
        self.is_armed = False
        self.raised = 0
        self.slowest = self.longest = 0.0
        self._sent = self._began = 0.0
        self._left = 0
        signal.signal(signal.SIGINT, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.is_armed:
            self.raised += 1
            self.slowest = max(self.slowest, time.process_time() - self._sent)
            self.longest = max(self.longest, time.monotonic() - self._began)
            raise KeyboardInterrupt

    def send(self) -> None:
        """Send an interrupt."""
        self._sent, self._began = time.process_time(), time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)

    def strike(self, work: Callable[[], Any], most: float) -> bool:
        """Do work, and tell whether it was interrupted."""
        # Most moments are early, where something is used for the first time.
        delay = most * self.rng.random() ** 2
        again = self.rng.random() < 0.2
        ended = threading.Event()

        def later() -> None:
            if not ended.wait(delay):
                self.send()
                if again and not ended.wait(self.rng.choice([0.001, 0.01, 1.1])):
                    self.send()

        thread = threading.Thread(target=later)
        self._left = int(10 ** self.rng.uniform(0, 3.5))
        before = self.raised
        if not self.by_line:
            thread.start()
        try:
            self.is_armed = True
            if self.by_line:
                sys.settrace(self._trace)
            work()
        except KeyboardInterrupt:
            pass
        finally:
            self.is_armed = False
            sys.settrace(None)
        ended.set()
        if not self.by_line:
            thread.join()
        return self.raised > before

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if any(part in frame.f_code.co_filename for part in TRACED):
            return self._count
        return None

    def _count(self, frame: FrameType, event: str, argument: Any) -> Any:
        # What is raised where a generator yields ends it without its own ``finally``.
        self._left -= event == "line"
        if self._left == 0 and event == "line":
            self._sent, self._began = time.process_time(), time.monotonic()
            signal.raise_signal(signal.SIGINT)
        return self._count


def network(*sizes: int) -> Any:
    import relutopo as rt

    return rt.gallery.random_network(list(sizes), 1)


def load() -> str:
    import relutopo as rt

    _ = rt.decompose, rt.fiedler_partition, rt.betti_numbers, rt.Box
    return "loaded"


def compile_kernels() -> str:
    from relutopo.system.uninterrupted import uninterrupted

    kernels = uninterrupted(import_module, "tests.campaign.few_kernels")
    return str(kernels.total(5))


def connect() -> str:
    import numpy as np

    import relutopo as rt

    graph = rt.DualGraph(3, np.array([[0, 1]]), np.array([-1]), "hamming")
    return str(graph.component_sizes.tolist())


def decompose_plane() -> str:
    import relutopo as rt

    return digest(rt.decompose(network(2, 12, 12, 1), rt.Box(-1, 1, dim=2)))


def decompose_in_threads() -> str:
    import relutopo as rt
    from relutopo.registry import constructor

    cpu = constructor("enumerator", "cpu")(n_threads=2)
    return digest(rt.decompose(network(2, 24, 24, 1), rt.Box(-1, 1, dim=2), enumerator=cpu))


def decompose_space() -> str:
    import relutopo as rt

    return digest(rt.decompose(network(3, 8, 6, 1), rt.Box(-1, 1, dim=3)))


def decompose_exactly() -> str:
    import relutopo as rt

    return digest(rt.decompose(network(2, 6, 4, 1), rt.Box(-1, 1, dim=2), enumerator="exact"))


def partition() -> str:
    import relutopo as rt

    complex_ = rt.decompose(network(2, 12, 12, 1), rt.Box(-1, 1, dim=2))
    found = rt.fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
    return f"{found.value:.6e}"


def reduce() -> str:
    import relutopo as rt

    complex_ = rt.decompose(network(2, 10, 8, 1), rt.Box(-1, 1, dim=2))
    order = rt.filtration(complex_, "abs_output")
    return str([len(rt.persistence(complex_, order).pairs(k)) for k in range(2)])


def follow() -> str:
    import relutopo as rt
    from relutopo.system.imports import whole

    torch = whole("torch")
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 4), nn.LeakyReLU(), nn.Linear(4, 1)
    )
    result = digest(rt.decompose(model, rt.Box(-1, 1, dim=2)))
    assert model(torch.zeros(1, 2)).shape == (1, 1)
    return result


def write() -> str:
    from relutopo.system.files import atomic_write, locked

    contents = set()
    for i in range(20):
        with locked(FOLDER / "lock"):
            with atomic_write(FOLDER / "numbers", flush=i % 4 == 0) as file:
                for _ in range(10):
                    file.write(bytes([48 + i % 10]) * 100)
            contents.add(len((FOLDER / "numbers").read_bytes()))
    return str(contents)


def store() -> str:
    import relutopo as rt

    complex_ = rt.decompose(network(2, 8, 1), rt.Box(-1, 1, dim=2))
    rt.save_complex(FOLDER / "complex.npz", complex_)
    return digest(rt.load_complex(FOLDER / "complex.npz"))


def digest(complex_: Any) -> str:
    state = hashlib.sha256(complex_.vertices.tobytes())
    state.update(complex_.patterns.tobytes())
    return state.hexdigest()[:12]


PHASES: dict[str, tuple[Callable[[], str], float]] = {
    "importing": (load, 0.5),
    "compiling": (compile_kernels, 2.0),
    "connecting": (connect, 1.0),
    "cutting the plane": (decompose_plane, 0.3),
    "partitioning": (partition, 0.5),
    "cutting in threads": (decompose_in_threads, 0.1),
    "reducing": (reduce, 0.2),
    "cutting space": (decompose_space, 0.3),
    "cutting exactly": (decompose_exactly, 0.2),
    "storing": (store, 0.03),
    "writing": (write, 0.03),
    "following torch": (follow, 1.5),
}
"""What is done, and within how many seconds it is interrupted at first."""
FOLDER = Path()


def run(seed: int, n_strikes: int, by_line: bool, phases: Sequence[str]) -> dict[str, Any]:
    """Run phases, and return what was counted and what is wrong."""
    global FOLDER
    if by_line:
        # Python's own ``import`` keeps its lock where an interrupt strikes in its first lines.
        for module in ("", ".registry", ".system.files", ".system.imports"):
            import_module(f"relutopo{module}")
    FOLDER = Path(tempfile.mkdtemp())
    rng = random.Random(seed)
    striker = Striker(rng, by_line)
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    results = {}
    for name in phases:
        work, most = PHASES[name]
        for _ in range(n_strikes):
            faulthandler.dump_traceback_later(LIMIT, exit=True)
            begin = time.monotonic()
            if striker.strike(work, most):
                counts[name] += 1
            else:  # it ended before
                most = 0.7 * (time.monotonic() - begin)
            if name == "writing" and [*FOLDER.glob("numbers")]:
                content = (FOLDER / "numbers").read_bytes()
                if len(content) != 1000 or len(set(content)) != 1:
                    wrong.append("half a file")
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        results[name] = work()
    if [*FOLDER.glob(".*.tmp")]:
        wrong.append(f"temporary files: {[path.name for path in FOLDER.glob('.*.tmp')]}")
    wrong += held()
    if striker.slowest > LATE or striker.longest > LONGEST:
        wrong.append(f"raised after {striker.slowest:.1f} s, {striker.longest:.1f} s by the clock")
    return {
        "counts": counts,
        "wrong": wrong,
        "results": results,
        "slowest": striker.slowest,
        "longest": striker.longest,
    }


def held() -> list[str]:
    """Return the names of locks that the main thread has kept."""
    import logging

    from llvmlite.binding import ffi
    from numba.core.compiler_lock import global_compiler_lock

    locks = {"llvm": ffi.lib._lock._lock, "numba": global_compiler_lock._lock}
    locks |= {repr(h): h.lock for h in logging.getLogger().handlers if h.lock is not None}
    kept: list[str] = []

    def look() -> None:
        kept.extend(name for name, lock in locks.items() if not lock.acquire(timeout=30))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return [f"the lock {name} is kept" for name in kept]


if __name__ == "__main__":
    from tests.campaign import interrupted

    seed, n_strikes, strike_at, *phases = sys.argv[1:]
    found = interrupted.run(int(seed), int(n_strikes), strike_at == "lines", phases)
    print(json.dumps(found))
    faulthandler.cancel_dump_traceback_later()
