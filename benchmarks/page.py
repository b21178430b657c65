"""The page ``docs/benchmarks.md``: every number and every verdict comes from the rows."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relutopo.plots import plot_scaling
from relutopo.reports.power_laws import fit_power_law
from relutopo.system.files import atomic_write

from .measuring import QUICK, machine

Row = dict[str, Any]
MIB = 2**20
BLURBS = {
    "enumerators": "From the weights to the complex with facets, patterns and dual graph.",
    "eigensolvers": "Dual graphs of [2, w, w, 1]; residuals are computed afresh for everybody.",
    "reducers": "Random filtrations of complexes of one hidden layer; all pairs are compared.",
    "pipeline": "Of each experiment the checkpoint with the most regions, one BLAS thread.",
    "cuda": "[2, w, w, 1] on a card and on its machine's processor, host to host.",
}

COMMAND = "pytest -m gpu && python -m benchmarks --only cuda"
NO_CARD = f"""
No NVIDIA card was at hand, so **nothing on this page was measured on one**. The backends `cuda` and
`cuda_lobpcg` are tested on NumPy, by the same code, against the others. What only a card can show:

- that the tests marked `gpu` pass there: the same cells, residuals of at most 1e-6;
- times beside the processor's (asked: at two million regions the enumeration at least 10 times
  faster, the Fiedler pair at least 5 times), and the size from which on the card is faster;
- how much of the card's memory the work takes (asked: ten million regions in 80 GB);
- the share of each phase in the time.

On a machine with a card, one command shows all of it, and puts it here:

    {COMMAND}
