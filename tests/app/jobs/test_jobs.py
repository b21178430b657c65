"""A job's identity, its folder, and what happens to it when processes are killed or meet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relutopo.analyses import versions
from relutopo.app.jobs.folder import JobFolder, JobRecord, JobStatus
from relutopo.app.jobs.identity import Identity
from relutopo.errors import InputError
from relutopo.system.files import locked

VALUES = {
    "seed": 0,
    "training_dir": None,
    "objective": None,
    "checkpoints": None,
    "data": {"name": "two_moons", "n": 20},
    "network": {"hidden": [4]},
    "eigensolver": {"name": "arpack", "tol": 1e-8},
}


def record(**changes: object) -> JobRecord:
    return JobRecord(Identity.of("two_moons", VALUES | changes), {"eigensolver": "arpack"})


def status(folder: JobFolder) -> JobStatus:
    return folder.status


@given(st.integers(), st.floats(allow_nan=False), st.lists(st.integers(), max_size=3))
def test_every_setting_is_part_of_the_identity(seed: int, tol: float, hidden: list[int]) -> None:
    values = VALUES | {
        "seed": seed,
        "eigensolver": {"name": "arpack", "tol": tol},
        "network": {"hidden": hidden},
    }
    is_same = (seed, tol, hidden) == (0, 1e-8, [4])
    assert (Identity.of("two_moons", values).id == record().identity.id) == is_same


def test_where_a_job_works_is_no_part_of_its_identity() -> None:
    assert record(training_dir="elsewhere").identity.id == record().identity.id
    assert record(objective="delay").identity.id == record().identity.id
    assert Identity.of("two_circles", VALUES).id != record().identity.id


def test_the_code_is_part_of_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    before = record().identity
    monkeypatch.setattr(versions, "code_version", lambda: "0.1.0+changed")
    after = record().identity
    assert before.id != after.id
    assert before.training_id != after.training_id
    assert before.settings_id == after.settings_id


def test_the_content_of_input_files_is_part_of_the_identity(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    data = {"name": "file", "path": str(path)}
    missing = record(data=data).identity
    path.write_bytes(b"one")
    one = record(data=data).identity
    os.utime(path, ns=(1, 1))
    assert len({missing.id, one.id, record(data=data).identity.id}) == 3
    assert missing.inputs == {str(path): "missing"}


def test_models_in_folders_below_are_part_of_the_identity(tmp_path: Path) -> None:
    pattern = str(tmp_path / "**" / "*.pt")
    ids = [record(checkpoints=pattern).identity.id]
    for folder in (tmp_path, tmp_path / "a", tmp_path / "a" / "b"):
        folder.mkdir(exist_ok=True)
        (folder / "model.pt").touch()
        ids.append(record(checkpoints=pattern).identity.id)
    assert len(set(ids)) == 4


def test_jobs_that_train_the_same_share_the_training() -> None:
    one, other = record().identity, record(eigensolver={"name": "amg_lobpcg"}).identity
    assert one.id != other.id
    assert one.training_id == other.training_id
    assert one.training_id != record(seed=1).identity.training_id


def test_a_folder_tells_how_its_job_stands(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    folder.begin(record())
    assert status(folder) == "unfinished"
    for attempt in (1, 2):
        try:
            raise InputError("`seed` must be lucky")
        except InputError as error:
            folder.fail(error)
        assert status(folder) == "failed"
        assert folder.error["attempts"] == attempt
    assert "raise InputError" in folder.error["traceback"]
    folder.finish({"training": 1.5}, {"delay": 3.0})
    assert status(folder) == "done"
    assert not (folder.directory / "error.json").exists()
    assert folder.result["measures"] == {"delay": 3.0}
    assert folder.record.identity == record().identity
    assert folder.record.value("eigensolver") == "arpack"  # the choice
    assert folder.record.value("eigensolver.tol") == 1e-8


def test_other_code_in_the_folder_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = JobFolder(tmp_path)
    folder.begin(record())
    folder.finish({}, {"delay": 3.0})
    folder.begin(record())
    assert folder.is_done
    monkeypatch.setattr(versions, "code_version", lambda: "0.1.0+changed")
    folder.begin(record())
    assert not folder.is_done


def test_results_are_not_taken_over_by_a_job_with_other_settings(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    folder.begin(record())
    folder.begin(record(seed=1))  # nothing is lost
    folder.finish({}, {"delay": 3.0})
    with pytest.raises(InputError, match=r"other settings: seed was 1, is 0; pass the same"):
        folder.begin(record())
    assert folder.is_done
    assert folder.record.identity == record(seed=1).identity


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read") as caught:
        _ = JobFolder(tmp_path).record
    assert str(tmp_path) in str(caught.value)


def test_halves_of_files_are_swept_away(tmp_path: Path) -> None:
    half = tmp_path / "deep" / ".results.parquet.0011aabb.tmp"
    half.parent.mkdir()
    half.write_bytes(b"half")
    JobFolder(tmp_path).begin(record())
    assert not half.exists()


COUNT = """
import sys, time
from pathlib import Path
from relutopo.system.files import locked
path = Path(sys.argv[1])
for _ in range(50):
    with locked(path.with_suffix(".lock")):  # without it, counts are lost
        n = int(path.read_text())
        time.sleep(0.001)
        path.write_text(str(n + 1))
"""
HOLD = """
import sys, time
from pathlib import Path
from relutopo.system.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


def start(code: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "count"
    path.write_text("0")
    processes = [start(COUNT, path) for _ in range(2)]
    for process in processes:
        process.communicate()
    assert path.read_text() == "100"


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    folder.begin(record())
    process = start(HOLD, tmp_path / "lock")
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert status(folder) == "running"
    process.kill()
    process.communicate()
    assert status(folder) == "unfinished"
    waited: list[None] = []
    with locked(tmp_path / "lock", lambda: waited.append(None)):
        assert not waited
