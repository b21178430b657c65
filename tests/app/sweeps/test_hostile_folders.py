"""Folders of strangers: one clear line, no traceback, no wait, nothing executed or written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hostile
from relutopo.analyses.scale import Scale
from relutopo.app.config_files import check_config_file, refuse_hostile_configs
from relutopo.app.jobs.folder import JobFolder, JobRecord
from relutopo.app.jobs.identity import Identity
from relutopo.app.sweeps.summary import summarize
from relutopo.errors import InputError, RelutopoError
from relutopo.reports.tables import load_table

SETTINGS: dict[str, Any] = {"analysis": {"name": "scale"}, "seed": 0, "width": 8}


def row(seed: int) -> dict[str, Any]:
    """A row of the analysis, of another size for each seed."""
    numbers = {
        column.name: None if column.unit == "text" else 10.0 + seed for column in Scale.columns
    }
    return numbers | {"enumerator": "cpu", "eigensolver": "auto", "reducer": "z2", "dim": 2}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep of two jobs that are done and one that failed, as jobs leave it."""
    for seed in range(3):
        settings = {**SETTINGS, "seed": seed}
        folder = JobFolder(tmp_path / "sweep" / "jobs" / f"{seed:012x}")
        record = JobRecord(Identity("mine", settings), {"analysis": "scale"}, [f"seed={seed}"])
        folder.begin(record)
        if seed < 2:
            folder.finish({"analysis": 1.0}, {"n_regions": 10.0 + seed})
            pd.DataFrame([row(seed)]).to_parquet(folder.directory / "results.parquet")
        else:
            folder.fail(ValueError("[/red]\x1b[2Jno"))
    return tmp_path / "sweep"


@pytest.fixture(autouse=True)
def nothing_beside(tmp_path: Path) -> Iterator[None]:
    """Nothing is written outside of the sweep, or executed."""
    marks = [Path("/tmp/relutopo-was-here.png"), Path("/tmp/relutopo-was-here.pdf")]
    for mark in marks:
        mark.unlink(missing_ok=True)
    before = set(os.listdir(tmp_path)), set(os.listdir())
    yield
    after = set(os.listdir(tmp_path)), set(os.listdir())
    assert after[1] == before[1]
    assert after[0] <= before[0] | {"sweep", "elsewhere", "configs", "kept", "table.parquet"}
    assert not any(mark.exists() for mark in marks)
    assert not list(Path("/tmp").glob("*relutopo-was-here*"))


def job(sweep: Path) -> Path:
    return sweep / "jobs" / f"{0:012x}"


def refused(sweep: Path, *words: str) -> None:
    """A sweep that cannot be summarized says so in a line that names the file and the remedy."""
    with pytest.raises(InputError) as caught:
        summarize(sweep)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\x1b" not in message
    assert len(message) < 2000


def measure(sweep: Path, name: str) -> None:
    content = json.loads((job(sweep) / "done.json").read_text())
    content["measures"] = {name: 1.0}
    (job(sweep) / "done.json").write_text(json.dumps(content))