"""

AGAIN = (
    "Nothing has been measured on a card since; on a machine with one, this command does it again, "
    "and puts it here:"
)
"""Said where the saved machine says what has changed, under ``outdated``, by hand."""


@dataclass(frozen=True)
class Rows:
    """All rows, by part, and where and when they were measured."""

    parts: dict[str, list[Row]]
    machines: dict[str, dict[str, Any]]
    seconds: dict[str, float]

    def all(self, part: str, **facts: Any) -> list[Row]:
        """Return the rows that have these facts."""
        rows = self.parts.get(part, [])
        return [row for row in rows if all(row.get(k) == v for k, v in facts.items())]

    def best(self, part: str, **facts: Any) -> Row | None:
        """Return the fastest of them."""
        return min(self.all(part, **facts), key=lambda row: row["seconds"], default=None)


def read(path: Path) -> dict[str, Any]:
    """Return the rows of a part, and how long it took to measure them; see `keep`."""
    nothing: dict[str, Any] = {"machine": {}, "seconds": 0.0, "rows": []}
    return json.loads(path.read_text()) if path.exists() else nothing


def keep(path: Path, row: Row) -> None:
    """Put the row of a test into a part, in the place of an earlier one."""
    content = read(path)
    content["rows"] = [other for other in content["rows"] if other["test"] != row["test"]] + [row]
    write(path, content | {"machine": {**machine(), "quick": QUICK}})


def write(path: Path, content: dict[str, Any]) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")


def load(folder: Path) -> Rows:
    content = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    return Rows(
        {part: entry["rows"] for part, entry in content.items()},
        {part: entry["machine"] for part, entry in content.items()},
        {part: entry["seconds"] for part, entry in content.items()},
    )


# Bars: what is asked, and what was measured.


@dataclass(frozen=True)
class Bar:
    """One line of the first table; `met` is None where only a figure is asked."""

    what: str
    asked: str
    measured: str
    met: bool | None


def bars(rows: Rows) -> list[Bar]:
    found: list[Bar] = []
    for make in (_enumeration, _relucent, _fiedler, _reduction, _pipeline, _card, _determinism):
        found += make(rows)
    return found


def _us(row: Row) -> float:
    return 1e6 * row["seconds"] / row["n_regions"]


def _enumeration(rows: Rows) -> Iterable[Bar]:
    def of(shape: list[int]) -> Row | None:
        every = [row for row in rows.all("enumerators", shape=shape) if "result_bytes" in row]
        return every[0] if every else None

    wide, deep = of([2, 512, 512, 1]), of([2, *[64] * 10, 1])
    for name, row in (("[2,512,512,1]", wide), ("[2]+[64]*10+[1]", deep)):
        if row:
            size = f"{row['n_regions']:,} regions"
            yield Bar(f"{name}, {size}", "≤ 2 µs a region", f"{_us(row):.2f} µs", _us(row) <= 2)
            ratio = row["peak_bytes"] / row["result_bytes"]
            measured = f"{ratio:.2f} times ({row['peak_bytes'] / MIB:.0f} MiB at the peak)"
            yield Bar(f"{name}, peak memory", "≤ 3 times the result", measured, ratio <= 3)
    series = _series(rows)
    if len(series) > 1:
        first, last = series[0], series[-1]
        growth = _us(last) / _us(first)
        what = f"time a region, from {first['n_regions']:,} to {last['n_regions']:,} regions"
        measured = f"{growth:.2f} times ({_us(first):.2f} to {_us(last):.2f} µs)"
        yield Bar(what, "< 1.5 times", measured, growth < 1.5)
    for dim, asked in ((3, "≥ 100,000 regions, ≤ 10 µs a region"), (4, "a figure")):
        row = rows.best("enumerators", dim=dim)
        if row:
            good = row["n_regions"] >= 100_000 and _us(row) <= 10 if dim == 3 else None
            measured = f"{row['n_regions']:,} regions, {_us(row):.2f} µs a region"
            yield Bar(f"d = {dim}, {_shape(row)}", asked, measured, good)


def _series(rows: Rows) -> list[Row]:
    every = [row for row in rows.all("enumerators", dim=2) if len(row["shape"]) == 4]
    return sorted(every, key=lambda row: row["n_regions"])


def _relucent(rows: Rows) -> Iterable[Bar]:
    for mode in ("whole plane", "box"):
        row = rows.best("enumerators", mode=mode)
        if row and "peer" in row:
            ratio = row["peer"]["seconds"] / row["seconds"]
            same = "same regions" if row["same_regions"] else "other regions"
            measured = (
                f"{ratio:,.0f} times ({1e3 * row['seconds']:.2f} ms, "
                f"{row['peer']['seconds']:.1f} s), {same}"
            )
            what = f"relucent on {_shape(row)}, {mode}, {row['n_regions']:,} regions"
            good = ratio >= 1000 and row["same_regions"]
            yield Bar(what, "≥ 1,000 times faster", measured, good)


def _ours(rows: Rows, n_nodes: int, weights: str = "unweighted") -> Row | None:
    """Return the row of the solver that is chosen by itself, or else of the fastest."""
    facts = {"n_nodes": n_nodes, "weights": weights, "status": "converged"}
    return rows.best("eigensolvers", solver="auto", **facts) or rows.best("eigensolvers", **facts)


def _fiedler(rows: Rows) -> Iterable[Bar]:
    for peer, asked in (("scipy", 3), ("tracemin_pcg", 10), ("tracemin_lu", None)):
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
        yield Bar(
            f"{theirs['name']}, {theirs['n_nodes']:,} nodes, the largest that it finished",
            f"≥ {asked} times faster, residual ≤ 1e-6" if asked else "a figure",
            measured,
            ratio >= asked and ours["residual"] <= 1e-6 if asked else None,
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
            yield Bar(f"Fiedler pair of {most:,} nodes", "fits the memory", measured, good)


def _reduction(rows: Rows) -> Iterable[Bar]:
    for name, whole, alone in (("plane", 10, 3), ("large plane", 10, 3), ("space", None, 1)):
        ours = rows.best("reducers", complex=name, reducer="z2")
        if ours is None:
            continue
        for timed, asked in (("arrays to pairs", whole), ("reduction alone", alone)):
            phat = [
                row
                for row in rows.all("reducers", complex=name, timed=timed)
                if row["reducer"].startswith("phat")
            ]
            if not phat or asked is None:
                continue
            best = min(phat, key=lambda row: row["seconds"])
            ratio = best["seconds"] / ours["seconds"]
            what = f"PHAT on {ours['n_cells']:,} cells ({name}), {timed}"
            measured = (
                f"{ratio:.1f} times ({1e3 * ours['seconds']:.1f} ms; {best['reducer']} "
                f"{1e3 * best['seconds']:.1f} ms)"
            )
            yield Bar(what, f"≥ {asked} times as long as z2", measured, ratio >= asked)


def _pipeline(rows: Rows) -> Iterable[Bar]:
    for row in rows.parts.get("pipeline", []):
        if "experiment" in row:
            ms = 1e3 * row["seconds"]
            what = f"checkpoint of {row['experiment']}, {row['n_regions']:,} regions"
            good = ms < 50 if row["n_regions"] < 1500 else None
            yield Bar(what, "< 50 ms" if good is not None else "a figure", f"{ms:.1f} ms", good)
    for what, limit in (("import relutopo", 0.3), ("relutopo --help", 2.0)):
        start = rows.best("pipeline", what=what)
        if start:
            seconds = start["seconds"]
            yield Bar(f"`{what}`", f"< {limit:g} s", f"{seconds:.2f} s", seconds < limit)


def _card(rows: Rows) -> Iterable[Bar]:
    for role, asked in (("enumerator", 10), ("eigensolver", 5)):
        pairs = [pair for pair in _pairs(rows, role) if pair[0]["n_regions"] >= 2_000_000]
        if pairs:
            host, card = pairs[0]
            ratio = host["seconds"] / card["seconds"]
            measured = (
                f"{ratio:.1f} times ({host['name']} {host['seconds']:.2f} s, {card['name']} "
                f"{card['seconds']:.2f} s on {card['device']})"
            )
            good = ratio >= asked and card.get("residual", 0) <= 1e-6
            what = f"{role} on a card, {card['n_regions']:,} regions"
            yield Bar(what, f"≥ {asked} times faster than the processor", measured, good)
    on_card = rows.all("cuda", role="enumerator", name="cuda")
    if on_card:
        row = max(on_card, key=lambda row: row["n_regions"])
        measured = f"{row['n_regions']:,} in {row['card_bytes'] / 2**30:.1f} GiB of {row['device']}"
        good = row["n_regions"] >= 9_900_000
        yield Bar("regions that fit on a card", "ten million on 80 GB", measured, good)


def _pairs(rows: Rows, role: str) -> list[tuple[Row, Row]]:
    """Return the best rows of the processor and of the card, for each size that has both."""
    every = rows.all("cuda", role=role)
    pairs = []
    for n in sorted({row["n_regions"] for row in every}):
        of_size = sorted(
            (row for row in every if row["n_regions"] == n), key=lambda row: row["seconds"]
        )
        host = [row for row in of_size if "card_bytes" not in row]
        card = [row for row in of_size if "card_bytes" in row]
        if host and card:
            pairs.append((host[0], card[0]))
    return pairs


def _determinism(rows: Rows) -> Iterable[Bar]:
    every = [row for row in rows.parts.get("enumerators", []) if "same" in row]
    if every:
        last = max(every, key=lambda row: len(row["runs"]))
        counts = sorted({run["n_threads"] for run in last["runs"]})
        same = all(last["same"].values())
        measured = f"{'equal' if same else 'different'} hashes of {', '.join(last['same'])}"
        what = f"{len(last['runs'])} runs with {' and '.join(map(str, counts))} threads"
        yield Bar(what, "bit-identical", measured, same and len(counts) > 1)


# The page.


def render(rows: Rows) -> str:
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m benchmarks`; every number comes from its last run. Times are the",
        "best of several rounds after a warm-up, memory is the rise of the resident memory at its",
        "peak, and what is compared runs on the same machine one after the other. Peers come from",
        "PyPI, in an environment of their own (`benchmarks/peers/requirements.txt`).",
        "",
        *_machine(rows),
        "",
        "## What was asked, and what was measured",
        "",
        *_table(
            ["", "asked", "measured", ""],
            [[bar.what, bar.asked, bar.measured, _mark(bar.met)] for bar in bars(rows)],
            "lllc",
        ),
        "",
    ]
    tables: dict[str, Callable[[Rows], list[str]]] = {
        "enumerators": _enumerator_tables,
        "eigensolvers": _eigensolver_tables,
        "reducers": _reducer_tables,
        "pipeline": _pipeline_tables,
    }
    for part, make in tables.items():
        if rows.parts.get(part):
            lines += [f"## {part.capitalize()}", "", BLURBS[part], "", *make(rows), ""]
    lines += ["## Cards", "", *_cards(rows)]
    return "\n".join(lines).rstrip() + "\n"


def _machine(rows: Rows) -> list[str]:
    lines = []
    seen: dict[str, list[str]] = {}
    for part, entry in rows.machines.items():
        packages = ", ".join(f"{name} {v}" for name, v in entry["packages"].items())
        text = (
            f"{entry['cpu']}, {entry['cores']} cores, {entry['memory_bytes'] / 2**30:.0f} GiB; "
            f"{entry['system']}, Python {entry['python']}, relutopo {entry['relutopo']}, {packages}"
        )
        if entry["quick"]:
            text += ". **Small sizes only: these numbers show that it runs, nothing else.**"
        seen.setdefault(text, []).append(part)
    for text, parts in seen.items():
        spent = sum(rows.seconds[part] for part in parts)
        lines.append(f"- {', '.join(parts)} ({spent:.0f} s): {text}")
    return lines


def _mark(met: bool | None) -> str:
    return {True: "met", False: "**missed**", None: ""}[met]


def _table(headings: list[str], body: list[list[str]], align: str) -> list[str]:
    marks = {"l": "---", "r": "---:", "c": ":---:"}
    lines = [headings, [marks[a] for a in align], *body]
    return [f"| {' | '.join(line)} |" for line in lines]


def _shape(row: Row) -> str:
    shape = row["shape"]
    if len(shape) > 5 and len(set(shape[1:-1])) == 1:
        return f"[{shape[0]}]+[{shape[1]}]*{len(shape) - 2}+[{shape[-1]}]"
    return f"[{','.join(map(str, shape))}]"


def _enumerator_tables(rows: Rows) -> list[str]:
    body = [
        [
            _shape(row),
            f"{row['n_regions']:,}",
            f"{sum(row['n_cells']):,}",
            f"{row['seconds']:.3f}",
            f"{_us(row):.2f}",
            f"{row['peak_bytes'] / MIB:.0f}",
            f"{row['result_bytes'] / MIB:.0f}",
            f"{row['n_uncertain']:,}",
            f"{row['numba_threads']}",
        ]
        for row in rows.parts["enumerators"]
        if "result_bytes" in row
    ]
    names = "network,regions,cells,s,µs a region,peak MiB,result MiB,settled exactly,threads"
    lines = _table(names.split(","), body, "lrrrrrrrr")
    series = _series(rows)
    law = fit_power_law([r["n_regions"] for r in series], [r["seconds"] for r in series])
    if law:
        lines += [
            "",
            f"Two hidden layers in the plane: time grows like regions^{law.exponent:.2f} over "
            f"{len(series)} sizes.",
            "",
            "![Time against regions](figures/benchmarks_enumeration.png)",
        ]
    return lines


def _eigensolver_tables(rows: Rows) -> list[str]:
    body = []
    for row in sorted(
        rows.parts["eigensolvers"], key=lambda r: (r["n_nodes"], r["weights"], r["seconds"])
    ):
        ours = "solver" in row
        body.append(
            [
                f"{row['n_nodes']:,}",
                row["weights"],
                f"`{row['solver']}` ({row['method']})" if ours else row["name"],
                f"{row['seconds']:.3f}",
                str(row["iterations"]) if ours else "",
                f"{row['residual']:.1e}",
                f"{row['value']:.6e}",
                f"{row['peak_bytes'] / MIB:.0f}" if ours else "",
                row["status"] if ours else "",
            ]
        )
    names = "nodes,pencil,solver,s,iterations,residual,eigenvalue,peak MiB,status"
    lines = _table(names.split(","), body, "rllrrrrrl")
    laws = []
    for name, every in _curves(rows).items():
        law = fit_power_law([r["n_nodes"] for r in every], [r["seconds"] for r in every])
        if law:
            laws.append(f"{name} nodes^{law.exponent:.2f}")
    if laws:
        lines += ["", f"Growth of the time, unweighted: {', '.join(laws)}.", ""]
        lines += ["![Time against nodes](figures/benchmarks_fiedler.png)"]
    return lines


def _curves(rows: Rows) -> dict[str, list[Row]]:
    """Return the rows of each solver on unweighted pencils, by its name."""
    curves: dict[str, list[Row]] = {}
    for row in sorted(rows.all("eigensolvers", weights="unweighted"), key=lambda r: r["n_nodes"]):
        curves.setdefault(row.get("solver") or row["name"], []).append(row)
    return curves


def _reducer_tables(rows: Rows) -> list[str]:
    body = []
    for row in rows.parts["reducers"]:
        ours = rows.best("reducers", complex=row["complex"], reducer="z2")
        ratio = f"{row['seconds'] / ours['seconds']:.1f}" if ours else ""
        memory = f"{row['peak_bytes'] / MIB:.0f}" if "peak_bytes" in row else ""
        time = f"{1e3 * row['seconds']:.1f}"
        names = [row["complex"], f"{row['n_cells']:,}", row["reducer"], row["timed"]]
        body.append([*names, time, ratio, memory])
    names = "complex,cells,reducer,timed,ms,times z2,peak MiB"
    return _table(names.split(","), body, "lrllrrr")


def _pipeline_tables(rows: Rows) -> list[str]:
    body = [
        [
            row["experiment"],
            str(row["step"]),
            f"{row['n_regions']:,}",
            f"{1e3 * row['seconds']:.1f}",
            f"{1e3 * row['median']:.1f}",
            f"{row['peak_bytes'] / MIB:.0f}",
        ]
        for row in rows.parts["pipeline"]
        if "experiment" in row
    ]
    names = ["experiment", "step", "regions", "ms", "median ms", "peak MiB"]
    lines = _table(names, body, "lrrrrr")
    starts = [row for row in rows.parts["pipeline"] if "what" in row]
    if starts:
        body = [[f"`{r['what']}`", f"{r['seconds']:.2f}", f"{r['median']:.2f}"] for r in starts]
        lines += ["", *_table(["start", "s", "median s"], body, "lrr")]
    return lines


def _cards(rows: Rows) -> list[str]:
    """Return what was seen on a card, or what was not."""
    if not rows.parts.get("cuda"):
        return NO_CARD.strip().splitlines()
    every = sorted(
        (row for row in rows.parts["cuda"] if "role" in row),
        key=lambda row: (row["role"], row["n_regions"], row["seconds"]),
    )
    body = [
        [
            row["role"],
            f"{row['n_regions']:,}",
            f"`{row['name']}`",
            row["device"],
            f"{row['seconds']:.3f}",
            f"{row['residual']:.1e}" if "residual" in row else "",
            f"{row['card_bytes'] / MIB:.0f}" if "card_bytes" in row else "",
        ]
        for row in every
    ]
    names = "role,regions,backend,device,s,residual,MiB of the card"
    lines = [BLURBS["cuda"], ""]
    outdated = rows.machines["cuda"].get("outdated")
    if outdated:
        said = f"**These numbers are of an earlier version.** {outdated} {AGAIN}"
        lines += [*textwrap.wrap(said, 100), "", f"    {COMMAND}", ""]
    lines += [*_table(names.split(","), body, "lrllrrr"), ""]
    lines += [f"{_crossover(rows, role)}\n" for role in ("enumerator", "eigensolver")]
    for row in rows.parts["cuda"]:
        if "shares" in row:
            lines += [
                f"Where the time of the {row['profile']} goes on {row['device']}, at "
                f"{row['n_regions']:,} regions, the card waited for at every call and return:",
                "",
                *_table(
                    ["function", "share"],
                    [[f"`{name}`", f"{share:.1%}"] for name, share in row["shares"].items()],
                    "lr",
                ),
                "",
            ]
    return lines


def _crossover(rows: Rows, role: str) -> str:
    pairs = _pairs(rows, role)
    slower = [card["n_regions"] for host, card in pairs if card["seconds"] >= host["seconds"]]
    faster = [n for _, card in pairs if (n := card["n_regions"]) > max(slower, default=0)]
    if not faster:
        return f"Crossover of the {role}: none, the processor is faster at the largest size."
    before = f", slower at {max(slower):,}" if slower else ", the smallest size"
    return f"Crossover of the {role}: the card is faster from {faster[0]:,} regions on{before}."


# Figures.


def draw(rows: Rows, folder: Path) -> None:
    """Draw cost against size on logarithmic axes, with fitted laws."""
    every = [row for row in rows.parts.get("enumerators", []) if "result_bytes" in row]
    groups: dict[str, list[Row]] = {}
    for row in every:
        in_series = row["dim"] == 2 and len(row["shape"]) == 4
        groups.setdefault("[2,w,w,1]" if in_series else _shape(row), []).append(row)
    if groups:
        _draw("enumeration", groups, "regions", folder / "benchmarks_enumeration.png")
    curves = _curves(rows)
    if curves:
        _draw("Fiedler pair", curves, "nodes", folder / "benchmarks_fiedler.png")


def _draw(title: str, curves: dict[str, list[Row]], size: str, path: Path) -> None:
    points = {
        name: ([row[f"n_{size}"] for row in every], [row["seconds"] for row in every])
        for name, every in curves.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = plot_scaling({title: points}, size)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120, metadata={"Software": None})
