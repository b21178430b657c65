"""What a tracker records is what a direct analysis gives, whatever is killed meanwhile."""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from relutopo.analyses.homology import Homology
from relutopo.analyses.partition import Partition
from relutopo.analyses.paths import Paths
from relutopo.errors import InputError, MissingExtraError, RelutopoError
from relutopo.learning.datasets import Dataset, two_moons
from relutopo.learning.digits import digits
from relutopo.learning.runs import TrainingRun
from relutopo.plots import plot_timeline
from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature
from relutopo.signatures.fiedler_value import FiedlerValue
from relutopo.signatures.subject import Subject
from relutopo.tracking import Tracker
from relutopo.tracking.loggers import logger
from relutopo.tracking.worker import _in_one_thread

DATA = two_moons(n=30)
EXACT = {"name": "exact"}  # it compiles nothing
SETTINGS = Partition(enumerator=EXACT)


def model(seed: int, n_inputs: int = 2) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(n_inputs, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    """The row without times; NaN equals itself."""
    return {
        name: "NaN" if isinstance(value, float) and math.isnan(value) else value
        for name, value in row.items()
        if not name.startswith("seconds")
    }


def test_rows_are_those_of_a_direct_analysis(tmp_path: Path) -> None:
    settings = Partition(enumerator=EXACT)
    of_homology = Homology(enumerator=EXACT)
    with (
        Tracker(tmp_path / "partition", DATA, settings, steps=[0, 7]) as fiedler,
        Tracker(tmp_path / "homology", DATA, of_homology, steps=[7]) as betti,
    ):
        for step in range(9):
            network = model(step)
            loss = torch.tensor(float(step), requires_grad=True)
            assert fiedler.step(network, step, loss) == (step in (0, 7))
            assert betti.step(network, step, loss) == (step == 7)
    first, second = fiedler.rows
    assert (first["step"], second["step"], second["loss"]) == (0, 7, 7.0)
    network_7 = rt.as_network(model(7))
    expected = timeless(settings.analyse(network_7, DATA).row)
    assert expected.items() <= timeless(second).items()
    expected = timeless(of_homology.analyse(network_7, DATA, step=7).row)
    assert expected.items() <= timeless(betti.rows[0]).items()
    decisions = network_7(DATA.points)[:, 0] > 0
    assert second["train_accuracy"] == np.mean(decisions == (DATA.targets > 0))
    assert fiedler.table()["step"].tolist() == [0, 7]
    assert not list((tmp_path / "partition" / "pending").iterdir())


@given(st.integers(1, 30), st.integers(1, 6))
def test_steps_are_evenly_spaced_on_a_log_axis(per_decade: int, decades: int) -> None:
    tracker = Tracker.__new__(Tracker)
    tracker._steps, tracker._known = per_decade, set()
    last = 10**decades
    powers = {round(10 ** (k / per_decade)) for k in range(decades * per_decade + 1)}
    assert all(tracker.wants(step) for step in {0, *powers})
    near = {step + shift for step in powers for shift in (-1, 1)} - {0, *powers}
    assert not any(tracker.wants(step) for step in near if step < last)


def test_steps_may_be_integers_of_numpy(tmp_path: Path) -> None:
    steps: Any = np.int64(3)
    tracker = Tracker(tmp_path / "many", DATA, SETTINGS, steps=steps)
    assert [step for step in range(101) if tracker.wants(step)] == [0, 1, 2, 5, 10, 22, 46, 100]
    tracker = Tracker(tmp_path / "some", DATA, SETTINGS, steps=np.array([2, 4]))
    assert [step for step in range(9) if tracker.wants(step)] == [2, 4]


@pytest.mark.slow
def test_what_was_recorded_survives_the_death_of_the_analysis(tmp_path: Path) -> None:
    settings = Partition(enumerator=EXACT)
    tracker = Tracker(tmp_path, DATA, settings, steps=range(5))
    for step in range(3):
        tracker.step(model(step), step)
    assert tracker._worker is not None
    tracker._worker.kill()
    tracker._worker.wait()
    assert tracker.step(model(3), 3)
    with pytest.raises(RelutopoError, match="ended with status -9"):
        tracker.close()
    with Tracker(tmp_path, DATA, settings, steps=range(5), resume=True) as again:
        assert not again.wants(2)
        assert again.step(model(4), 4)
    assert [row["step"] for row in again.rows] == [0, 1, 2, 3, 4]
    with pytest.raises(InputError, match="was made with other settings"):
        Tracker(tmp_path, DATA, Homology(), resume=True)
    with pytest.raises(InputError, match="data"):
        Tracker(tmp_path, two_moons(n=20), settings, resume=True)


@pytest.mark.slow
def test_closing_says_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("relutopo.tracking.tracker._PATIENCE", 0.0)
    with caplog.at_level("WARNING", "relutopo"), Tracker(tmp_path, DATA, SETTINGS) as tracker:
        tracker.step(model(0), 0)
    (said,) = caplog.messages
    assert said.startswith(f"waiting for the analysis of 1 step in {str(tmp_path)!r}")
    tracker.close()
    assert len(caplog.messages) == 1  # nothing waits


@pytest.mark.slow
def test_a_tracker_goes_on_after_it_was_closed(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, DATA, SETTINGS, steps=range(4))
    tracker.step(model(0), 0)
    tracker.close()
    tracker.step(model(1), 1)
    assert tracker._worker is not None
    until = time.monotonic() + 100
    while len(tracker.rows) < 2:
        assert time.monotonic() < until
        time.sleep(0.02)
    with pytest.raises(subprocess.TimeoutExpired):  # nothing waits, but it is open again
        tracker._worker.wait(timeout=1)
    tracker.step(model(2), 2)
    tracker.step(model(3), 3)
    tracker.close()
    assert [row["step"] for row in tracker.rows] == [0, 1, 2, 3]


@pytest.mark.slow
def test_no_step_is_lost_when_closing_was_interrupted(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, DATA, SETTINGS, steps=range(4))
    for step in (0, 2):
        tracker.step(model(step), step)
        assert tracker._worker is not None
        tracker._closing.touch()
        assert tracker._worker.wait() == 0
    # A copy of the moment between the last look of the analysis and its end.
    tracker._record(model(3), {"step": 3, "loss": 0.5}, "step_000003")
    tracker.close()
    assert [row["step"] for row in tracker.rows] == [0, 2, 3]


TRAINING = """
import os, signal, sys
from relutopo.learning.datasets import two_moons
from relutopo.analyses.partition import Partition
from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature
from relutopo.signatures.fiedler_value import FiedlerValue
from relutopo.signatures.subject import Subject
from relutopo.tracking import Tracker
from relutopo.tracking.loggers import logger
settings = Partition(enumerator={"name": "exact"})
tracker = Tracker(sys.argv[1], two_moons(n=30), settings, steps=range(3))
for step in range(3):
    tracker.step(([[[1.0, step], [0.0, 1.0]], [[1.0, -1.0]]], [[0.0, 0.1], [0.0]]), step)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_what_was_recorded_survives_the_death_of_training(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", TRAINING, str(tmp_path)])
    assert result.returncode == -9
    until = time.monotonic() + 100
    while len(list(tmp_path.glob("rows/*.json"))) < 3:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
def test_a_folder_with_the_rows_of_another_run_is_not_continued_unasked(tmp_path: Path) -> None:
    with Tracker(tmp_path, DATA, SETTINGS, steps=[0, 3]) as tracker:
        for step in range(4):
            tracker.step(model(step), step)
    before = tracker.rows
    assert repr(tracker) == f"Tracker({str(tmp_path)!r}, 2 rows)"
    for data, settings in ((DATA, SETTINGS), (two_moons(n=20), Homology(enumerator=EXACT))):
        with pytest.raises(
            InputError, match=r"holds 2 rows of an earlier run, steps 0 to 3; pass "
        ):
            Tracker(tmp_path, data, settings, steps=[0, 3])
    with Tracker(tmp_path, DATA, SETTINGS, steps=[0, 3, 4], resume=True) as tracker:
        assert [tracker.step(model(9), step) for step in (3, 4)] == [False, True]
    assert [row["step"] for row in tracker.rows] == [0, 3, 4]
    assert list(map(timeless, tracker.rows[:2])) == list(map(timeless, before))


def test_copies_that_wait_belong_to_a_run_too(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, DATA, SETTINGS, steps=[7])
    tracker._write(tmp_path / "pending" / "step_000007.json", {"step": 7, "loss": 0.5})
    assert repr(tracker).endswith(", 0 rows, 1 waiting)")
    with pytest.raises(InputError, match="holds 1 row of an earlier run, step 7; pass resume=True"):
        Tracker(tmp_path, DATA, SETTINGS)


@pytest.mark.slow
def test_a_folder_in_which_nothing_was_recorded_is_free(tmp_path: Path) -> None:
    Tracker(tmp_path, DATA, SETTINGS, steps=[0])
    with Tracker(tmp_path, two_moons(n=20), Homology(enumerator=EXACT), steps=[0]) as tracker:
        tracker.step(model(0), 0)
    assert "betti_0" in tracker.rows[0]
    with pytest.raises(InputError, match="`resume` must be True or False, got 'yes'"):
        Tracker(tmp_path, DATA, SETTINGS, resume="yes")  # type: ignore[arg-type]


def test_a_folder_of_a_training_run_is_not_taken(tmp_path: Path) -> None:
    TrainingRun(tmp_path).claim({"trainer": {}, "network": {}, "seed": 0}, DATA)
    before = (tmp_path / "settings.json").read_text()
    with pytest.raises(InputError, match="was made with other settings"):
        Tracker(tmp_path, DATA, SETTINGS)
    assert (tmp_path / "settings.json").read_text() == before


@pytest.mark.slow
def test_networks_are_kept_if_wanted(tmp_path: Path) -> None:
    with Tracker(tmp_path / "kept", DATA, SETTINGS, steps=[0, 2, 3], keep=True) as tracker:
        for step in range(3):
            tracker.step(model(step), step)
            if step == 2:  # also one that may not be analysed yet
                assert tracker.network(step).layer_sizes == (4,)
        tracker.step(torch.nn.Linear(3, 1), 3)  # of other inputs: an error of its step
    for step, row in zip((0, 2), tracker.rows, strict=False):
        np.testing.assert_array_equal(
            tracker.network(step)(DATA.points), rt.as_network(model(step))(DATA.points)
        )
        assert tracker.complex(step).n_regions == row["n_regions"]
        assert tracker.complex(step).record.method == "exact"
    with pytest.raises(InputError, match=r"`step` must be a recorded one, \[0, 2, 3\], got 1; see"):
        tracker.network(1)
    with pytest.raises(InputError, match="got 3, which has a row only; its error says why"):
        tracker.network(3)
    again = Tracker(tmp_path / "kept", DATA, SETTINGS, resume=True, keep=True)
    assert again.complex(2).n_regions == tracker.rows[1]["n_regions"]
    with pytest.raises(InputError, match="keep was True, is False"):
        Tracker(tmp_path / "kept", DATA, SETTINGS, resume=True)
    with Tracker(tmp_path / "not", DATA, SETTINGS, steps=[0]) as tracker:
        tracker.step(model(0), 0)
    with pytest.raises(InputError, match="row only; pass keep=True when the tracker is made"):
        tracker.complex(0)
    assert not (tmp_path / "not" / "networks").exists()


@pytest.mark.slow
def test_what_is_known_is_drawn(tmp_path: Path) -> None:
    def labels(figure: Any) -> list[str]:
        return [ax.get_ylabel().replace("\n", " ") for ax in figure.axes]

    tracker = Tracker(tmp_path, DATA, SETTINGS, steps=[0, 5])
    with pytest.raises(InputError, match="got 0 rows with the columns none; pass the table of"):
        tracker.plot()
    with tracker:
        for step in range(6):
            tracker.step(model(step), step, loss=1 / (1 + step))
    names = [
        "loss", "accuracy", "agreement", "agreement, held out", "regions", "Fiedler value",
    ]  # fmt: skip
    assert labels(tracker.plot()) == labels(plot_timeline(tracker.table())) == names
    figure = tracker.plot("n_edges", ("n_regions", "n_cells_0"))
    assert labels(figure) == ["n edges", ""]
    edges = figure.axes[0].get_lines()[0]
    assert np.asarray(edges.get_xdata()).tolist() == [0, 5]
    assert np.asarray(edges.get_ydata()).tolist() == [row["n_edges"] for row in tracker.rows]
    with pytest.raises(InputError, match="got n_region; did you mean n_regions"):
        tracker.plot("n_region")
    with pytest.raises(InputError, match=r"got cubes; choose from .*n_regions"):
        tracker.plot("cubes")
    with pytest.raises(InputError, match="must be columns of numbers, got enumerator with 'exact'"):
        tracker.plot("enumerator")
    with Tracker(tmp_path / "betti", DATA, Homology(enumerator=EXACT), steps=[0]) as tracker:
        tracker.step(model(0), 0)
    shown = labels(tracker.plot())
    assert shown == ["accuracy", "regions", "Betti curves peak at the value", "decision boundary"]


@pytest.mark.slow
def test_a_step_that_cannot_be_analysed_says_why_and_others_go_on(tmp_path: Path) -> None:
    settings = Partition(enumerator=EXACT, max_cells=40)
    large = ([np.random.default_rng(0).normal(size=(30, 2)), np.ones((1, 30))], [np.zeros(30), [0]])
    with Tracker(tmp_path, DATA, settings, steps=[0, 1]) as tracker:
        tracker.step(large, 0, loss=1.0)
        tracker.step(([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]]), 1, loss=0.5)
    first, second = tracker.rows
    assert first["error"].startswith("LimitReachedError")
    assert (second["error"], second["n_regions"]) == (None, 2)


@pytest.mark.slow
def test_without_a_bound_the_first_network_is_refused_before_minutes_of_work(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    data = Dataset("many", rng.normal(size=(60, 12)), np.arange(60) % 2)
    network = rt.gallery.random_network([12, 8, 1], seed=0)
    tracker = Tracker(tmp_path / "a", data, steps=[0, 1])
    with pytest.raises(InputError, match=r"at most 20,000,000 cells .*slice_principal.*Paths\(\)"):
        tracker.step(network, 0)
    plane = Partition(enumerator=EXACT, domain={"name": "slice_principal"})
    for name, analysis in (("b", plane), ("c", Paths())):
        with Tracker(tmp_path / name, data, analysis, steps=[0]) as tracker:
            assert tracker.step(network, 0)
        assert tracker.rows[0]["error"] is None
    with pytest.raises(InputError, match="must have at most 12 dimensions"):
        Tracker(tmp_path / "e", Dataset("more", rng.normal(size=(60, 13)), np.arange(60) % 2))


@pytest.mark.slow
def test_with_a_bound_of_ones_own_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relutopo.tracking.tracker.costs_if_many", lambda *_: pytest.fail("asked"))
    cells = Partition(enumerator=EXACT, max_cells=40)
    for name, bounded in (("a", cells), ("b", replace(SETTINGS, max_bytes=10**6))):
        with Tracker(tmp_path / name, DATA, bounded) as tracker:
            assert tracker.step(model(0), 0)


@pytest.mark.slow
def test_without_a_bound_later_steps_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relutopo.tracking.tracker._MOST_CELLS", 40)
    large = ([np.random.default_rng(0).normal(size=(30, 2)), np.ones((1, 30))], [np.zeros(30), [0]])
    with Tracker(tmp_path, DATA, SETTINGS, steps=[0, 1]) as tracker:
        tracker.step(([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]]), 0)
        tracker.step(large, 1)
    first, second = tracker.rows
    assert first["error"] is None
    assert "`max_cells`=40 was reached" in second["error"]


@pytest.mark.slow
def test_a_network_with_too_many_outputs_is_told_at_once_and_later_recorded(tmp_path: Path) -> None:
    three = torch.nn.Linear(2, 3)
    with Tracker(tmp_path, DATA, SETTINGS, steps=[0, 1]) as tracker:
        with pytest.raises(InputError, match=r"must have 1 or 2 outputs .*, got 3"):
            tracker.step(three, 0)
        tracker.step(model(0), 0)
        tracker.step(three, 1)
    first, second = tracker.rows
    assert first["error"] is None
    assert "must have 1 or 2 outputs" in second["error"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"dataset": (DATA.points, DATA.targets)}, "`dataset` must be a .*, got tuple"),
        ({"analysis": {"eigensolver": "arpack"}}, "`analysis` must be a Checkpoint.*dict"),
        ({"analysis": Partition(eigensolver={"name": "arpak"})}, "'arpak' is not regis"),
        ({"analysis": Partition(domain={"name": "box", "low": 8, "high": 9})}, "`domain` "),
        ({"steps": 0}, "`steps` must be an integer from 1, got 0"),
        ({"steps": np.int64(0)}, "`steps` must be an integer from 1"),
        ({"steps": True}, "`steps` must be .*, got True"),
        ({"steps": 2.5}, "`steps` must be .*, got 2.5"),
        ({"steps": "log"}, "`steps` must be .*, got 'log'"),
        ({"slice": rt.Box(-1, 1, dim=2)}, "`slice` must be an AffineSlice, got Box"),
    ],
)
def test_a_tracker_refuses_at_once_what_cannot_be(
    arguments: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(RelutopoError, match=told):
        Tracker(tmp_path, **({"dataset": DATA} | arguments))
    assert not list(tmp_path.iterdir())


SIDE = (DATA.points[:, 0] > 0).astype(int)
THREE = SIDE + (DATA.points[:, 1] > 0)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [SIDE, np.array(["cat", "dog"])[SIDE]])
def test_two_classes_of_any_kind_give_the_same_row(labels: Any, tmp_path: Path) -> None:
    """Also without held-out points, or with those of one class."""
    signs = Dataset("signs", DATA.points, 2.0 * SIDE - 1, DATA.points[:9], 2.0 * SIDE[:9] - 1)
    network = rt.as_network(model(0))
    expected = timeless(SETTINGS.analyse(network, signs).row)
    one_class = np.flatnonzero(SIDE == 1)
    held_out: dict[str, tuple[Any, ...]] = {
        "both": (DATA.points[:9], labels[:9]),
        "one class": (DATA.points[one_class], labels[one_class]),
        "none": (),
    }
    for name, points_and_labels in held_out.items():
        data = Dataset("signs", DATA.points, labels, *points_and_labels)
        with Tracker(tmp_path / name, data, SETTINGS, steps=[0]) as tracker:
            tracker.step(model(0), 0)
        (row,) = tracker.rows
        assert row["error"] is None
        assert row["train_accuracy"] == np.mean((network(DATA.points)[:, 0] > 0) == SIDE)
        assert math.isnan(row["held_out_accuracy"]) == (name == "none")
        status = {"one class": "ok; held out 1 class"}.get(name, "ok")
        unknown = {c: "NaN" for c in expected if "held_out" in c} if name != "both" else {}
        assert (expected | unknown | {"label_status": status}).items() <= timeless(row).items()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("targets", "n_outputs", "status", "decision", "accuracy"),
    [
        (np.array(["a", "b", "c"])[THREE], 3, "3 classes", "3 outputs", True),
        (THREE + 4.0, 3, "3 classes", "3 outputs", True),
        (THREE, 1, "3 classes", "ok", False),
        (np.ones(30), 1, "1 class", "ok", True),
        (DATA.points[:, 0], 1, "targets are values, not labels",
         "targets are values, not labels", False),
        (DATA.points[:, 0], 3, "targets are values, not labels",
         "targets are values, not labels", False),
    ],
)  # fmt: skip
def test_of_other_targets_what_there_is_is_recorded(
    targets: Any, n_outputs: int, status: str, decision: str, accuracy: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, n_outputs)
    ).double()
    complex_ = rt.decompose(network, rt.Box.around(DATA.points), enumerator="exact")
    part = rt.fiedler_partition(complex_.dual_graph(), DATA.points)
    signatures = ["label_agreement", "decision_agreement"]
    data = Dataset("other", DATA.points, targets)
    betti = Homology(enumerator=EXACT, signatures=signatures)
    with (
        Tracker(tmp_path / "partition", data, SETTINGS, steps=[0]) as fiedler,
        Tracker(tmp_path / "homology", data, betti, steps=[0]) as homology,
    ):
        fiedler.step(network, 0)
        homology.step(network, 0)
    (row,), (second,) = fiedler.rows, homology.rows
    assert row["error"] is second["error"] is None
    assert row["n_regions"] == second["n_regions"] == complex_.n_regions
    assert row["weighted_fiedler_value"] == pytest.approx(part.value)
    assert (row["label_status"], row["decision_status"]) == (status, decision)
    assert math.isnan(row["weighted_agreement"])
    assert math.isnan(row["weighted_decision_by_points"]) == (decision != "ok")
    assert second["boundary_status"] == ("ok" if n_outputs <= 2 else "3 outputs")
    assert math.isnan(second["boundary_betti_0"]) == (n_outputs > 2)
    assert second["betti_0"] == 1
    if accuracy:
        outputs = network(torch.tensor(DATA.points)).detach().numpy()
        decided = outputs.argmax(axis=1) == THREE if n_outputs == 3 else outputs[:, 0] > 0
        assert row["train_accuracy"] == decided.mean()
    else:
        assert math.isnan(row["train_accuracy"])
    assert len(fiedler.plot().axes) >= 2


@pytest.mark.parametrize("step", [-1, 2.0, "3", None])
def test_a_step_is_a_number_of_updates(step: Any, tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, DATA, SETTINGS)
    for method in (tracker.wants, lambda step: tracker.step(model(0), step)):
        with pytest.raises(InputError, match="`step` must be an integer from 0, got "):
            method(step)


def test_a_model_of_other_data_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`model` takes 3 inputs, the points of `dataset` have 2"):
        Tracker(tmp_path, DATA, SETTINGS).step(model(0, n_inputs=3), 0)


@pytest.mark.slow
def test_a_loss_is_one_number_or_none(tmp_path: Path) -> None:
    int_of_numpy: Any = np.int64(0)
    with Tracker(tmp_path, DATA, SETTINGS, steps=range(3)) as tracker:
        tracker.step(model(0), int_of_numpy, None)
        tracker.step(model(0), 1, torch.ones(1, requires_grad=True))
        with pytest.raises(InputError, match="`loss` must be one number, got Tensor"):
            tracker.step(model(0), 2, torch.ones(3))
    assert [str(row["loss"]) for row in tracker.rows] == ["nan", "1.0"]


@pytest.mark.slow
def test_training_that_diverges_is_recorded_and_goes_on(tmp_path: Path) -> None:
    network = model(0)
    with Tracker(tmp_path, DATA, SETTINGS, steps=range(3)) as tracker:
        assert tracker.step(network, 0)
        torch.nn.init.constant_(next(network.parameters()), math.nan)
        assert tracker.step(network, 1, math.nan)
        assert tracker.step(model(1), 2)
    errors = [row["error"] for row in tracker.rows]
    assert errors[::2] == [None, None]
    assert "finite" in errors[1]
    other = Tracker(tmp_path / "other", DATA, SETTINGS)
    with pytest.raises(InputError, match="finite"):  # nothing was ever recorded: told at once
        other.step(network, 0)


@pytest.mark.slow
def test_training_goes_on_when_a_copy_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Tracker(tmp_path, DATA, SETTINGS, steps=range(3)) as tracker:
        assert tracker.step(model(0), 0)
        with monkeypatch.context() as patch:
            patch.setattr("relutopo.tracking.tracker.save_network", full)
            with pytest.warns(UserWarning, match="step 1 is not recorded in .* No space left"):
                assert not tracker.step(model(0), 1)
        assert tracker.step(model(0), 2)
    assert [row["step"] for row in tracker.rows] == [0, 2]


@pytest.mark.slow
def test_copies_that_a_loss_of_power_damaged_are_told_of(tmp_path: Path) -> None:
    Tracker(tmp_path, DATA, SETTINGS, steps=[5])
    (tmp_path / "pending" / "step_000003.json").write_text("")
    (tmp_path / "pending" / "step_000004.json").write_text('{"step": 4, "loss": 0.5}')
    (tmp_path / "pending" / "step_000004.npz").write_bytes(b"half")
    with Tracker(tmp_path, DATA, SETTINGS, steps=[5], resume=True) as tracker:
        tracker.step(model(0), 5)
    assert "step_000003.json is damaged; the step is lost" in (tmp_path / "worker.log").read_text()
    damaged, whole = tracker.rows
    assert "cannot be read as a network" in damaged["error"]
    assert (damaged["step"], whole["step"], whole["error"]) == (4, 5, None)


@pytest.mark.slow
def test_every_copy_is_of_its_moment(tmp_path: Path) -> None:
    """Also those of a module that was read before, whatever it has become since."""
    network = model(0)
    expected = []
    with Tracker(tmp_path, DATA, SETTINGS, steps=range(4)) as tracker:
        for step in range(4):
            with torch.no_grad():
                next(network.parameters()).add_(step)
            if step == 3:
                network.append(torch.nn.Linear(1, 1))  # other than Linear and ReLU in turn
            tracker.step(network, step)
            expected.append(SETTINGS.analyse(rt.as_network(network), DATA).row)
    for row, direct in zip(tracker.rows, expected, strict=True):
        assert timeless(direct).items() <= timeless(row).items()


@pytest.mark.slow
@pytest.mark.parametrize("norms", [[], [torch.nn.BatchNorm1d(4)]])
def test_networks_that_are_pruned_meanwhile_are_those_of_the_moment(
    tmp_path: Path, norms: list[torch.nn.Module]
) -> None:
    first, act, last = model(0)
    network = torch.nn.Sequential(first, *norms, act, last)
    expected = []
    with Tracker(tmp_path, DATA, SETTINGS, steps=range(3)) as tracker:
        for step in range(3):
            if step == 1:
                prune: Any = torch.nn.utils.prune.l1_unstructured
                prune(first, "weight", 0.5)
            network(torch.ones(2, 2)).sum().backward()
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.add_(1.0)
            tracker.step(network, step)
            network.eval()(torch.ones(1, 2))  # sets the weights that are used
            plain = torch.nn.Sequential(torch.nn.Linear(2, 4), *norms, act, last)
            plain.load_state_dict({"0.weight": first.weight, "0.bias": first.bias}, strict=False)
            expected.append(SETTINGS.analyse(rt.as_network(plain), DATA).row)
            network.train()
    for row, direct in zip(tracker.rows, expected, strict=True):
        assert timeless(direct).items() <= timeless(row).items()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux tells")
def test_the_analysis_gives_way_to_training(tmp_path: Path) -> None:
    with Tracker(tmp_path, DATA, SETTINGS, steps=[0]) as tracker:
        tracker.step(model(0), 0)
        assert tracker._worker is not None
        pid = tracker._worker.pid
        # In another session it could have a priority of its own; in our group, our signals.
        assert os.getsid(pid) == os.getsid(0)
        assert os.getpgid(pid) == pid
        until = time.monotonic() + 100
        while os.getpriority(os.PRIO_PROCESS, pid) != 19:
            assert time.monotonic() < until
            time.sleep(0.02)
        while os.sched_getscheduler(pid) != os.SCHED_IDLE:
            assert time.monotonic() < until
            time.sleep(0.02)


def test_the_analysis_gives_way_before_it_loads_anything_heavy() -> None:
    code = "import relutopo.tracking.__main__, sys; assert 'numpy' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


class Depth(Signature):
    """A signature that is no dataclass."""

    columns = (Column("depth", "layers", "hidden layers"),)

    def compute(self, subject: Subject) -> dict[str, int]:
        return {"depth": len(subject.network.layer_sizes)}


def test_backends_use_one_thread_unless_they_are_told_otherwise() -> None:
    told = {"name": "arpack", "n_threads": 3}
    settings = Partition(eigensolver=told, signatures=["fiedler_value", Depth()])
    changed = _in_one_thread(settings)
    assert changed.create("enumerator").n_threads == 1
    assert changed.create("eigensolver").n_threads == 3
    first, second = changed.signatures
    assert isinstance(first, FiedlerValue)
    assert first.eigensolver == {"name": "auto", "n_threads": 1}
    assert second is settings.signatures[1]  # no dataclass
    assert _in_one_thread(Partition(enumerator=EXACT)).enumerator == EXACT  # it knows no threads


@pytest.mark.slow
def test_many_inputs_are_seen_on_a_slice(tmp_path: Path) -> None:
    slice_ = rt.AffineSlice.through([0.0, 0, 0, 1], [1.0, 0, 0, 0], [0.0, 1, 0, 0])
    on_slice = Dataset("slice", DATA.points, DATA.targets, DATA.points, DATA.targets)
    settings = Partition(enumerator=EXACT)
    network = model(0, n_inputs=4)
    with Tracker(tmp_path, on_slice, settings, steps=[0], slice=slice_) as tracker:
        tracker.step(network, 0)
    restricted = rt.as_network(network).restricted(slice_.origin, slice_.basis)
    assert tracker.rows[0]["n_regions"] == settings.analyse(restricted, on_slice).row["n_regions"]


def test_a_folder_is_for_one_slice_and_one_input_shape(tmp_path: Path) -> None:
    origin, basis = np.zeros((1, 4)), np.eye(4)[:, :2]
    shapes: list[Any] = [[1, 2], (np.int64(1), np.int64(2))]
    for shape in shapes:  # the same twice goes on
        Tracker(tmp_path / "slice", DATA, SETTINGS, slice=rt.AffineSlice(origin, basis))
        Tracker(tmp_path / "shape", DATA, SETTINGS, input_shape=shape)
    for other in (
        None,
        rt.AffineSlice(origin + 1, basis),
        rt.AffineSlice(origin, basis[::-1]),
        rt.AffineSlice(origin[0], basis),
    ):
        with pytest.raises(InputError, match="made with other settings: slice was '"):
            Tracker(tmp_path / "slice", DATA, SETTINGS, slice=other, resume=True)
    with pytest.raises(InputError, match=r"input_shape was \[1, 2\], is \[2\]"):
        Tracker(tmp_path / "shape", DATA, SETTINGS, input_shape=[2], resume=True)


@pytest.mark.slow
def test_segments_of_a_convolutional_network_are_recorded(tmp_path: Path) -> None:
    """Two lines more, of any number of inputs, with every control; no domain is made."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    data = digits(n=30)
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 2, 3, stride=2), torch.nn.ReLU(), torch.nn.Flatten()),
        torch.nn.Linear(18, 10),
    )
    settings, board, shape = Paths(n=15), tmp_path / "board", (1, 8, 8)
    with Tracker(
        tmp_path / "own", data, settings, steps=[0], input_shape=shape, tensorboard=board
    ) as tracker:
        tracker.step(network, 0, 1.0)
    (row,) = tracker.rows
    assert row["error"] is None
    direct = timeless(settings.analyse(rt.as_network(network, shape), data).row)
    assert direct.items() <= timeless(row).items()
    squares = sum(float((p.detach() ** 2).sum()) for p in network.parameters())
    assert row["weight_norm"] == pytest.approx(math.sqrt(squares))
    curves = EventAccumulator(os.fspath(board))
    curves.Reload()
    names = set(curves.Tags()["scalars"])
    for name in ("class_constant_same", "departure_ratio", "weight_norm", "n_same"):
        assert f"relutopo-paths/{name}" in names
    assert tracker.plot().axes
    with pytest.raises(InputError, match="an output for each of the 10 classes"):
        Tracker(tmp_path / "other", data, settings).step(model(0, 64), 0)


