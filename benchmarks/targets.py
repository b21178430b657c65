"""What the project wants to be fast at, and whether it is.

The targets were set by the project itself, before the part was built: by the time that a person
waits, by the memory of a laptop, or by the best tool that there was, measured beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .rows import MIB, Row, Rows, host_and_card, microseconds, series, shape, timed_part


@dataclass(frozen=True)
class Target:
    """One line of the first table; `reached` is None where there is only a number."""

    what: str
    wanted: str
    measured: str
    reached: bool | None


def targets(rows: Rows) -> list[Target]:
    found: list[Target] = []
    parts = (
        _enumeration,
        _threads,
        _graphs,
        _relucent,
        _search,
        _segments,
        _fiedler,
        _reduction,
        _pipeline,
        _card,
        _determinism,
    )
    for make in parts:
        found += make(rows)
    return found


def _enumeration(rows: Rows) -> Iterable[Target]:
    def of(shape: list[int]) -> Row | None:
        every = [row for row in rows.all("enumerators", shape=shape) if "result_bytes" in row]
        return every[0] if every else None

    wide, deep = of([2, 512, 512, 1]), of([2, *[64] * 10, 1])
    for name, row in (("[2,512,512,1]", wide), ("[2]+[64]*10+[1]", deep)):
        if row:
            size = f"{row['n_regions']:,} regions"
            yield Target(
                f"{name}, {size}",
                "≤ 2 µs a region",
                f"{microseconds(row):.2f} µs",
                microseconds(row) <= 2,
            )
            ratio = row["peak_bytes"] / row["result_bytes"]
            measured = f"{ratio:.2f} times ({row['peak_bytes'] / MIB:.0f} MiB at the peak)"
            yield Target(f"{name}, peak memory", "≤ 3 times the result", measured, ratio <= 3)
    for layers in ([32] * 18, [16] * 20):
        row = of([2, *layers, 1])
        if row:
            share = 10_000 * row["n_uncertain"] / row["n_regions"]
            yield Target(
                f"{shape(row)}, {row['n_regions']:,} regions",
                "≤ 6 µs a region, fewer than 1 sign in 10,000 regions open",
                f"{microseconds(row):.2f} µs, {share:.2f}",
                microseconds(row) <= 6 and share < 1,
            )
    for n, most in ((16, 0.0), (24, 60.0), (32, np.inf)):
        row = rows.best("enumerators", lattice=n)
        if row:
            what = f"minimum of {n} maxima of {n // 2}, {row['n_regions']:,} regions"
            wanted = f"≤ {most:.0f} s" if most else "≤ 100 µs a region"
            measured = f"{row['seconds']:.2f} s, {microseconds(row):.1f} µs a region"
            good = row["seconds"] <= most if most else microseconds(row) <= 100
            yield Target(what, wanted if n < 32 else "finished", measured, good)
    every = series(rows)
    if len(every) > 1:
        first, last = every[0], every[-1]
        growth = microseconds(last) / microseconds(first)
        what = f"time a region, from {first['n_regions']:,} to {last['n_regions']:,} regions"
        measured = f"{growth:.2f} times ({microseconds(first):.2f} to {microseconds(last):.2f} µs)"
        yield Target(what, "< 1.5 times", measured, growth < 1.5)
    yield from _dimensions(rows)


def _dimensions(rows: Rows) -> Iterable[Target]:
    """Space, where regions count, and beyond, where a region has many cells."""
    for dim in (3, 4, 5, 6):
        row = rows.best("enumerators", dim=dim)
        if row is None:
            continue
        n_cells, ratio = sum(row["n_cells"]), row["peak_bytes"] / row["result_bytes"]
        a_cell, name = 1e6 * row["seconds"] / n_cells, f"d = {dim}, {shape(row)}"
        if dim == 3:
            measured = f"{row['n_regions']:,} regions, {microseconds(row):.2f} µs a region"
            yield Target(name, "≤ 1.2 µs a region", measured, microseconds(row) <= 1.2)
        else:
            measured = f"{n_cells:,} cells, {a_cell:.3f} µs a cell"
            yield Target(name, "≤ 0.15 µs a cell", measured, a_cell <= 0.15)
        measured = f"{ratio:.2f} times ({row['peak_bytes'] / MIB:.0f} MiB at the peak)"
        yield Target(f"{name}, peak memory", "≤ 2 times the result", measured, ratio <= 2)


def _threads(rows: Rows) -> Iterable[Target]:
    for row in rows.parts.get("enumerators", []):
        if "seconds_of_one" in row:
            ratio = row["seconds_of_one"] / row["seconds"]
            alone = max(0.0, 2 / ratio - 1)  # by Amdahl's law: what no second thread shortens
            measured = (
                f"{ratio:.2f} times ({1e3 * row['seconds_of_one']:.0f} and "
                f"{1e3 * row['seconds']:.0f} ms, load {row['load']:.1f}): {alone:.0%} runs alone, "
                f"so {1 / (alone + (1 - alone) / 16):.1f} times is to be expected on 16 cores"
            )
            what = f"two threads against one, {shape(row)}, {row['n_regions']:,} regions"
            yield Target(what, "≥ 1.7 times", measured, ratio >= 1.7)


def _graphs(rows: Rows) -> Iterable[Target]:
    for row in rows.parts.get("enumerators", []):
        if "graph" in row:
            ratio = microseconds(row) / row["floor_microseconds"]
            both = f"{microseconds(row):.2f} and {row['floor_microseconds']:.2f} µs a region"
            measured = f"{ratio:.2f} times ({both}), {row['n_uncertain']:,} exact decisions"
            what = f"{row['graph']}, {row['n_regions']:,} regions, and {row['floor']}"
            yield Target(what, f"≤ {row['wanted']:g} times", measured, ratio <= row["wanted"])


def _relucent(rows: Rows) -> Iterable[Target]:
    for mode in ("whole plane", "box"):
        row = rows.best("enumerators", mode=mode)
        if row and "peer" in row:
            ratio = row["peer"]["seconds"] / row["seconds"]
            same = "same regions" if row["same_regions"] else "other regions"
            measured = (
                f"{ratio:,.0f} times ({1e3 * row['seconds']:.2f} ms, "
                f"{row['peer']['seconds']:.1f} s), {same}"
            )
            what = f"relucent on {shape(row)}, {mode}, {row['n_regions']:,} regions"
            good = ratio >= 1000 and row["same_regions"]
            yield Target(what, "≥ 1,000 times faster", measured, good)


def _search(rows: Rows) -> Iterable[Target]:
    ours = rows.best("search", n_processes=1)
    if ours is None:
        return
    ms = 1e3 * ours["seconds"] / ours["n_regions"]
    what = f"walls of a region of {shape(ours)}, handwritten digits"
    proved = "all walls proved" if not ours["n_open"] else f"{ours['n_open']} open"
    measured = f"{ms:.1f} ms a region, {proved}"
    yield Target(what, "≤ 15 ms a region", measured, ms <= 15 and not ours["n_open"])
    for row in rows.parts["search"]:
        if "peer" in row:
            peer = row["peer"]
            theirs = 1e3 * peer["seconds"] / peer["n_regions"]
            measured = f"{theirs / ms:,.0f} times ({theirs:,.0f} ms a region)"
            yield Target(
                f"relucent on {shape(row)}", "≥ 10 times faster", measured, theirs >= 10 * ms
            )


def _segments(rows: Rows) -> Iterable[Target]:
    for row in rows.parts.get("segments", []):
        seconds, floor = row["seconds"], row["floor"]
        part = timed_part(floor, "knots")
        times = f"{seconds / floor['seconds']:.2f} times{part}"
        size = f"{row['n_segments']:,} segments, {row['n_crossings']:,} knots"
        what = f"{row['what']}, {shape(row)}, {size}"
        if row["what"] == "all signatures":
            yield Target(what, "≤ 0.5 s", f"{seconds:.2f} s", seconds <= 0.5)
        elif row["what"] == "segments":
            each, peer = 1e6 * seconds / row["n_crossings"], row["peer"]
            yield Target(what, "≤ 3 µs a crossing", f"{each:.2f} µs", each <= 3)
            ratio = peer["seconds"] / seconds
            missed = f"{peer['samples']:,} points a segment, {peer['n_missed']:,} switches missed"
            measured = f"{ratio:,.0f} times as long ({missed}{timed_part(peer, 'segments', ', ')})"
            yield Target(f"{peer['name']}, {shape(row)}", "a number", measured, None)
        else:
            measured = f"{times} ({seconds:.1f} and {floor['seconds']:.1f} s)"
            is_near = seconds <= 3 * floor["seconds"]
            yield Target(f"{what}, and {floor['name']}", "≤ 3 times", measured, is_near)
            continue
        yield Target(f"{row['what']}, {shape(row)}, and {floor['name']}", "a number", times, None)


def _ours(rows: Rows, n_nodes: int, weights: str = "unweighted") -> Row | None:
    """Return the row of the solver that is chosen by itself, or else of the fastest."""
    facts = {"n_nodes": n_nodes, "weights": weights, "status": "converged"}
    return rows.best("eigensolvers", solver="auto", **facts) or rows.best("eigensolvers", **facts)


def _fiedler(rows: Rows) -> Iterable[Target]:
    for peer, wanted in (("scipy", 3), ("tracemin_pcg", 10), ("tracemin_lu", None)):
        every = rows.all("eigensolvers", peer=peer)
        if not every:
            continue
        theirs = max(every, key=lambda row: row["n_nodes"])
        ours = _ours(rows, theirs["n_nodes"])
        if ours is None:
            continue
        ratio = theirs["seconds"] / ours["seconds"]
        near = abs(theirs["value"] / ours["value"] - 1) < 1e-3
        measured = (
            f"{ratio:.1f} times ({ours['method']} {ours['seconds']:.2f} s to "
            f"{ours['residual']:.0e}, {theirs['seconds']:.1f} s to {theirs['residual']:.0e}), "
            f"{'same' if near else 'another'} eigenvalue"
        )
        yield Target(
            f"{theirs['name']}, {theirs['n_nodes']:,} nodes, the largest that it finished",
            f"≥ {wanted} times faster, residual ≤ 1e-6" if wanted else "a number",
            measured,
            ratio >= wanted and ours["residual"] <= 1e-6 if wanted else None,
        )
    solved = [row for row in rows.parts.get("eigensolvers", []) if row.get("solver")]
    if solved:
        most = max(row["n_nodes"] for row in solved)
        row = _ours(rows, most)
        if row:
            measured = (
                f"{row['method']}: {row['seconds']:.1f} s, {row['peak_bytes'] / MIB:,.0f} MiB, "
                f"residual {row['residual']:.0e}"
            )
            good = most >= 2_000_000 and row["residual"] <= 1e-6
            yield Target(f"Fiedler pair of {most:,} nodes", "fits the memory", measured, good)


def _reduction(rows: Rows) -> Iterable[Target]:
    for name, whole, alone in (("plane", 10, 3), ("large plane", 10, 3), ("space", None, 1)):
        ours = rows.best("reducers", complex=name, reducer="z2")
        if ours is None:
            continue
        for timed, wanted in (("arrays to pairs", whole), ("reduction alone", alone)):
            phat = [
                row
                for row in rows.all("reducers", complex=name, timed=timed)
                if row["reducer"].startswith("phat")
            ]
            if not phat or wanted is None:
                continue
            best = min(phat, key=lambda row: row["seconds"])
            ratio = best["seconds"] / ours["seconds"]
            what = f"PHAT on {ours['n_cells']:,} cells ({name}), {timed}"
            measured = (
                f"{ratio:.1f} times ({1e3 * ours['seconds']:.1f} ms; {best['reducer']} "
                f"{1e3 * best['seconds']:.1f} ms)"
            )
            yield Target(what, f"≥ {wanted} times as long as z2", measured, ratio >= wanted)
        cycles = rows.best("reducers", complex=name, reducer="cycles")
        if cycles:
            what = f"representatives of all classes, {cycles['n_cells']:,} cells ({name})"
            times = cycles["times_reduction"]
            measured = f"{times:.2f} times ({1e3 * cycles['seconds']:.1f} ms)"
            if name == "space":
                yield Target(what, "a number", measured, None)
            else:
                yield Target(what, "< 2 times the reduction", measured, times < 2)


def _pipeline(rows: Rows) -> Iterable[Target]:
    for row in rows.parts.get("pipeline", []):
        if "experiment" in row:
            ms = 1e3 * row["seconds"]
            what = f"checkpoint of {row['experiment']}, {row['n_regions']:,} regions"
            wanted = 2.5 if row["experiment"].startswith("[2,16,16,1]") else 5
            good = ms <= wanted if row["n_regions"] < 1500 else None
            in_words = f"≤ {wanted:g} ms" if good is not None else "a number"
            yield Target(what, in_words, f"{ms:.1f} ms", good)
    for what, named, limit in (
        ("import relutopo", "`import relutopo`", 0.3),
        ("relutopo --help", "`relutopo --help`", 2.0),
        ("first complex and partition", "first complex and partition, no kernel compiled", 30.0),
    ):
        start = rows.best("pipeline", what=what)
        if start:
            seconds = start["seconds"]
            yield Target(named, f"< {limit:g} s", f"{seconds:.2f} s", seconds < limit)


def _card(rows: Rows) -> Iterable[Target]:
    for role, wanted in (("enumerator", 10), ("eigensolver", 5)):
        pairs = [pair for pair in host_and_card(rows, role) if pair[0]["n_regions"] >= 2_000_000]
        if pairs:
            host, card = pairs[0]
            ratio = host["seconds"] / card["seconds"]
            measured = (
                f"{ratio:.1f} times ({host['name']} {host['seconds']:.2f} s, {card['name']} "
                f"{card['seconds']:.2f} s on {card['device']})"
            )
            good = ratio >= wanted and card.get("residual", 0) <= 1e-6
            what = f"{role} on a card, {card['n_regions']:,} regions"
            yield Target(what, f"≥ {wanted} times faster than the processor", measured, good)
    on_card = rows.all("cuda", role="enumerator", name="cuda")
    if on_card:
        row = max(on_card, key=lambda row: row["n_regions"])
        measured = f"{row['n_regions']:,} in {row['card_bytes'] / 2**30:.1f} GiB of {row['device']}"
        good = row["n_regions"] >= 9_900_000
        yield Target("regions that fit on a card", "ten million on 80 GB", measured, good)


def _determinism(rows: Rows) -> Iterable[Target]:
    every = [row for row in rows.parts.get("enumerators", []) if "same" in row]
    if every:
        last = max(every, key=lambda row: len(row["runs"]))
        counts = sorted({run["n_threads"] for run in last["runs"]})
        same = all(last["same"].values())
        measured = f"{'equal' if same else 'different'} hashes of {', '.join(last['same'])}"
        what = f"{len(last['runs'])} runs with {' and '.join(map(str, counts))} threads"
        yield Target(what, "bit-identical", measured, same and len(counts) > 1)
