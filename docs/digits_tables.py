"""Make the tables of docs/digits.md from the folder of its sweep.

``python docs/digits_tables.py multirun/<folder>`` prints them as Markdown.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from relutopo.analyses.paths_summary import CONTROLS, NUMBERS, half_rises
from relutopo.learning.rises import fit_step

DELAYED = "digits_grok"
OTHERS = {
    "digits_random_labels": "random labels",
    "digits_memorise": "no decay",
    "digits": "usual initialisation",
}


def brief(value: float) -> str:
    """Return a number with three digits."""
    if np.isnan(value):
        return "-"
    return f"{value:.3f}".removeprefix("0") if abs(value) < 1 else f"{value:.3g}"


def mean_and_range(values: pd.Series, form: str = "") -> str:
    """Return mean [least, greatest] over seeds."""
    known = values.dropna()
    if not len(known):
        return "-"
    mean, low, high = (
        f"{x:{form}}" if form else brief(x) for x in (known.mean(), known.min(), known.max())
    )
    return f"{mean} [{low}, {high}]"


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print a table."""
    for cells in [head, ["---"] * len(head), *rows]:
        print("|", " | ".join(cells), "|")
    print()


def runs_of(results: pd.DataFrame, experiment: str) -> dict[int, pd.DataFrame]:
    """Return the checkpoints of each seed, in order."""
    ours = results[results.experiment == experiment].sort_values("step")
    return {int(str(seed)): run for seed, run in ours.groupby("seed")}


def at_fit(run: pd.DataFrame) -> pd.Series:
    """Return the first checkpoint with a train accuracy of 0.99."""
    return run[run.step == fit_step(run.step, run.train_accuracy)].iloc[0]


def learning(results: pd.DataFrame) -> None:
    """Print when the training set is fitted, and what held-out accuracy does."""
    rows = []
    for name in (DELAYED, *OTHERS):
        runs = runs_of(results, name).values()
        fits = pd.DataFrame([at_fit(run) for run in runs])
        ends = pd.DataFrame([run.iloc[-1] for run in runs])
        halves = pd.Series([half_rises(run)["held_out_accuracy"].step for run in runs])
        rows.append(
            [
                f"`{name}`",
                mean_and_range(fits.step.astype(float), ",.0f"),
                mean_and_range(fits.held_out_accuracy),
                mean_and_range(ends.held_out_accuracy),
                mean_and_range(halves, ",.0f"),
            ]
        )
    head = ["experiment", "train ≥ .99 at step", "held out there", "at the end", "half-rise"]
    table(head, rows)


def numbers(results: pd.DataFrame) -> None:
    """Print each number at the fit and at the end, and its half-rise against held-out accuracy."""
    delayed = list(runs_of(results, DELAYED).values())
    found = [half_rises(run) for run in delayed]
    rows = []
    for name, words in (NUMBERS | CONTROLS).items():
        steps = [one[name].step / one["held_out_accuracy"].step for one in found]
        row = [
            f"*{words}*" if name in CONTROLS else words,
            mean_and_range(pd.Series(steps), ".2f"),
            brief(float(np.mean([at_fit(run)[name] for run in delayed]))),
            brief(float(np.mean([run[name].iloc[-1] for run in delayed]))),
        ]
        for experiment in OTHERS:
            ends = pd.Series([r[name].iloc[-1] for r in runs_of(results, experiment).values()])
            row.append(mean_and_range(ends))
        rows.append(row)
    table(
        ["number", "× held out", "at the fit", "end", *(f"{o}, end" for o in OTHERS.values())], rows
    )


def expectations(results: pd.DataFrame) -> None:
    """Print what was expected of each seed, and in how many it came."""
    met: dict[str, list[bool]] = {}
    for run in runs_of(results, DELAYED).values():
        fit, end = at_fit(run), run.iloc[-1]
        passing = run[run.held_out_accuracy > 0.8]
        here = passing.iloc[0] if len(passing) else end
        checks = {
            "train ≥ .99 by step 4,000": fit.step <= 4000,
            "held out ≤ .40 there": fit.held_out_accuracy <= 0.4,
            "held out ≥ .90 at the end": end.held_out_accuracy >= 0.9,
            "class constant ≤ .65 at the fit": fit.class_constant_same <= 0.65,
            "class constant ≥ .98 at the end": end.class_constant_same >= 0.98,
            "crossing ratio within .03 of its value at the fit when held out passes .8": abs(
                here.crossing_ratio - fit.crossing_ratio
            )
            <= 0.03,
        }
        for words, is_met in checks.items():
            met.setdefault(words, []).append(bool(is_met))
    met["all of these"] = [all(each) for each in zip(*met.values(), strict=True)]
    table(
        ["expectation, in 5 of 6 seeds", "met in"],
        [[words, f"{sum(each)} of {len(each)}"] for words, each in met.items()],
    )


def by_seed(results: pd.DataFrame) -> None:
    """Print which of the numbers leads in each seed."""
    shown = ("class_constant_same", "midpoint_accuracy", "departure_same", "departure_ratio",
             "crossing_ratio")  # fmt: skip
    rows = []
    for seed, run in runs_of(results, DELAYED).items():
        found = half_rises(run)
        general = found["held_out_accuracy"].step
        ratios = [found[name].step / general for name in shown]
        ratio_words = ["-" if np.isnan(ratio) else f"{ratio:.2f}" for ratio in ratios]
        rows.append([f"{seed}", f"{at_fit(run).step:,}", f"{general:,.0f}", *ratio_words])
    words = NUMBERS | {name: f"*{word}*" for name, word in CONTROLS.items()}
    table(["seed", "fit", "half-rise of held out", *(words[name] for name in shown)], rows)


def main(folder: str) -> None:
    """Print all tables."""
    results = pd.read_parquet(Path(folder) / "results.parquet")
    for show in (learning, numbers, by_seed, expectations):
        show(results)
    n_open = int(results.n_open.sum())
    print(
        f"segments not certified: {n_open} of {int((results.n_same + results.n_different).sum())}"
    )


if __name__ == "__main__":
    main(sys.argv[1])