@pytest.mark.slow
def test_tensorboard_gets_every_number(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = Partition(enumerator=EXACT)
    board = tmp_path / "board"
    with Tracker(tmp_path / "own", DATA, settings, steps=[0, 3], tensorboard=board) as tracker:
        for step in range(4):
            tracker.step(model(step), step, loss=0.1 * step)
    events = EventAccumulator(os.fspath(board)).Reload()
    for group, column in (
        ("cells", "n_regions"), ("training", "loss"), ("weighted", "weighted_fiedler_value")
    ):  # fmt: skip
        scalars = events.Scalars(f"relutopo-{group}/{column}")
        assert [entry.step for entry in scalars] == [0, 3]
        np.testing.assert_allclose(
            [entry.value for entry in scalars], [row[column] for row in tracker.rows], rtol=1e-6
        )

    with pytest.raises(InputError, match=r"`tensorboard` .* holds the curves of an earlier run"):
        Tracker(tmp_path / "other", DATA, settings, tensorboard=board)
    (board / "events.out.tfevents.1.mine").write_text("")  # of the loop itself, for example
    for path in board.glob("*.relutopo"):
        path.unlink()
    Tracker(tmp_path / "other", DATA, settings, tensorboard=board)


class Notes:
    """A logger."""

    def __init__(self) -> None:
        self.taken: dict[int, dict[str, float]] = {}

    def log(self, values: dict[str, float], step: int, /) -> None:
        assert step not in self.taken
        self.taken[step] = values


@pytest.mark.slow
def test_loggers_get_every_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relutopo.tracking.tracker._PAUSE", 0.0)
    notes = Notes()
    steps = range(4)
    tracker = Tracker(tmp_path, DATA, SETTINGS, steps=steps, loggers=[notes])
    tracker.step(model(0), 0, loss=0.5)
    until = time.monotonic() + 100
    while not notes.taken:  # while it trains
        assert time.monotonic() < until
        tracker.step(model(1), 9)
        time.sleep(0.02)
    tracker.step(model(1), 1, loss=math.inf)
    tracker.close()
    assert list(notes.taken) == [0, 1]
    first, second = tracker.rows
    assert notes.taken[0]["relutopo-training/loss"] == 0.5
    assert notes.taken[1]["relutopo-cells/n_regions"] == second["n_regions"]
    assert "relutopo-training/loss" not in notes.taken[1]
    weighted = notes.taken[0]["relutopo-weighted/weighted_agreement"]
    assert weighted == first["weighted_agreement"]
    with Tracker(tmp_path, DATA, SETTINGS, steps=steps, loggers=[notes], resume=True) as tracker:
        tracker.step(model(2), 2)
    assert list(notes.taken) == [0, 1, 2]


@pytest.mark.slow
def test_a_logger_that_fails_ends_no_training(tmp_path: Path) -> None:
    class Broken:
        def log(self, values: dict[str, float], step: int, /) -> None:
            raise ConnectionError("nobody is there")

    with (
        pytest.warns(UserWarning, match=r"Broken did not take step 0 \(ConnectionError: nobody is"),
        Tracker(tmp_path, DATA, SETTINGS, steps=[0], loggers=[Broken()]) as tracker,
    ):
        tracker.step(model(0), 0)
    assert tracker.rows[0]["error"] is None


def test_loggers_of_other_programs_take_the_active_run(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    run = SimpleNamespace(
        define_metric=lambda name, **how: calls.append((name, how)),
        log=lambda values: calls.append(values),
        info=SimpleNamespace(run_id="a1"),
    )
    wandb, mlflow = SimpleNamespace(run=None), SimpleNamespace(active_run=lambda: None)
    mlflow.log_metrics = lambda values, **where: calls.append((values, where))
    for name, program, begin in (("wandb", wandb, "init"), ("mlflow", mlflow, "start_run")):
        monkeypatch.setitem(sys.modules, name, program)
        with pytest.raises(InputError, match=f"no run is active; call {name}.{begin} first"):
            logger(name)
    wandb.run, mlflow.active_run = run, lambda: run
    for name in ("wandb", "mlflow"):
        logger(name).log({"relutopo-cells/n_regions": 7.0}, 30)
    assert calls[0] == ("relutopo_step", {"hidden": True})
    assert ("relutopo-cells/*", {"step_metric": "relutopo_step"}) in calls
    assert calls[-2] == {"relutopo-cells/n_regions": 7.0, "relutopo_step": 30}
    assert calls[-1] == ({"relutopo-cells/n_regions": 7.0}, {"step": 30, "run_id": "a1"})
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtraError, match=r'pip install "relutopo\[wandb\]"'):
        Tracker("unused", DATA, SETTINGS, loggers="wandb")
    for wrong in ("comet", 3, [print]):
        with pytest.raises(InputError, match="`loggers` must be names, 'wandb' or 'mlflow', or ob"):
            Tracker("unused", DATA, SETTINGS, loggers=wrong)  # type: ignore[arg-type]
    assert not Path("unused").exists()


IN_PARALLEL = """
import os
import sys
import time
from pathlib import Path
import torch
from relutopo.learning.datasets import two_moons
from relutopo.analyses.partition import Partition
from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature
from relutopo.signatures.fiedler_value import FiedlerValue
from relutopo.signatures.subject import Subject
from relutopo.tracking import Tracker
from relutopo.tracking.loggers import logger

rank, folder = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
)
data = two_moons(n=30)
x, y = torch.tensor(data.points), torch.tensor(data.targets)
torch.manual_seed(rank)  # the copies are made equal by the first process
net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)).double()
model = torch.nn.parallel.DistributedDataParallel(net)
settings = Partition(enumerator={"name": "exact"})
tracker = Tracker(f"{folder}/tracked", data, settings, steps=[0, 2]) if rank == 0 else None
for step in range(3):
    if tracker:
        tracker.step(model, step)
    model.zero_grad()
    torch.nn.functional.mse_loss(model(x[rank::2])[:, 0], y[rank::2]).backward()
    with torch.no_grad():
        for weight in model.parameters():
            weight -= 0.1 * weight.grad
    if step == 1:
        torch.save(net, f"{folder}/model_{rank}.pt")
finished = Path(folder) / "finished"
if tracker:
    tracker.close()
    finished.touch()
while not finished.exists():
    time.sleep(0.05)
# The threads of the process group may outlive it, which ends the interpreter's way out by SIGABRT.
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without")
def test_a_model_that_is_trained_in_several_processes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IN_PARALLEL]
    processes = [subprocess.Popen([*command, str(rank), tmp_path]) for rank in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    with Tracker(tmp_path / "tracked", DATA, SETTINGS, steps=[0, 2], resume=True) as tracker:
        rows = tracker.rows
    assert [row["step"] for row in rows] == [0, 2]
    after_two_updates = [torch.load(tmp_path / f"model_{r}.pt", weights_only=False) for r in (0, 1)]
    for net in after_two_updates:
        expected = SETTINGS.analyse(rt.as_network(net), DATA).row
        assert timeless(expected).items() <= timeless(rows[1]).items()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_of_several_processes_of_lightning_the_first_records(tmp_path: Path) -> None:
    from relutopo.tracking.lightning import TrackerCallback

    tracker = Tracker(tmp_path, DATA, SETTINGS, steps=[0, 1])
    callback = TrackerCallback(tracker)
    for is_first in (False, True):
        assert tracker.wants(0)
        trainer: Any = SimpleNamespace(global_step=0, is_global_zero=is_first)
        module: Any = model(0)
        callback.on_train_start(trainer, module)
        trainer.global_step = 1
        callback.on_train_batch_end(trainer, module, None, None, 0)
        callback.on_fit_end(trainer, module)
    assert [row["step"] for row in tracker.rows] == [0, 1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Lightning warns of its own
@pytest.mark.parametrize(("n_accumulated", "steps"), [(1, [0, 1, 5, 6]), (2, [0, 1, 4])])
def test_lightning_calls_the_tracker(n_accumulated: int, steps: list[int], tmp_path: Path) -> None:
    from lightning.pytorch import LightningModule, Trainer
    from torch.utils.data import DataLoader, TensorDataset

    from relutopo.tracking.lightning import TrackerCallback

    class Learner(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = model(0)

        def training_step(self, batch: Any) -> torch.Tensor:
            x, y = batch
            return torch.nn.functional.mse_loss(self.net(x)[:, 0], y)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    x, y = (torch.tensor(a, dtype=torch.float32) for a in (DATA.points, DATA.targets))
    settings = Partition(enumerator=EXACT)
    tracker = Tracker(tmp_path / "own", DATA, settings, steps=steps)
    learner = Learner()
    trainer = Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
        accumulate_grad_batches=n_accumulated,
        callbacks=[TrackerCallback(tracker, lambda module: module.net)],
    )  # fmt: skip
    trainer.fit(learner, DataLoader(TensorDataset(x, y), batch_size=10))
    assert [row["step"] for row in tracker.rows] == steps
    losses = [row["loss"] for row in tracker.rows]
    assert math.isnan(losses[0])
    batch = slice(10 * n_accumulated - 10, 10 * n_accumulated)
    assert losses[1] == pytest.approx(
        torch.nn.functional.mse_loss(model(0)(x[batch])[:, 0], y[batch]).item()
    )
    last = settings.analyse(rt.as_network(learner.net), DATA).row
    assert timeless(last).items() <= timeless(tracker.rows[-1]).items()


@pytest.mark.slow
def test_an_interrupt_of_training_does_not_wait_for_the_analysis(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, DATA, SETTINGS, steps=[0])

    def train() -> None:
        with tracker:
            tracker.step(model(0), 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert tracker.rows == []  # the process behind has not even loaded what it needs
    assert tracker._worker is not None
    assert tracker._worker.wait(timeout=200) == 0
    assert [row["step"] for row in tracker.rows] == [0]


@pytest.mark.slow
def test_partitions_in_as_many_parts_as_classes_are_recorded(tmp_path: Path) -> None:
    data, settings = rt.three_blobs(n=30), rt.Classes(enumerator=EXACT)
    values = Dataset("values", data.points, data.points[:, 0] / 3)
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    with (
        Tracker(tmp_path / "classes", data, settings, steps=[0]) as tracker,
        Tracker(tmp_path / "values", values, settings, steps=[0]) as of_values,
    ):
        assert tracker.step(network, 0, 0.5)
        assert of_values.step(network, 0, 0.5)
    (row,) = tracker.rows
    expected = timeless(settings.analyse(rt.as_network(network), data).row)
    assert {name: timeless(row)[name] for name in expected} == expected
    assert row["chung_langlands_status"] == "converged"
    labels = [ax.get_ylabel() for ax in tracker.plot().axes]
    assert "agreement" in labels
    (row,) = of_values.rows
    assert row["error"] is None
    assert row["chung_langlands_status"] == "no classes to count"
