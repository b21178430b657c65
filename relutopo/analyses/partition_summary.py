"""What the `relutopo` command says of Fiedler partitions and the decision boundary.

Fractions are shown as they are (0.994), never rounded up to 1. A claim of the summary always
stands beside the numbers that it rests on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from relutopo.learning.runs import History
from relutopo.reports.tables import mean_and_worst, new_table, range_of_steps
from relutopo.reports.text import cell, fraction, natural_sort, not_certified, unknown

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

__all__ = [
    "GENERALISED",
    "SWAPPED",
    "learning_steps",
    "missing_partitions",
    "not_learned",
    "points_left_out",
    "run_summary",
    "sweep_summary",
]

GENERALISED = 0.98
"""Held-out accuracy from which a network counts as generalising."""
FOLLOWS = 0.95
"""Agreement, by data mass, from which a partition counts as following the decision boundary."""
SWAPPED = 0.4
"""Accuracy below which two classes may be the other way round."""
_MOST_SETTINGS = 20
"""Settings of a sweep that its summary lists."""


def learning_steps(history: History) -> dict[str, float]:
    """Return when the training set was fitted and when the network generalised.

    Parameters
    ----------
    history : History

    Returns
    -------
    dict
        ``fitted_step``: first evaluated step with a train accuracy of 1; ``generalised_step``:
        first evaluated step with a held-out accuracy of at least 0.98. NaN for never.
    """
    fitted = np.flatnonzero(history.train_accuracy == 1)
    general = np.flatnonzero(history.held_out_accuracy >= GENERALISED)
    return {
        "fitted_step": float(history.train_steps[fitted[0]]) if fitted.size else np.nan,
        "generalised_step": float(history.held_out_steps[general[0]]) if general.size else np.nan,
    }


def run_summary(table: pd.DataFrame, *, has_held_out: bool = True) -> list[RenderableType]:
    """Say whether the weighted Fiedler partition follows the decision boundary.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each checkpoint, in order, as `relutopo.analyses.partition` makes them. Of
        one alone nothing is said that takes several.
    has_held_out : bool
        Whether the held-out points are others than the training points.

    Returns
    -------
    list of rich renderables
    """
    first, last = table.iloc[0], table.iloc[-1]
    best = table.iloc[int(table["weighted_agreement"].fillna(-1).argmax())]
    fractions = {
        "train": "train_accuracy",
        "held-out": "held_out_accuracy",
        "weighted": "weighted_agreement",
        "unweighted": "unweighted_agreement",
        "bound": "purity",
    }
    if not has_held_out:
        del fractions["held-out"]
    rows = {"first": first, "best": best, "last": last} if len(table) > 1 else {"": last}
    headings = ("step", "regions", *fractions, "Fiedler value")
    grid = new_table([""], headings, wrap_numbers=True)
    for name, row in rows.items():
        grid.add_row(
            name,
            str(row["step"]),
            str(row["n_regions"]),
            *(fraction(row[column]) for column in fractions.values()),
            f"{row['weighted_fiedler_value']:.3g}",
        )
    lines: list[RenderableType] = [
        "",
        "[bold]Does the weighted Fiedler partition follow the decision boundary?[/bold]",
        _verdict(table, has_held_out),
        "",
        grid,
        f"[dim]{'train, held-out' if has_held_out else 'train'}: accuracy of the network; "
        "weighted, unweighted: fraction of training "
        "points on the side of their class; bound: the best that any labelling of regions can do; "
        "Fiedler value: the weighted one[/dim]",
        "",
        *(_generalisation(table, has_held_out) if len(table) > 1 else ()),
        *_warnings(table),
        f"ran: enumerator {_values(table, 'enumerator')}; {_eigensolver(table)}; "
        f"{last['adjacency']} adjacency, {last['vertex_weights']}, {last['edge_weights']} edges",
    ]
    return lines


def _values(table: pd.DataFrame, column: str) -> str:
    counts = table[column].dropna().value_counts()
    if len(counts) == 1:
        return str(counts.index[0])
    return ", ".join(f"{name} ({n} of {len(table)} checkpoints)" for name, n in counts.items())


def _eigensolver(table: pd.DataFrame) -> str:
    methods = _values(table, "weighted_method")
    if not methods:
        return "no eigensolver with a result"
    residual = table[["weighted_residual", "unweighted_residual"]].max().max()
    return f"eigensolver {methods} (largest residual {residual:.1e})"


def _verdict(table: pd.DataFrame, has_held_out: bool) -> str:
    first, last = table.iloc[0], table.iloc[-1]
    mass = last["weighted_decision_by_points"]
    if np.isnan(mass):
        return f"There is no partition at the last checkpoint: {last['weighted_status']}."
    late = table["weighted_decision_by_points"].tail(max(1, len(table) // 4))
    n_known = late.count()
    if late.min() >= FOLLOWS and n_known == len(late):
        answer = "[green]Yes[/green]"
    elif mass >= FOLLOWS:
        answer = "[yellow]At the end, but not steadily[/yellow]"
    else:
        answer = "[red]No[/red]" if mass < 0.8 else "[yellow]In part[/yellow]"
    is_one = len(table) == 1
    when = "" if is_one else f"at step {last['step']} "
    known = "" if n_known == len(late) else f"the {n_known} known of "
    least = f"; least over {known}the last {len(late)} checkpoints {fraction(late.min())}"
    text = (
        f"{answer}: {when}it agrees with the network's decision on {fraction(mass)} of the data "
        f"mass (unweighted {fraction(last['unweighted_decision_by_points'])}"
        f"{least if len(late) > 1 else ''})"
    )
    if has_held_out:
        held_out = fraction(last["weighted_held_out_agreement"])
        text += f", and with the labels of held-out points on {held_out}"
    went = f"went from {fraction(first['weighted_agreement'])} at step {first['step']} to"
    text += (
        f". Agreement with the training labels {'is' if is_one else went} "
        f"{fraction(last['weighted_agreement'])} (unweighted "
        f"{fraction(last['unweighted_agreement'])}); one side for all has "
        f"{fraction(last['largest_class'])}."
    )
    if not is_one and first["weighted_agreement"] >= FOLLOWS:
        text += f" [yellow]At step {first['step']} it followed the labels already.[/yellow]"
    accuracy = last["held_out_accuracy" if has_held_out else "train_accuracy"]
    text += not_learned(accuracy, has_held_out=has_held_out)
    if accuracy < SWAPPED:
        text += (
            " [yellow]Are the classes the other way round? The first, in their order, counts as "
            "chosen where the only output is negative, or the first of two the greater.[/yellow]"
        )
    return text


def _generalisation(table: pd.DataFrame, has_held_out: bool) -> list[str]:
    fitted, general = (table[name].iloc[-1] for name in ("fitted_step", "generalised_step"))
    if np.isnan(fitted):
        best = table["train_accuracy"].max()
        return [f"The training set was never fitted (train accuracy at most {fraction(best)})."]
    text = f"Train accuracy reached 1 at step {fitted:.0f}"
    if not has_held_out:
        return [f"{text}; there are no held-out points."]
    if np.isnan(general):
        best = table["held_out_accuracy"].max()
        return [
            f"{text}; held-out accuracy never reached {GENERALISED} (at most {fraction(best)})."
        ]
    text += f", held-out accuracy {GENERALISED} at step {general:.0f}"
    if general < 2 * max(fitted, 1):
        return [f"{text}: no delayed generalisation."]
    before = table[table["step"] >= fitted].iloc[0]
    after = table[table["step"] >= general].iloc[0]
    # The held-out points judge more finely than training points of which there may be few.
    name = "weighted_held_out_agreement"
    change = after[name] - before[name]
    if np.isnan(change):
        return [f"{text}: {general / max(fitted, 1):.1f} times later."]
    moved = "does not jump there" if abs(change) < 0.05 else "moves there"
    return [
        f"{text}: {general / max(fitted, 1):.1f} times later. The weighted partition {moved}: its "
        f"agreement with held-out labels goes from {fraction(before[name])} (step "
        f"{before['step']}) to {fraction(after[name])} (step {after['step']}), and to "
        f"{fraction(table[name].iloc[-1])} at the end."
    ]


def missing_partitions(table: pd.DataFrame, kind: str, name: str) -> list[str]:
    """Say at which checkpoints there is no partition of a kind, and why.

    Parameters
    ----------
    table : pandas.DataFrame
    kind : str
        What its columns begin with.
    name : str
        What it is called.
    """
    bad = table[table[f"{kind}_status"] != "converged"]
    if not len(bad):
        return []
    steps = ", ".join(map(str, bad["step"]))
    reasons = "; ".join(sorted(set(bad[f"{kind}_status"])))
    return [f"[yellow]{name}: {reasons} at step {steps}[/yellow]"]


def points_left_out(table: pd.DataFrame) -> list[str]:
    """Say how many training points are outside the domain, or between regions."""
    places = {
        "n_points_outside": "outside the domain",
        "n_points_on_boundary": "on a boundary between regions",
    }
    most = {where: int(table[column].max()) for column, where in places.items()}
    return [
        f"[yellow]up to {n} training points lie {where}[/yellow]" for where, n in most.items() if n
    ]


def not_learned(accuracy: float, *, has_held_out: bool) -> str:
    """Say so if a network's accuracy shows that it has not learned the task; nothing otherwise."""
    if not accuracy < 0.95:
        return ""
    return (
        " [yellow]The network itself has not learned the task: "
        f"{'held-out' if has_held_out else 'train'} accuracy {fraction(accuracy)}.[/yellow]"
    )


