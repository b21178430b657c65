"""Regions of a network by relucent's breadth-first search: all, or the first from a start."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import relucent
import torch


def module(file: np.lib.npyio.NpzFile) -> torch.nn.Module:
    n_layers = sum(name.startswith("weights") for name in file)
    layers: list[torch.nn.Module] = []
    for i in range(n_layers):
        weights, biases = (torch.tensor(file[f"{kind}_{i}"]) for kind in ("weights", "biases"))
        n_out, n_in = weights.shape
        layer = torch.nn.Linear(n_in, n_out, dtype=torch.float64)
        layer.weight.data, layer.bias.data = weights, biases
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def main() -> None:
    options: dict[str, Any] = {}
    with np.load(sys.argv[1]) as file:
        network, radius = module(file), float(file["radius"])
        if radius:
            options |= {"cube_mode": "intersect", "cube_radius": radius}
        if "start" in file:
            options |= {"start": torch.tensor(file["start"]), "max_polys": int(file["n_regions"])}
            options |= {"verify": False}  # a part is never verified
    complex_ = relucent.Complex(network)
    begin = time.perf_counter()
    result = complex_.bfs(verbose=0, **options)
    seconds = time.perf_counter() - begin
    signs = np.array([np.ravel(cell.ss_np) for cell in complex_])
    np.savez(sys.argv[2], patterns=signs > 0)
    facts = {
        "name": "relucent",
        "version": version("relucent"),
        "seconds": seconds,
        "complete": bool(result.complete),
        "verified": bool(result.verified),
    }
    print(json.dumps(facts))


if __name__ == "__main__":  # it starts processes of its own
    main()
