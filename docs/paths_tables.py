"""Make the tables of docs/paths.md on path graphs: how many segments a partition needs.

``python docs/paths_tables.py`` trains 8 networks, in the folder ``paths_tables`` here, and prints
the tables as Markdown. ``python docs/paths_tables.py 40`` takes other seeds: 40 to 43.
"""

import sys
from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd

import relutopo as rt

SIZES = (100, 300, 1000, 3000)
STEPS = (300, 5000)
WEIGHTS: dict[str, str | rt.VertexWeights] = {
    "path, 1 + count": "count_plus_one",
    "path, Chung-Langlands": rt.ChungLanglands(),
    "path, unweighted": "unweighted",
}
Networks = Iterator[tuple[rt.Network, rt.Dataset]]


def networks(first_seed: int) -> Networks:
    """Yield the networks of both experiments at two steps, for four seeds, with their data."""
    settings = rt.TrainerSettings(n_steps=max(STEPS), n_checkpoints=0, checkpoint_steps=STEPS)
    for seed, is_first in product(range(first_seed, first_seed + 4), (True, False)):
        data = rt.two_moons(seed=seed) if is_first else rt.two_circles(seed=seed)
        directory = f"paths_tables/{data.name}_{seed}"
        run = rt.train(data, rt.MlpSettings(), settings, seed=seed, directory=directory)
        for step in STEPS:
            yield run.network(step), data


def ends(kind: str, box: rt.Box, data: rt.Dataset, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where n segments of a kind begin and end."""
    rng = np.random.default_rng(n)
    x = rng.permutation(data.points)
    if kind == "chords through data":
        return rt.domain_chords(box, x, n=n, seed=n)
    if kind == "hit and run":
        return rt.domain_chords(box, n=n, seed=n)
    if kind == "between uniform points":
        corners = rng.uniform(box.low, box.high, (2, n, 2))
        return corners[0], corners[1]
    pairs = rt.segment_pairs(x, n=n, seed=n)
    return x[pairs[:, 0]], x[pairs[:, 1]]


def agreement(part: rt.FiedlerPartition, whole: np.ndarray, points: np.ndarray) -> float:
    """Return the share of points on the side that they have in the whole graph, up to a flip."""
    regions = part.graph.locate(points)
    sides = np.where(regions >= 0, part.sides[regions], 0)
    known = sides != 0
    share = np.mean(sides[known] == whole[known]) if known.any() else 0.5
    return float(max(share, 1 - share))


def measure(first_seed: int) -> pd.DataFrame:
    """Return a row for each network, kind and number of segments, and way to make a partition."""
    rows = []
    kinds = ("chords through data", "between uniform points", "hit and run", "between data points")
    for network, data in networks(first_seed):
        box = rt.Box.around(data.points, 0.25)
        complex_ = rt.decompose(network, box)
        graph = complex_.dual_graph()
        places = complex_.locate(data.points)
        sides = {
            way: rt.fiedler_partition(graph, data.points, vertex_weights=weights).sides[places]
            for way, weights in WEIGHTS.items()
        }
        # Of the unweighted paths it is seen how far they are from the weighted partition.
        sides["path, unweighted"] = sides["path, 1 + count"]
        sample = np.random.default_rng(0).uniform(box.low, box.high, (2000, 2))
        for kind, n in product(kinds, SIZES):
            found = rt.segments(network, *ends(kind, box, data, n))
            seen = rt.path_graph(found)
            ways: dict[str, tuple[rt.PathGraph, str | rt.VertexWeights]] = {
                way: (seen, weights) for way, weights in WEIGHTS.items()
            }
            if n == 300:
                more = rt.path_graph(found, induced=True)
                for way in list(WEIGHTS)[:2]:
                    ways[way.replace("path", "induced")] = more, WEIGHTS[way]
            row = {
                "segments": kind,
                "n": n,
                "regions": seen.graph.n_nodes / graph.n_nodes,
                "edges": seen.graph.n_edges / graph.n_edges,
                "coverage": seen.coverage(sample),
            }
            for way, (some, weights) in ways.items():
                part = rt.fiedler_partition(
                    some.graph, data.points, vertex_weights=weights, component="largest"
                )
                wanted = sides[way.replace("induced", "path")]
                share = agreement(part, wanted, data.points)
                rows.append(row | {"way": way, "agreement": share})
    return pd.DataFrame(rows)


def brief(value: float) -> str:
    """Return a fraction with three digits."""
    return f"{value:.3f}".removeprefix("0")


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print a table."""
    for cells in [head, ["---"] * len(head), *rows]:
        print("|", " | ".join(cells), "|")
    print()


def main(first_seed: int) -> None:
    """Print all tables."""
    found = measure(first_seed)
    rows = []
    for (kind, way), group in found.groupby(["segments", "way"], sort=False):
        cells = [str(kind), str(way)]
        for n in SIZES:
            values = group.agreement[group.n == n]
            cells.append(f"{brief(values.mean())} [{brief(values.min())}]" if len(values) else "")
        rows.append(cells)
    table(["segments", "edges, weights", *map(str, SIZES)], rows)
    seen = found[(found.n == 300) & (found.way == "path, 1 + count")].groupby(
        "segments", sort=False
    )
    shares = seen[["regions", "edges", "coverage"]].mean()
    table(
        ["300 segments", "of the regions", "of the facets", "of the box (coverage)"],
        [
            [kind, *map(brief, row)]
            for kind, row in zip(shares.index, shares.to_numpy(), strict=True)
        ],
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
