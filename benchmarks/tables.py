"""The page ``docs/benchmarks.md``: every number and every verdict comes from the rows."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from relutopo.reports.power_laws import fit_power_law

from .rows import MIB, Rows, curves, host_and_card, microseconds, series, shape, timed_part
from .targets import targets

BLURBS = {
    "enumerators": "From the weights to the complex with facets, patterns and dual graph.",
    "search": "Regions around a picture of handwritten digits, breadth first, in a box.",
    "segments": "Along segments between points, knots in order with patterns, outputs and classes.",
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
- times beside the processor's (wanted: at two million regions the enumeration at least 10 times
  faster, the Fiedler pair at least 5 times), and the size from which on the card is faster;
- how much of the card's memory the work takes (wanted: ten million regions in 80 GB);
- the share of each phase in the time.

On a machine with a card, one command shows all of it, and puts it here:

    {COMMAND}
"""

AGAIN = (
    "Nothing has been measured on a card since; on a machine with one, this command does it again, "
    "and puts it here:"
)
"""Said where the saved machine says what has changed, under ``outdated``, by hand."""


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
        "## Targets",
        "",
        "Set by the project itself before a part was built: by the time that a person waits, by",
        "the memory of a laptop, or by the best tool that there was.",
        "",
        *_table(
            ["", "target", "measured", ""],
            [[one.what, one.wanted, one.measured, _mark(one.reached)] for one in targets(rows)],
            "lllc",
        ),
        "",
    ]
    tables: dict[str, Callable[[Rows], list[str]]] = {
        "enumerators": _enumerator_tables,
        "search": _search_tables,
        "segments": _segment_tables,
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


def _mark(reached: bool | None) -> str:
    return "" if reached is None else "reached" if reached else "**not reached**"


def _table(headings: list[str], body: list[list[str]], align: str) -> list[str]:
    marks = {"l": "---", "r": "---:", "c": ":---:"}
    lines = [headings, [marks[a] for a in align], *body]
    return [f"| {' | '.join(line)} |" for line in lines]


def _enumerator_tables(rows: Rows) -> list[str]:
    body = [
        [
            shape(row),
            f"{row['n_regions']:,}",
            f"{sum(row['n_cells']):,}",
            f"{row['seconds']:.3f}",
            f"{microseconds(row):.2f}",
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
    every = series(rows)
    law = fit_power_law([r["n_regions"] for r in every], [r["seconds"] for r in every])
    if law:
        lines += [
            "",
            f"Two hidden layers in the plane: time grows like regions^{law.exponent:.2f} over "
            f"{len(every)} sizes.",
            "",
            "![Time against regions](figures/benchmarks_enumeration.png)",
        ]
    return lines


def _search_tables(rows: Rows) -> list[str]:
    body = [
        [
            shape(row),
            f"{row['n_regions']:,}",
            f"{row['n_walls'] / row['n_regions']:.1f}",
            f"{1e3 * row['seconds'] / row['n_regions']:.1f}",
            f"{row['n_open']}",
            f"{row['n_linear_programs']}",
            f"{row['n_processes']}",
        ]
        for row in rows.parts["search"]
        if "n_processes" in row
    ]
    names = "network,regions,walls a region,ms a region,open,programmes of HiGHS,processes"
    lines = _table(names.split(","), body, "lrrrrrr")
    for row in rows.all("search"):
        if "n_points" in row:
            ms = 1e3 * row["seconds"]
            lines += [
                "",
                f"Margins of {row['n_points']:,} pictures to their nearest walls: {ms:.0f} ms.",
            ]
    return lines


def _segment_tables(rows: Rows) -> list[str]:
    body = []
    for row in rows.parts["segments"]:
        peer, floor = row.get("peer", {}), row["floor"]
        beside = [f"{floor['name']}: {floor['seconds']:.3f} s{timed_part(floor, 'knots')}"]
        if peer:
            beside += [
                f"{peer['name']}, {peer['samples']:,} points a segment: {peer['seconds']:.3f} s"
                f"{timed_part(peer, 'segments')}"
            ]
        body.append(
            [
                f"{row['what']}, {shape(row)}",
                f"{row['n_segments']:,}",
                f"{row['n_crossings']:,}",
                f"{row['seconds']:.3f}",
                f"{1e6 * row['seconds'] / row['n_crossings']:.2f}",
                f"{row['peak_bytes'] / MIB:.0f}",
                "; ".join(beside),
            ]
        )
    names = "what,segments,crossings,s,µs a crossing,peak MiB,beside it"
    return _table(names.split(","), body, "lrrrrrl")


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
    for name, every in curves(rows).items():
        law = fit_power_law([r["n_nodes"] for r in every], [r["seconds"] for r in every])
        if law:
            laws.append(f"{name} nodes^{law.exponent:.2f}")
    if laws:
        lines += ["", f"Growth of the time, unweighted: {', '.join(laws)}.", ""]
        lines += ["![Time against nodes](figures/benchmarks_fiedler.png)"]
    return lines


def _reducer_tables(rows: Rows) -> list[str]:
    body = []
    for row in rows.parts["reducers"]:
        ours = rows.best("reducers", complex=row["complex"], reducer="z2")
        ratio = f"{row['seconds'] / ours['seconds']:.1f}" if ours else ""
        memory = f"{row['peak_bytes'] / MIB:.0f}" if "peak_bytes" in row else ""
        time = f"{1e3 * row['seconds']:.1f}"
        names = [row["complex"], f"{row['n_cells']:,}", row["reducer"], row["timed"]]
        body.append([*names, time, ratio, memory])
    headings = "complex,cells,reducer,timed,ms,times z2,peak MiB"
    return _table(headings.split(","), body, "lrllrrr")


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
                    ["function, as it was named then", "share"],
                    [[f"``{name}``", f"{share:.1%}"] for name, share in row["shares"].items()],
                    "lr",
                ),
                "",
            ]
    return lines


def _crossover(rows: Rows, role: str) -> str:
    pairs = host_and_card(rows, role)
    slower = [card["n_regions"] for host, card in pairs if card["seconds"] >= host["seconds"]]
    faster = [n for _, card in pairs if (n := card["n_regions"]) > max(slower, default=0)]
    if not faster:
        return f"Crossover of the {role}: none, the processor is faster at the largest size."
    before = f", slower at {max(slower):,}" if slower else ", the smallest size"
    return f"Crossover of the {role}: the card is faster from {faster[0]:,} regions on{before}."