def _warnings(table: pd.DataFrame) -> list[str]:
    lines = []
    for kind in ("weighted", "unweighted"):
        lines += missing_partitions(table, kind, kind)
        lines += _not_unique(table, kind)
    lines += not_certified(table["enumeration_status"])
    lines += points_left_out(table)
    distance = table["points_distance"].iloc[-1]
    if distance:
        lines.append(
            "[yellow]the data take part by their projections on the slice; the median distance "
            f"of a training point from it is {distance:.3g}[/yellow]"
        )
    return lines


def _not_unique(table: pd.DataFrame, kind: str) -> list[str]:
    """Say where a partition is one of many, and where regions are on no side."""
    lines = []
    multiple = table[table[f"{kind}_fiedler_multiplicity"] > 1]
    if len(multiple):
        wide = multiple[f"{kind}_agreement_greatest"] - multiple[f"{kind}_agreement_least"]
        row = multiple.iloc[int(wide.fillna(0).argmax())]
        lines.append(
            f"[yellow]{kind}: the Fiedler value is multiple at step "
            f"{', '.join(map(str, multiple['step']))}, so that the partition is one of many there; "
            f"at step {row['step']} their agreement is between "
            f"{fraction(row[f'{kind}_agreement_least'])} and "
            f"{fraction(row[f'{kind}_agreement_greatest'])}[/yellow]"
        )
    mass = table[f"{kind}_open_mass"]
    if mass.max() > 0:
        row = table.iloc[int(mass.fillna(0).argmax())]
        lines.append(
            f"[yellow]{kind}: up to {row[f'{kind}_n_open_regions']:.0f} regions with "
            f"{fraction(mass.max())} of the training points are on the cut (step {row['step']}); "
            "these count half[/yellow]"
        )
    return lines


