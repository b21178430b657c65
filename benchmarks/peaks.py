"""Print how far the memory rises while a network is cut: ``python -m benchmarks.peaks 2 64 64 1``.

In a process of its own, where no earlier work left holes in the memory. The network is cut once
before, as kernels are loaded then.
"""

from __future__ import annotations

import subprocess
import sys

from relutopo.gallery import random_network

from .measuring import decompose, peak_memory

__all__ = ["peak_of"]


def peak_of(shape: list[int]) -> int:
    """Return the bytes that such a process prints."""
    command = [sys.executable, "-m", "benchmarks.peaks", *map(str, shape)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    network = random_network([int(size) for size in sys.argv[1:]], kind="uniform")
    decompose(network)
    print(peak_memory(lambda: decompose(network))[1])


if __name__ == "__main__":
    main()
