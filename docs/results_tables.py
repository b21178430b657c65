"""Make the tables of docs/results.md from the folder of its sweep.

``python docs/results_tables.py multirun/<folder>`` prints them as Markdown.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

WEIGHTINGS = {
    "unweighted": "unweighted",
    "count_plus_one": "1 + count",
    "chung_langlands": "Chung-Langlands",
}
TWO = ("two_moons", "two_circles", "two_spirals")
THREE = ("three_rings", "three_spirals", "three_blobs")
DELAYED = ("two_circles_grok", "two_moons_grok")


def brief(value: float) -> str:
    """Return a fraction with three digits."""
    return f"{value:.3f}".removeprefix("0")


def mean_and_least(values: pd.Series) -> str:
    """Return mean [least] over seeds."""
    return f"{brief(values.mean())} [{brief(values.min())}]"


def table(head: list[str], rows: Iterator[list[str]]) -> None:
    """Print a table."""
    for cells in [head, ["---"] * len(head), *rows]:
        print("|", " | ".join(cells), "|")
    print()


def course(runs: pd.DataFrame, experiments: tuple[str, ...], measure: str) -> None:
    """Print a measure at round steps, for every kind of weights."""

    def rows() -> Iterator[list[str]]:
        for experiment in experiments:
            ours = runs[runs.experiment == experiment]
            last = ours.step.max()
            for step in [s for s in (0, 100, 300, 1000, 2500, last) if s in set(ours.step)]:
                here = ours[ours.step == step]
                values = [mean_and_least(here[f"{w}_{measure}"]) for w in WEIGHTINGS]
                yield [
                    experiment if step == 0 else "",
                    f"{step}",
                    f"{here.n_regions.mean():.0f}",
                    mean_and_least(here.held_out_accuracy),
                    *values,
                    mean_and_least(here.purity),
                ]

    head = ["experiment", "step", "regions", "held-out accuracy", *WEIGHTINGS.values(), "bound"]
    table(head, rows())


def share(values: pd.Series) -> str:
    """Return how many of the values are true."""
    return f"{int(values.sum())} of {len(values)}"


def expectations(runs: pd.DataFrame) -> None:
    """Print what was expected of ordinary training, and what came."""
    last = runs[runs.step == runs.groupby("experiment").step.transform("max")]
    for experiment in TWO:
        late = runs[(runs.experiment == experiment) & (runs.step >= 450)]
        for kind, word in WEIGHTINGS.items():
            agreement = late[f"{kind}_agreement"]
            by_seed = (agreement >= 0.97).groupby(late.seed).all()
            print(
                f"{experiment}, {word}, from step 450 on: >= .98 at {share(agreement >= 0.98)} "
                f"checkpoints, least {brief(agreement.min())}, always >= .97 in seeds "
                f"{share(by_seed)}, below .90 at {share(agreement < 0.9)}"
            )
    for experiment in THREE:
        ends, starts = last[last.experiment == experiment], runs[runs.experiment == experiment]
        starts = starts[starts.step == 0]
        print(
            f"{experiment}: at the end >= .97 {share(ends.chung_langlands_agreement >= 0.97)}, "
            f"unweighted <= .85 {share(ends.unweighted_agreement <= 0.85)}; "
            f"step 0 <= .70 {share(starts.chung_langlands_agreement <= 0.7)}; "
            f"adjusted Rand index {mean_and_least(ends.chung_langlands_adjusted_rand_index)}, "
            f"unweighted {mean_and_least(ends.unweighted_adjusted_rand_index)}; "
            f"separation {mean_and_least(ends.chung_langlands_separation)}"
        )
    above = [runs[f"{w}_agreement"] > runs.purity + 1e-12 for w in WEIGHTINGS]
    print(f"agreement above the bound: {sum(int(a.sum()) for a in above)}")
    print()


def half_rise(run: pd.DataFrame, column: str, fitted: float) -> float:
    """Return the first step after the fit at which a column is half way to its end."""
    after = run[run.step >= fitted]
    start, end = after[column].iloc[0], after[column].iloc[-3:].median()
    if end - start < 0.05:
        return float("nan")
    return float(after.step[(after[column] >= (start + end) / 2).to_numpy()].iloc[0])


def delayed(runs: pd.DataFrame) -> None:
    """Print the runs in which generalisation comes late, one by one and as means."""

    def rows() -> Iterator[list[str]]:
        for experiment in DELAYED:
            for seed, run in runs[runs.experiment == experiment].groupby("seed"):
                fitted, generalised = run.fitted_step.iloc[0], run.generalised_step.iloc[0]
                at_fit = run[run.step >= fitted].iloc[0]
                end = run.iloc[-1]
                before = run[run.step <= fitted].unweighted_held_out_agreement.max()
                halves = [
                    half_rise(run, c, fitted)
                    for c in ("held_out_accuracy", "unweighted_held_out_agreement")
                ]
                yield [
                    experiment if seed == 0 else "",
                    f"{seed}",
                    f"{fitted:.0f}",
                    brief(at_fit.held_out_accuracy),
                    f"{generalised:.0f}",
                    brief(end.held_out_accuracy),
                    brief(before),
                    *[brief(end[f"{w}_held_out_agreement"]) for w in WEIGHTINGS],
                    *["-" if np.isnan(h) else f"{h:.0f}" for h in halves],
                ]

    head = [
        "experiment", "seed", "train 100 % at step", "held-out accuracy there", "≥ .98 at step",
        "at the end", "unweighted, greatest up to the fit", *WEIGHTINGS.values(),
        "half-rise of held-out accuracy", "of the unweighted agreement",
    ]  # fmt: skip
    table(head, rows())


def delayed_course(runs: pd.DataFrame) -> None:
    """Print means over seeds at the steps that all delayed runs have."""

    def rows() -> Iterator[list[str]]:
        for experiment in DELAYED:
            ours = runs[runs.experiment == experiment]
            for step in (0, 700, 1000, 2000, 3000, 4500, 8000):
                here = ours[ours.step == step]
                agreements = [mean_and_least(here[f"{w}_held_out_agreement"]) for w in WEIGHTINGS]
                yield [
                    experiment if step == 0 else "",
                    f"{step}",
                    f"{here.n_regions.mean():.0f}",
                    brief(here.train_accuracy.mean()),
                    mean_and_least(here.held_out_accuracy),
                    *agreements,
                ]
            gaps = (
                ours.unweighted_held_out_agreement - ours.count_plus_one_held_out_agreement
            ).abs()
            print(f"{experiment}: unweighted and 1 + count differ by at most {brief(gaps.max())}")

    head = ["experiment", "step", "regions", "train", "held-out accuracy", *WEIGHTINGS.values()]
    found = list(rows())
    table(head, iter(found))


def solvers(runs: pd.DataFrame) -> None:
    """Print how far the two eigensolvers agree, and how often a partition is a choice."""
    first, second = (
        runs[runs.eigensolver == name].sort_values(["experiment", "seed", "step"])
        for name in ("arpack", "amg_lobpcg")
    )
    for kind, word in WEIGHTINGS.items():
        same = first[f"{kind}_partition"].to_numpy() == second[f"{kind}_partition"].to_numpy()
        a, b = (x[f"{kind}_separation"].to_numpy(float) for x in (first, second))
        unique = first[f"{kind}_is_unique"].to_numpy() == 1
        status = pd.concat([first, second])[f"{kind}_status"].value_counts().to_dict()
        print(
            f"{word}: same partition {same.sum()} of {len(same)}, where unique "
            f"{same[unique].sum()} of {unique.sum()}; separations differ by at most "
            f"{np.nanmax(np.abs(a - b)):.1e}; status {status}"
        )
    certified = runs.enumeration_status.value_counts().to_dict()
    print(f"complexes: {certified}")


def main(folder: str) -> None:
    """Print all tables."""
    runs = pd.read_parquet(Path(folder) / "results.parquet")
    one = runs[runs.eigensolver == "arpack"]
    steps: list[Callable[[], None]] = [
        lambda: course(one, TWO, "agreement"),
        lambda: course(one, THREE, "agreement"),
        lambda: expectations(one),
        lambda: delayed_course(one),
        lambda: delayed(one),
        lambda: solvers(runs),
    ]
    for step in steps:
        step()


if __name__ == "__main__":
    main(sys.argv[1])
