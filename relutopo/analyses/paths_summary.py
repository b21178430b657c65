"""What the `relutopo` command says of segments between training points.

Which number moved when is said by half-rises (`relutopo.learning.rises`) against that of held-out
accuracy, and only where held-out accuracy rises after the fit. Controls stand beside the numbers:
what they do as well tells nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from relutopo.learning.rises import FEWEST, FITTED, Rise, fit_step, rise
from relutopo.reports.tables import mean_and_range, new_table
from relutopo.reports.text import cell, counted, fraction, natural_sort, number

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

__all__ = ["CONTROLS", "NUMBERS", "half_rises", "run_summary", "sweep_summary"]

NUMBERS = {
    "class_constant_same": "class constant, same",
    "class_changes_same": "class changes, same",
    "first_class_change": "first class change, different",
    "departure_same": "departure from chord, same",
    "departure_ratio": "departure, same / different",
    "variation_diff": "variation, different",
    "jacobian": "slope at the points",
    "crossings_per_length": "crossings a unit length",
    "crossing_ratio": "crossings, same / different",
}
"""What is compared with held-out accuracy, in words."""
CONTROLS = {
    "midpoint_accuracy": "midpoint accuracy",
    "hamming_ratio": "Hamming, same / different",
    "weight_norm": "weight norm",
    "logit_scale": "logit scale",
}
"""What needs no segments."""
COINCIDES = 1.1
"""Half-rises whose ratio is less than this, either way, coincide."""
_MOST_SETTINGS = 20


def half_rises(table: pd.DataFrame) -> dict[str, Rise]:
    """Return how each number moves after the fit, that of held-out accuracy first.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each checkpoint of one run, in order.
    """
    fit = fit_step(table["step"], table["train_accuracy"])
    accuracy = "held_out_accuracy"
    found = {accuracy: rise(table["step"], table[accuracy], fit, is_accuracy=True)}
    return found | {name: rise(table["step"], table[name], fit) for name in (*NUMBERS, *CONTROLS)}


def run_summary(table: pd.DataFrame, *, has_held_out: bool) -> list[RenderableType]:
    """Say which number moved when.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each checkpoint, in order, as `relutopo.analyses.paths` makes them.
    has_held_out : bool
        Whether there are held-out points.

    Returns
    -------
    list of rich renderables
    """
    fit = fit_step(table["step"], table["train_accuracy"])
    found = half_rises(table)
    ends = table["step"].iloc[[0, -1]]
    steps = sorted({*ends.tolist(), *table["step"][table["step"] == fit].tolist()})
    shown = {f"{step}": table[table["step"] == step].iloc[0] for step in steps}
    has_steps = any(np.isfinite(one.step) for one in found.values())
    general = found["held_out_accuracy"].step
    headings = [*shown, *(["half-way"] if has_steps else [])]
    headings += ["×", ""] if np.isfinite(general) else []
    grid = new_table(["at step"], headings)
    names = {"train_accuracy": "train accuracy"}
    names |= {"held_out_accuracy": "held-out accuracy"} if has_held_out else {}
    for group in (names, NUMBERS, CONTROLS):
        for name, words in group.items():
            values = [_value(name, row[name]) for row in shown.values()]
            if name in CONTROLS:
                words = f"[dim]{words}[/dim]"
            moves = found.get(name, Rise(np.nan, np.nan, np.nan))
            word = "" if name in names else _word(moves, general)
            more = [number(moves.step), number(moves.step / general, ".2f"), word]
            grid.add_row(words, *values, *more[: len(headings) - len(shown)])
    return [
        "",
        "[bold]Which number moved when?[/bold]" if len(table) > 1 else "[bold]On segments[/bold]",
        *_verdict(table, found, has_held_out),
        "",
        grid,
        f"[dim]same, different: {_pairs(table.iloc[-1])}; all but held-out accuracy is of training "
        "data; controls, which take no segments, are the last four"
        + ("; half-way: the step half way from the fit to the end" if has_steps else "")
        + ("; ×: over that of held-out accuracy" if np.isfinite(general) else "")
        + "[/dim]",
        *_warnings(table),
    ]


def _pairs(row: pd.Series) -> str:
    if np.isnan(row["n_same"]):
        return "pairs of points with equal and with different labels"
    return f"{row['n_same']:.0f} pairs with equal, {row['n_different']:.0f} with different labels"


def _value(name: str, value: float) -> str:
    if name.endswith("accuracy") or name == "class_constant_same":
        return fraction(value)
    return number(value, ".3g")


def _word(moves: Rise, general: float) -> str:
    """Say how a number moves against held-out accuracy; nothing of one that is not known."""
    if np.isnan(moves.start):
        return ""
    if np.isnan(moves.step):
        return "[dim]stays[/dim]"
    if moves.step * COINCIDES <= general:
        return "[green]leads[/green]"
    return "coincides" if moves.step < COINCIDES * general else "[yellow]lags[/yellow]"


def _verdict(table: pd.DataFrame, found: Mapping[str, Rise], has_held_out: bool) -> list[str]:
    """Say what leads, coincides and lags; nothing of it where held-out accuracy does not rise."""
    if len(table) == 1:
        return ["There is one network: nothing is said of what moved when."]
    fit = fit_step(table["step"], table["train_accuracy"])
    best = table["train_accuracy"].max()
    if np.isnan(fit):
        known = "is not known" if np.isnan(best) else f"is {fraction(best)} at most"
        return [f"The training set is never fitted: train accuracy {known}."]
    fitted = f"Train accuracy reaches {FITTED:g} by step {fit:.0f}"
    held_out = found["held_out_accuracy"]
    if not has_held_out or np.isnan(held_out.start):
        return [f"{fitted}. Without held-out accuracy nothing says which number goes with it."]
    n_after = int((table["step"] >= fit).sum())
    if n_after < FEWEST:
        few = counted(n_after, "checkpoint")
        return [f"{fitted}. Of {few} from there on nobody can say what moved when."]
    if np.isnan(held_out.step):
        return [
            f"{fitted}. Held-out accuracy is {fraction(held_out.start)} there and "
            f"{fraction(held_out.end)} at the end: it does not rise after the fit, and nothing "
            "leads or lags."
        ]
    lines = [
        f"{fitted}; held-out accuracy rises from {fraction(held_out.start)} there to "
        f"{fraction(held_out.end)}, half of it by step {held_out.step:.0f}."
    ]
    moving = {name: one for name, one in found.items() if not np.isnan(one.start)}
    shares = {
        name: "" if np.isnan(one.step) else f" ({one.step / held_out.step:.2f})"
        for name, one in moving.items()
    }
    by_word: dict[str, list[str]] = {}
    numbers = [name for name in NUMBERS if name in moving]
    for name in sorted(numbers, key=lambda name: _order(moving[name])):
        word = _word(moving[name], held_out.step)
        by_word.setdefault(word, []).append(NUMBERS[name] + shares[name])
    lines += [f"  {word}: {'; '.join(listed)}" for word, listed in by_word.items()]
    controls = [
        f"{words} {_word(moving[name], held_out.step)}{shares[name]}"
        for name, words in CONTROLS.items()
        if name in moving
    ]
    return [*lines, f"  controls: {'; '.join(controls)}"]


def _order(moves: Rise) -> float:
    """Return what numbers are sorted by, those that stay at the end."""
    return np.inf if np.isnan(moves.step) else moves.step


def _warnings(table: pd.DataFrame) -> list[str]:
    lines = []
    missing = table[table["label_status"] != "ok"]
    if len(missing):
        lines.append(f"[yellow]no numbers: {cell(missing['label_status'].iloc[0])}[/yellow]")
    n_open = int(np.nansum(table["n_open"]))
    if n_open:
        total = int(np.nansum(table["n_same"] + table["n_different"]))
        lines.append(
            f"[yellow]{n_open} of {total} segments are not certified: something on them was left "
            "to floating point[/yellow]"
        )
    return lines


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
    import pandas

    settings = [key for key in swept if key != "seed"]
    jobs = []
    for _, run in table.sort_values("step").groupby("job"):
        found = half_rises(run)
        general = found["held_out_accuracy"].step
        jobs.append(
            {key: run[key].iloc[0] for key in settings}
            | {f"fit {name}": one.start for name, one in found.items()}
            | {f"end {name}": one.end for name, one in found.items()}
            | {f"ratio {name}": one.step / general for name, one in found.items()}
        )
    every = pandas.DataFrame(jobs)
    groups = dict(list(every.groupby(settings, dropna=False))) if settings else {(): every}
    lines: list[RenderableType] = []
    names = {"held_out_accuracy": "held-out accuracy", **NUMBERS, **CONTROLS}
    for setting in natural_sort(groups)[:_MOST_SETTINGS]:
        of_setting = groups[setting]
        title = f"{', '.join(map(cell, setting)) or 'all'}, {len(of_setting)} jobs"
        has_ratio = of_setting["ratio class_constant_same"].notna().any()
        headings = ["at the fit", "at the end", *(["× held-out"] if has_ratio else [])]
        grid = new_table([title], headings, wrap_numbers=True)
        for name, words in names.items():
            kinds = ("fit", "end", "ratio")[: len(headings)]
            shown = (mean_and_range(of_setting[f"{kind} {name}"], ".3g") for kind in kinds)
            grid.add_row(f"[dim]{words}[/dim]" if name in CONTROLS else words, *shown)
        lines += ["", grid]
    note = (
        "[dim]mean \\[range] over jobs; × held-out: half-rise step over that of held-out accuracy, "
        "of jobs in which it rises after the fit: less than 1 leads[/dim]"
    )
    return [*lines, note]
