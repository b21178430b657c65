"""What the `relutopo` command says of partitions in as many parts as there are classes.

A claim of the summary stands beside the numbers that it rests on, and beside what an untrained
network and a single part for all have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from relutopo.analyses.partition_summary import (
    FOLLOWS,
    GENERALISED,
    missing_partitions,
    not_learned,
    points_left_out,
)
from relutopo.reports.tables import mean_and_worst, new_table
from relutopo.reports.text import cell, fraction, natural_sort, not_certified

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

__all__ = ["NAMES", "WEIGHTINGS", "run_summary", "sweep_summary"]

WEIGHTINGS = ("unweighted", "count_plus_one", "chung_langlands")
"""The kinds of vertex weights that are compared."""
NAMES = {
    "unweighted": "unweighted",
    "count_plus_one": "1 + count",
    "chung_langlands": "Chung-Langlands",
}
_BEST = "chung_langlands"
_REORDERED = 0.5
"""Accuracy below which outputs may stand for the classes in another order."""
_MOST_SETTINGS = 20
"""Settings of a sweep that its summary lists."""


def run_summary(table: pd.DataFrame, *, has_held_out: bool, scale: float) -> list[RenderableType]:
    """Say whether the parts follow the classes.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each checkpoint, in order, as `relutopo.analyses.classes` makes them.
    has_held_out : bool
        Whether there are held-out points.
    scale : float
        Of the Chung-Langlands weights.

    Returns
    -------
    list of rich renderables
    """
    first, last = table.iloc[0], table.iloc[-1]
    rows = {"first": first, "last": last} if len(table) > 1 else {"": last}
    columns = {
        "train": "agreement",
        **({"held-out": "held_out_agreement"} if has_held_out else {}),
        "Rand index": "adjusted_rand_index",
        "decision": "decision_by_points",
        "separation": "separation",
    }
    grid = new_table([""], ("weights", "step", "regions", *columns), wrap_numbers=True)
    for name, row in rows.items():
        for kind in WEIGHTINGS:
            values = [fraction(row[f"{kind}_{column}"]) for column in columns.values()]
            grid.add_row(name, NAMES[kind], str(row["step"]), str(row["n_regions"]), *values)
    of = "training and held-out" if has_held_out else "training"
    return [
        "",
        f"[bold]Do the {last['k']:.0f} parts follow the classes?[/bold]",
        _verdict(table, has_held_out),
        "",
        grid,
        f"[dim]fractions of {of} points in the part of their class, by the best matching (bound: "
        f"{fraction(last['purity'])}); Rand index: adjusted, of training points; decision: points "
        "in the part of the network's own decision; separation: λ_k / λ_{k+1}, small where the "
        f"graph has k groups; weights 1 + count are the paper's; Chung-Langlands with scale "
        f"{scale:g}[/dim]",
        "",
        *(_learning(table, has_held_out) if len(table) > 1 else ()),
        *_warnings(table),
        f"ran: enumerator {', '.join(sorted(set(table['enumerator'])))}; {last['adjacency']} "
        f"adjacency, {last['edge_weights']} edges",
    ]


def _verdict(table: pd.DataFrame, has_held_out: bool) -> str:
    first, last = table.iloc[0], table.iloc[-1]
    name = f"{_BEST}_{'held_out_' if has_held_out else ''}agreement"
    value = last[name]
    if np.isnan(value):
        return f"There is no partition at the last checkpoint: {last[f'{_BEST}_status']}."
    least = table[name].tail(max(1, len(table) // 4)).min()
    if least >= FOLLOWS:
        answer = "[green]Yes[/green]"
    elif value >= FOLLOWS:
        answer = "[yellow]At the end, but not steadily[/yellow]"
    else:
        answer = "[red]No[/red]" if value < 0.8 else "[yellow]In part[/yellow]"
    points = "held-out" if has_held_out else "training"
    others = ", ".join(
        f"{NAMES[kind]} {fraction(last[name.replace(_BEST, kind)])}"
        for kind in reversed(WEIGHTINGS[:-1])
    )
    bounds = f"One part for all has {fraction(last['largest_class'])}."
    if len(table) > 1:
        bounds = f"At step {first['step']} it was {fraction(first[name])}, and o{bounds[1:]}"
    text = (
        f"{answer}: with Chung-Langlands weights {fraction(value)} of the {points} points lie in "
        f"the part of their class ({others}). {bounds}"
    )
    accuracy = last["held_out_accuracy" if has_held_out else "train_accuracy"]
    if np.isnan(accuracy):
        text += (
            " [yellow]The accuracy of the network is not known: it has not one output for each "
            "class.[/yellow]"
        )
    text += not_learned(accuracy, has_held_out=has_held_out)
    if accuracy < _REORDERED:
        text += (
            " [yellow]Do its outputs stand for the classes in another order? They count as "
            "ascending; labels that are words may be listed in theirs, as the `classes` of the "
            "data.[/yellow]"
        )
    return text


def _learning(table: pd.DataFrame, has_held_out: bool) -> list[str]:
    fitted, general = (table[name].iloc[-1] for name in ("fitted_step", "generalised_step"))
    if np.isnan(fitted):
        best = fraction(table["train_accuracy"].max())
        text = f"The train accuracy never reached 1 (at most {best})"
    else:
        text = f"Train accuracy reached 1 at step {fitted:.0f}"
    if has_held_out:
        text += (
            f", held-out accuracy never {GENERALISED}"
            if np.isnan(general)
            else f", held-out accuracy {GENERALISED} at step {general:.0f}"
        )
    name = f"{_BEST}_agreement"
    follows = table[table[name] >= FOLLOWS]
    if len(follows):
        begin = follows["step"].iloc[0]
        is_steady = (table[table["step"] >= begin][name] >= FOLLOWS).all()
        steady = "" if is_steady else ", not steadily"
        text += f"; the parts reach {FOLLOWS} at step {begin}{steady}"
    return [text + "."]


def _warnings(table: pd.DataFrame) -> list[str]:
    lines = []
    for kind in WEIGHTINGS:
        lines += missing_partitions(table, kind, NAMES[kind])
        torn = table[table[f"{kind}_is_unique"] == 0]
        if len(torn):
            lines.append(
                f"[yellow]{NAMES[kind]}: no gap after λ_k at step "
                f"{', '.join(map(str, torn['step']))}, so that the parts are a choice[/yellow]"
            )
    return [*lines, *not_certified(table["enumeration_status"]), *points_left_out(table)]


def sweep_summary(table: pd.DataFrame, swept: Sequence[str]) -> list[RenderableType]:
    """Show each setting of a sweep with its spread over seeds.

    Parameters
    ----------
    table : pandas.DataFrame
        All jobs' rows, with the column ``job`` and the swept keys.
    swept : sequence of str
        Overridden keys that differ between jobs.

    Returns
    -------
    list of rich renderables
    """
    settings = [key for key in swept if key != "seed"]
    ordered = table.sort_values("step").groupby("job")
    ends, starts = ordered.tail(1), ordered.head(1)
    of_each = ends.groupby(settings, dropna=False).size() if settings else [len(ends)]
    are_several = max(of_each) > 1
    measures = {
        "held-out acc.": "held_out_accuracy",
        **{NAMES[kind]: f"{kind}_agreement" for kind in WEIGHTINGS},
        "bound": "purity",
    }
    known = {name: column for name, column in measures.items() if ends[column].notna().any()}
    grids = []
    for rows in (starts, ends):
        groups = dict(list(rows.groupby(settings, dropna=False))) if settings else {(): rows}
        grid = new_table(settings, ("jobs", *known))
        for setting in natural_sort(groups)[:_MOST_SETTINGS]:
            of_setting = groups[setting]
            shown = (mean_and_worst(of_setting[c], with_worst=are_several) for c in known.values())
            grid.add_row(*map(cell, setting), str(len(of_setting)), *shown)
        grids.append(grid)
    worst = " \\[worst]" if are_several else ""
    return [
        "",
        f"[italic]Agreement with training labels, first checkpoint: mean{worst}[/italic]",
        grids[0],
        "",
        f"[italic]Last checkpoint: mean{worst}[/italic]",
        grids[1],
    ]