@pytest.mark.slow
def test_what_is_hostile_is_what_is_refused(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summarize(sweep)
    printed = capsys.readouterr().out
    assert "n_regions against seed" in printed
    assert "ValueError: [/red]\\x1b[2Jno" in printed
    assert (sweep / "figures" / "scale_n_regions.png").is_file()
    shutil.rmtree(job(sweep).parent)
    with pytest.raises(InputError, match="there are none"):
        summarize(sweep)


@pytest.mark.parametrize("kind", hostile.names())
def test_no_measure_becomes_a_path(sweep: Path, kind: str) -> None:
    measure(sweep, hostile.names()[kind])
    refused(sweep, "done.json' must be a record of a job", "delete the folder")


@pytest.mark.parametrize("name", ["done", "job"])
def test_what_is_no_record(sweep: Path, name: str) -> None:
    good = json.loads((job(sweep) / f"{name}.json").read_text())
    for kind, content in [*hostile.json_files(), *hostile.records(good)]:
        (job(sweep) / f"{name}.json").write_bytes(content)
        try:
            refused(sweep, f"{name}.json' must be a record of a job", "delete the folder")
        except BaseException as error:
            raise AssertionError(f"{name}.json, {kind}") from error


def test_what_is_no_error(sweep: Path) -> None:
    failed = sweep / "jobs" / f"{2:012x}" / "error.json"
    good = json.loads(failed.read_text())
    for kind, content in [*hostile.json_files(), *hostile.records(good)]:
        failed.write_bytes(content)
        try:
            refused(sweep, "error.json' must be a record of a job", "delete the folder")
        except BaseException as error:
            raise AssertionError(kind) from error


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"analysis": None},
        {"analysis": []},
        {"analysis": {}},
        {"analysis": {"name": 3}},
        {"analysis": {"name": "os:system"}},
        {"analysis": {"name": "../../x"}},
        {"analysis": {"name": "x\x1b[2J"}},
    ],
)
def test_no_analysis_that_nobody_registered(sweep: Path, settings: dict[str, Any]) -> None:
    path = job(sweep) / "job.json"
    content = json.loads(path.read_text())
    content["identity"]["settings"] = settings
    path.write_text(json.dumps(content))
    refused(sweep, "job.json' must name an analysis", "delete the folder")


@pytest.mark.parametrize(
    "override",
    ["", "=3", "status=done", "job=1", "code=x", "[/b]=1", "a b=1", "$x=1", "\x1b=1", "error=1"],
)
def test_no_override_that_is_no_key(sweep: Path, override: str) -> None:
    path = job(sweep) / "job.json"
    content = json.loads(path.read_text())
    content["overrides"] = [override]
    path.write_text(json.dumps(content))
    refused(sweep, "job.json' must be a record of a job", "which is no key", "delete the folder")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["done.json", "job.json", "results.parquet", "lock"])