def sweep_summary(table: pd.DataFrame, swept: Sequence[str]) -> list[RenderableType]:
    """Show each setting of a sweep with its spread over seeds.

    Parameters
    ----------
    table : pandas.DataFrame
        All jobs' rows, with the column ``job`` and the swept keys. Of held-out points, and of
        changes during training, nothing is said where no job has held-out points, or several
        checkpoints.
    swept : sequence of str
        Overridden keys that differ between jobs.

    Returns
    -------
    list of rich renderables
    """
    settings = [key for key in swept if key != "seed"]
    ends = table.sort_values("step").groupby("job").tail(1)
    starts = table.sort_values("step").groupby("job").head(1).set_index("job")
    is_course = ends["job"].map(table["job"].value_counts()) > 1
    gain = ends["weighted_agreement"] - ends["job"].map(starts["weighted_agreement"])
    ends = ends.assign(
        gain=gain.where(is_course),
        delay=ends["generalised_step"] / ends["fitted_step"].clip(lower=1),
    )
    groups = dict(list(ends.groupby(settings, dropna=False))) if settings else {(): ends}

    measures = {
        "held-out acc.": "held_out_accuracy",
        "weighted": "weighted_agreement",
        "unweighted": "unweighted_agreement",
        "gain": "gain",
    }
    steps = {
        "train acc. 1": "fitted_step",
        f"held-out {GENERALISED}": "generalised_step",
        "ratio": "delay",
    }
    if not is_course.any():
        del measures["gain"]
        steps = {}
    if ends["held_out_accuracy"].isna().all():
        del measures["held-out acc."]
        steps = {name: column for name, column in steps.items() if column == "fitted_step"}
    known = {name: column for name, column in measures.items() if ends[column].notna().any()}
    reached = {name: column for name, column in steps.items() if ends[column].notna().any()}
    are_several = len(ends) > len(groups)
    worst = " \\[worst]" if are_several else ""
    over = "; gain: of weighted over step 0" if "gain" in known else ""
    agreement, delay = (new_table(settings, ("jobs", *shown)) for shown in (known, reached))
    for setting in natural_sort(groups)[:_MOST_SETTINGS]:
        rows = groups[setting]
        names = (*map(cell, setting), str(len(rows)))
        agreement.add_row(
            *names, *(mean_and_worst(rows[c], with_worst=are_several) for c in known.values())
        )
        delay.add_row(*names, *(range_of_steps(rows[column]) for column in reached.values()))
    left_out = (
        [f"and {len(groups) - _MOST_SETTINGS} settings more, in jobs.csv"]
        if len(groups) > _MOST_SETTINGS
        else []
    )
    return [
        "",
        f"[italic]Last checkpoint: mean{worst} over jobs{over}[/italic]",
        agreement,
        *unknown(
            [name for name in measures if name not in known],
            _why_unknown(table),
            where="in every job",
            style="yellow",
        ),
        "",
        *(("[italic]Steps: least-greatest[/italic]", delay) if reached else ()),
        *_never([name for name in steps if name not in reached]),
        *left_out,
        *_eigensolvers_compared(table, swept),
    ]


def _why_unknown(table: pd.DataFrame) -> str:
    """Return the reasons that partitions are missing for."""
    statuses = {*table["weighted_status"], *table["unweighted_status"]} - {"converged"}
    return "; ".join(map(cell, sorted(statuses)))


def _never(names: Sequence[str]) -> list[str]:
    return [f"never in any job: {', '.join(names)}"] if names else []


def _eigensolvers_compared(table: pd.DataFrame, swept: Sequence[str]) -> list[str]:
    """Compare what different eigensolvers found on the same checkpoints."""
    if "eigensolver" not in swept:
        return []
    others = [key for key in swept if key != "eigensolver"]
    groups = table.groupby([*others, "step"], dropna=False)
    differences, same, compared = [0.0], 0, 0
    for _, rows in groups:
        for kind in ("weighted", "unweighted"):
            values = rows[f"{kind}_fiedler_value"].dropna()
            if len(values) > 1:
                compared += 1
                differences.append(float((values.max() - values.min()) / values.max()))
                same += rows[f"{kind}_partition"].nunique() == 1
    return [
        f"eigensolvers compared on {compared} Laplacians: Fiedler values differ by at most "
        f"{max(differences):.1e} (relative), {same} of {compared} partitions are equal"
    ]
