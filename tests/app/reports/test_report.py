"""What the summaries claim follows from the numbers."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType
from rich.table import Table

from relutopo.analyses import partition_summary
from relutopo.learning.runs import History
from relutopo.reports.text import natural_sort, short


def text(parts: list[RenderableType]) -> str:
    """Render as plain words."""
    file = io.StringIO()
    Console(file=file, width=200, color_system=None).print(*parts, sep="\n")
    return " ".join(file.getvalue().split())


def table(**columns: Any) -> pd.DataFrame:
    """A run of four checkpoints in which everything goes well, but for the given columns."""
    values: dict[str, Any] = {
        "step": [0, 10, 100, 1000],
        "n_regions": [10, 20, 30, 20],
        "train_accuracy": [0.5, 0.8, 1.0, 1.0],
        "held_out_accuracy": [0.5, 0.8, 0.99, 1.0],
        "purity": 1.0,
        "largest_class": 0.55,
        "fitted_step": 50.0,
        "generalised_step": 60.0,
        "enumerator": "cpu",
        "enumeration_status": "certified",
        "n_points_outside": 0,
        "n_points_on_boundary": 0,
        "points_distance": 0.0,
        "adjacency": "facet",
        "vertex_weights": "count_plus_one",
        "edge_weights": "unit",
    }
    for kind, agreement in (("weighted", [0.6, 0.8, 0.97, 0.99]), ("unweighted", 0.7)):
        values |= {
            f"{kind}_agreement": agreement,
            f"{kind}_held_out_agreement": agreement,
            f"{kind}_decision_by_points": agreement,
            f"{kind}_fiedler_value": 0.01,
            f"{kind}_fiedler_multiplicity": 1,
            f"{kind}_n_open_regions": 0,
            f"{kind}_open_mass": 0.0,
            f"{kind}_residual": 1e-9,
            f"{kind}_method": "arpack",
            f"{kind}_status": "converged",
            f"{kind}_partition": "a",
        }
    return pd.DataFrame(values | columns)


@pytest.mark.parametrize(
    ("by_points", "answer"),
    [
        ([0.6, 0.8, 0.97, 0.99], "Yes: at step 1000"),
        ([0.6, 0.8, 0.97, 0.9], "In part: at step 1000"),
        ([0.6, 0.8, 0.97, 0.7], "No: at step 1000"),
        ([0.6, 0.8, 0.97, np.nan], "There is no partition at the last checkpoint"),
    ],
)
def test_the_verdict_follows_the_last_checkpoints(by_points: list[float], answer: str) -> None:
    assert answer in text(
        partition_summary.run_summary(table(weighted_decision_by_points=by_points))
    )


def test_the_first_checkpoint_and_one_side_for_all_stand_beside_the_verdict() -> None:
    lines = text(partition_summary.run_summary(table()))
    assert (
        "went from 0.600 at step 0 to 0.990 (unweighted 0.700); one side for all has 0.550."
        in lines
    )
    assert "already" not in lines
    lines = text(partition_summary.run_summary(table(weighted_agreement=[0.96, 0.8, 0.97, 0.99])))
    assert "At step 0 it followed the labels already." in lines


def test_an_unsteady_agreement_is_not_a_yes() -> None:
    twice = pd.concat([table(), table(weighted_decision_by_points=[0.9, 0.9, 0.6, 0.99])])
    assert "At the end, but not steadily" in text(partition_summary.run_summary(twice))


def test_checkpoints_without_a_partition_are_no_yes() -> None:
    twice = pd.concat([table(), table(weighted_decision_by_points=[0.9, 0.9, np.nan, 0.99])])
    lines = text(partition_summary.run_summary(twice))
    assert "At the end, but not steadily" in lines
    assert "least over the 1 known of the last 2 checkpoints 0.990" in lines


def test_jobs_without_a_partition_are_counted() -> None:
    jobs = [
        table(weighted_agreement=np.nan if seed else 0.97).assign(job=str(seed), seed=seed)
        for seed in range(3)
    ]
    lines = text(partition_summary.sweep_summary(pd.concat(jobs), ["seed"]))
    assert ".970 [.970] (2 unknown)" in lines


def test_less_than_one_is_never_shown_as_one() -> None:
    almost = text(partition_summary.run_summary(table(weighted_held_out_agreement=0.9999)))
    assert "held-out points on 0.999." in almost


def test_a_network_that_did_not_learn_is_told() -> None:
    lines = text(
        partition_summary.run_summary(table(held_out_accuracy=0.9, generalised_step=np.nan))
    )
    assert "has not learned the task: held-out accuracy 0.900" in lines
    assert "never reached 0.98 (at most 0.900)" in lines
    assert "never fitted" in text(partition_summary.run_summary(table(fitted_step=np.nan)))
    assert "the other way round" not in lines
    swapped = text(partition_summary.run_summary(table(held_out_accuracy=[0.5, 0.3, 0.1, 0.02])))
    assert "held-out accuracy 0.020. Are the classes the other way round?" in swapped


def test_of_one_model_nothing_is_said_that_takes_several() -> None:
    lines = text(partition_summary.run_summary(table()[3:]))
    assert "Yes: it agrees with the network's decision on 0.990" in lines
    assert "Agreement with the training labels is 0.990 (unweighted 0.700); one side" in lines
    for words in ("least over", "went from", "at step", "first", "last"):
        assert words not in lines


def test_held_out_points_are_named_only_where_there_are_some() -> None:
    assert "the labels of held-out points" in text(partition_summary.run_summary(table()))
    lines = text(partition_summary.run_summary(table(), has_held_out=False))
    assert lines.count("held-out") == 1
    assert "Train accuracy reached 1 at step 50; there are no held-out points." in lines


@pytest.mark.parametrize(
    ("agreement", "claim"),
    [([0.6, 0.7, 0.7, 0.7], "does not jump there"), ([0.6, 0.7, 0.7, 1.0], "moves there")],
)
def test_delayed_generalisation_is_told_with_its_numbers(
    agreement: list[float], claim: str
) -> None:
    late = table(generalised_step=500.0, weighted_held_out_agreement=agreement)
    lines = text(partition_summary.run_summary(late))
    assert "10.0 times later" in lines
    assert claim in lines
    assert "no delayed generalisation" in text(partition_summary.run_summary(table()))


def test_failures_and_doubts_are_told() -> None:
    doubtful = table(
        weighted_status=["one region", "converged", "converged", "converged"],
        enumeration_status=["certified", "certified", "certified", "uncertified"],
        n_points_outside=[0, 0, 3, 0],
    )
    lines = text(partition_summary.run_summary(doubtful))
    assert "weighted: one region at step 0" in lines
    assert "1 complex is not certified" in lines
    assert "up to 3 training points lie outside the domain" in lines


def test_no_eigensolver_is_named_where_none_has_a_result() -> None:
    nothing = table(weighted_method=None, weighted_residual=np.nan, unweighted_residual=np.nan)
    lines = text(partition_summary.run_summary(nothing))
    assert "ran: enumerator cpu; no eigensolver with a result; facet adjacency" in lines
    lines = text(partition_summary.run_summary(table()))
    assert "; eigensolver arpack (largest residual 1.0e-09); facet" in lines


def test_learning_steps_are_the_first_ones() -> None:
    history = History(
        train_steps=np.array([0, 1, 3, 4, 9]),
        train_loss=np.zeros(5),
        train_accuracy=np.array([0.5, 0.9, 1.0, 0.9, 1.0]),
        held_out_steps=np.array([0, 2, 4]),
        held_out_loss=np.zeros(3),
        held_out_accuracy=np.array([0.5, 0.97, 0.98]),
    )
    assert partition_summary.learning_steps(history) == {
        "fitted_step": 3.0,
        "generalised_step": 4.0,
    }


def test_a_sweep_is_shown_over_seeds_and_eigensolvers() -> None:
    jobs = []
    for job, (seed, solver) in enumerate([(0, "arpack"), (1, "arpack"), (0, "amg_lobpcg")]):
        rows = table(
            job=str(job),
            seed=seed,
            eigensolver=solver,
            weighted_fiedler_value=0.01 if solver == "arpack" else 0.011,
            weighted_agreement=[0.5, 0.6, 0.7, 0.9 if seed else 1.0],
        )
        jobs.append(rows)
    combined = pd.concat(jobs, ignore_index=True)
    lines = text(partition_summary.sweep_summary(combined, ["seed", "eigensolver"]))
    assert "arpack 2 1.000 [1.000] .950 [.900] .700 [.700] .450 [.400]" in lines
    assert "differ by at most 9.1e-02 (relative)" in lines


@given(st.lists(st.lists(st.integers(-50, 200), max_size=3)))
def test_lists_are_sorted_element_by_element(lists: list[list[int]]) -> None:
    texts = [str(numbers).replace(" ", "") for numbers in sorted(lists)]
    assert natural_sort(reversed(texts)) == texts


@given(st.lists(st.tuples(st.sampled_from(["box", "slice"]), st.integers() | st.floats(-9, 9))))
def test_several_settings_are_sorted_by_the_first_and_then_by_the_next(
    settings: list[tuple[str, float]],
) -> None:
    assert natural_sort(settings) == sorted(settings)


@pytest.mark.parametrize(
    "values",
    [
        ["[8]", "[8,8]", "[16]", "[16,4]", "[16,16]", "[128]"],
        [2, 10, 300],
        [1e-05, 0.002, 0.1, 30.0],
        ["0.5", "2", "10", "None"],
    ],
)
def test_settings_stand_in_the_order_of_their_values(values: list[Any]) -> None:
    jobs = [table(job=str(i), key=value) for i, value in enumerate(sorted(values, key=str))]
    parts = partition_summary.sweep_summary(pd.concat(jobs), ["key"])
    firsts = [list(part.columns[0].cells) for part in parts if isinstance(part, Table)]
    assert firsts == 2 * [[short(value) for value in values]]


def test_what_no_job_of_a_sweep_has_is_named_once_and_why() -> None:
    unknown = {f"weighted_{name}": np.nan for name in ("agreement", "held_out_agreement")}
    jobs = [
        table(
            job=f"{seed},{width}",
            seed=seed,
            width=width,
            weighted_status="one region",
            unweighted_agreement=np.nan if width == 8 else 0.75,
            generalised_step=np.nan,
            **unknown,
        )
        for seed in (0, 1)
        for width in (8, 16)
    ]
    parts = partition_summary.sweep_summary(pd.concat(jobs), ["seed", "width"])
    lines = text(parts)
    assert "unknown in every job (one region): weighted, gain" in lines
    assert "never in any job: held-out 0.98, ratio" in lines
    assert "nan" not in lines
    agreement, steps = (part for part in parts if isinstance(part, Table))
    assert [c.header for c in agreement.columns] == ["width", "jobs", "held-out acc.", "unweighted"]
    assert list(agreement.columns[-1].cells) == ["-", ".750 \\[.750]"]
    assert [c.header for c in steps.columns] == ["width", "jobs", "train acc. 1"]
    assert list(steps.columns[-1].cells) == ["50", "50"]
    nothing = pd.concat([job.assign(fitted_step=np.nan) for job in jobs])
    lines = text(partition_summary.sweep_summary(nothing, ["seed", "width"]))
    assert "never in any job: train acc. 1, held-out 0.98, ratio" in lines
    assert "least-greatest" not in lines


@pytest.mark.parametrize("n_checkpoints", [1, 2])
@pytest.mark.parametrize("held_out", [np.nan, 0.9])
def test_a_sweep_without_held_out_points_or_training_tells_nothing_of_them(
    n_checkpoints: int, held_out: float
) -> None:
    steps = {"fitted_step": np.nan, "generalised_step": np.nan, "held_out_accuracy": held_out}
    jobs = [table(job=str(i), width=i, **steps).tail(n_checkpoints) for i in range(2)]
    lines = text(partition_summary.sweep_summary(pd.concat(jobs), ["width"]))
    assert ("held-out acc." in lines) == (held_out == 0.9)
    assert ("gain" in lines) == (n_checkpoints == 2)
    never = "never in any job: train acc. 1"
    if held_out == 0.9:
        never += ", held-out 0.98, ratio"
    assert (never in lines) == (n_checkpoints == 2)
    assert "unknown" not in lines


def test_of_many_settings_the_first_are_shown() -> None:
    jobs = [table(job=str(i), width=i, weighted_agreement=0.5 + i / 100) for i in range(30)]
    lines = text(partition_summary.sweep_summary(pd.concat(jobs), ["width"]))
    assert "19 1 1.000 .690 .700 .000" in lines  # one job: no worst of several
    assert "20 1" not in lines
    assert "and 10 settings more, in jobs.csv" in lines
