"""Print hashes of what a network gives: ``python -m benchmarks.digests 2 64 64 1``."""

from __future__ import annotations

import json
import sys
import time

import relutopo as rt
from relutopo.gallery import random_network

from .measuring import arrays, decompose, digest


def main() -> None:
    network = random_network([int(size) for size in sys.argv[1:]], kind="uniform")
    decompose(random_network([2, 8, 8, 1], kind="uniform"))
    begin = time.perf_counter()
    complex_, graph = decompose(network)
    seconds = time.perf_counter() - begin
    part = rt.fiedler_partition(graph, vertex_weights="unweighted")
    every = list(arrays(complex_, graph))
    print(
        json.dumps(
            {
                "complex": digest(*every[:-2]),
                "graph": digest(*every[-2:]),
                "fiedler": digest(part.vector),
                "seconds": seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