@pytest.mark.parametrize("kind", hostile.special_files())
def test_what_is_no_file(
    sweep: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Figures take longer than all else, and depend on none of these files.
    monkeypatch.setattr("relutopo.app.sweeps.summary.save_figure", lambda *_: None)
    before = Path("/etc/passwd").read_bytes()
    path = job(sweep) / name
    path.unlink(missing_ok=True)
    hostile.special_files()[kind](path)
    with suppress(RelutopoError, OSError):  # or the job counts as one that is not done
        summarize(sweep)
    assert Path("/etc/passwd").read_bytes() == before


@pytest.mark.parametrize("name", ["figures", "jobs", "summary.txt", "jobs.csv", "sweep.log"])
def test_nothing_is_written_through_a_link(sweep: Path, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if name == "jobs":
        shutil.move(sweep / "jobs", elsewhere / "jobs")
        (sweep / "jobs").symlink_to(elsewhere / "jobs")
    else:
        (sweep / name).symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    refused(sweep, name, "a link that leads out of the folder", "remove it")
    assert sorted(elsewhere.rglob("*")) == before


def test_a_job_goes_on_in_no_folder_that_leads_elsewhere(sweep: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = JobFolder(job(sweep))
    record = folder.record
    (folder.directory / "models").symlink_to(elsewhere)
    with pytest.raises(InputError, match="a link that leads out of the folder; remove it"):
        folder.begin(record)
    (folder.directory / "models").unlink()
    os.mkfifo(folder.directory / "relutopo.log")
    with pytest.raises(InputError, match="got a pipe; remove it"):
        folder.begin(record)
    (folder.directory / "relutopo.log").unlink()
    (folder.directory / ".x.tmp").mkdir()
    (folder.directory / ".y.tmp").symlink_to(folder.directory / "job.json")
    folder.begin(record)
    assert (folder.directory / "job.json").is_file()


def test_folders_of_jobs_have_plain_names(sweep: Path) -> None:
    for name in ("a b", "[red]", "\x1b[2J", "a" * 200, b"\xff".decode(errors="surrogateescape")):
        job(sweep).rename(sweep / "jobs" / name)
        refused(sweep, "must be the folder of a job", "rename it")
        (sweep / "jobs" / name).rename(job(sweep))


@pytest.mark.slow
def test_tables_that_are_none(sweep: Path, tmp_path: Path) -> None:
    import numpy as np

    path = tmp_path / "table.parquet"
    for content in (b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"rubbish" * 100):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"must be a table of a job, but it cannot be read"):
            load_table(path)
    good = pd.DataFrame({"step": [1, 2], "x": [0.5, None], "word": ["a", None], "is": [True, None]})
    good.to_parquet(path, index=False)
    pd.testing.assert_frame_equal(load_table(path), pd.read_parquet(path))
    whole = path.read_bytes()
    for n in range(4, len(whole), 97):
        path.write_bytes(whole[:n])
        with pytest.raises(InputError, match=r"must be a table of a job, but it cannot be read"):
            load_table(path)
    for hostile_table in (
        pd.DataFrame({"x": [[1, 2], [3]]}),
        pd.DataFrame({"x": [{"a": 1}]}),
        pd.DataFrame({"x": [b"bytes"]}),
        pd.DataFrame({"x": pd.to_datetime(["2020-01-01"])}),
        pd.DataFrame({"x": np.zeros(50_000_000, dtype=np.int8)}),
        pd.DataFrame({"x": ["a" * 100_000] * 10_000}),
    ):
        hostile_table.to_parquet(path, index=False)
        assert path.stat().st_size < 2**20
        with pytest.raises(InputError, match=r"must be a table of a job, but it cannot be read"):
            load_table(path)


@pytest.mark.slow
def test_tables_with_other_columns(sweep: Path) -> None:
    for table in (
        pd.DataFrame({"job": [1], "code": [2]}),
        pd.DataFrame({"width": ["[/b]"]}),
        pd.DataFrame(),
        pd.DataFrame({"x": [1.0]}).iloc[:0],
    ):
        table.to_parquet(job(sweep) / "results.parquet")
        with suppress(InputError):  # or there are fewer numbers
            summarize(sweep)


@pytest.mark.parametrize("kind", dict(hostile.yaml_files()))
def test_configurations(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "configs" / "experiment" / "theirs.yaml"
    path.parent.mkdir(parents=True)
    path.write_bytes(dict(hostile.yaml_files())[kind])
    for arguments in (
        ["--config-dir", str(tmp_path / "configs")],
        ["-cd", str(tmp_path / "configs")],
        [f"--config-path={tmp_path / 'configs'}"],
        [f"hydra.searchpath=[file://{tmp_path / 'configs'}]"],
    ):
        with pytest.raises(InputError, match=r"theirs.yaml' must be a configuration, but .*; name"):
            refuse_hostile_configs([*arguments, "experiment=theirs"])


def test_configurations_of_our_own() -> None:
    folder = Path(__file__).parents[3] / "conf"
    found = list(folder.rglob("*.yaml"))
    assert len(found) > 40
    for path in found:
        check_config_file(path)
    with pytest.raises(InputError, match="makes Hydra execute"):
        refuse_hostile_configs(["--experimental-rerun=config.pickle"])
    with pytest.raises(InputError, match="write experiment=<name>, without dashes"):
        refuse_hostile_configs(["--experiment=two_moons"])


@pytest.mark.slow
def test_the_command_says_it_in_one_line(
    sweep: Path, tmp_path: Path, command: Callable[..., str]
) -> None:
    measure(sweep, "/../../../../../../tmp/relutopo-was-here")
    printed = command(tmp_path, "summarize", str(sweep), succeeds=False)
    assert printed.count("\n") == 1
    assert "done.json' must be a record of a job" in printed
    (job(sweep) / "done.json").unlink()
    os.mkfifo(job(sweep) / "done.json")
    os.mkfifo(sweep / "jobs" / "relutopo.log")
    printed = command(
        tmp_path, "--multirun", "seed=0,1", f"hydra.sweep.dir={sweep}", succeeds=False
    )
    assert "got a pipe; remove it" in printed
    assert "Traceback" not in printed
    printed = command(tmp_path, f"hydra.run.dir={job(sweep)}", succeeds=False)
    assert "got a pipe; remove it" in printed
    assert "Traceback" not in printed
