"""Atomic writing: all of the new content, or all of the old."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from relutopo.system import files
from relutopo.system.files import atomic_write, is_locked, locked, remove_leftovers


def test_content_arrives_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "note"
    with atomic_write(path) as file:
        file.write(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupt_in_an_archive_is_not_taken_for_an_error(tmp_path: Path) -> None:
    def interrupted() -> None:
        with atomic_write(tmp_path / "archive") as file, zipfile.ZipFile(file, "w") as archive:
            archive.open("member", "w").write(b"half")  # an archive cannot be closed before it
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.iterdir())


def test_an_error_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_write(path) as file:
            file.write(b"half of the new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_told_from_what_is_being_written(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from relutopo.system.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as file:\n"
        "    print('writes', flush=True)\n"
        "    time.sleep(100)\n"
    )
    path = tmp_path / "deep" / "note"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writes\n"
    (half,) = path.parent.iterdir()
    with atomic_write(path) as file:
        remove_leftovers(tmp_path)
        assert half.exists()
        file.write(b"whole")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert half.exists()
    remove_leftovers(tmp_path)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == b"whole"


class Msvcrt:
    """The lock of Windows, made of one of this system: it never waits."""

    LK_NBLCK = 2

    def locking(self, descriptor: int, mode: int, n_bytes: int) -> None:
        fcntl = pytest.importorskip("fcntl")
        assert (mode, n_bytes) == (self.LK_NBLCK, 1)
        assert os.lseek(descriptor, 0, os.SEEK_CUR) > 2**30  # beyond what is written
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_locks_of_windows_let_one_in_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_FCNTL", None)
    monkeypatch.setattr(files, "_MSVCRT", Msvcrt())
    path, events = tmp_path / "lock", list[str]()
    with locked(path):
        assert is_locked(path)

        def leave(_: float) -> None:
            events.append("slept")
            monkeypatch.setattr(files._MSVCRT, "locking", lambda *_: None)

        monkeypatch.setattr(files, "time", SimpleNamespace(sleep=leave))
        with locked(path, lambda: events.append("waited")):
            events.append("in")
    assert events == ["waited", "slept", "in"]


def test_where_nothing_is_locked_it_is_said_and_files_of_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "_FCNTL", None)
    monkeypatch.setattr(files, "_MSVCRT", None)
    files._warn_of_no_locks.cache_clear()
    with locked(tmp_path / "lock"):
        assert not is_locked(tmp_path / "lock")
    assert [record.message for record in caplog.records] == [
        "this system locks no files; let one process at a time work in a folder"
    ]
    half = tmp_path / ".note.0.tmp"
    half.write_bytes(b"half")
    remove_leftovers(tmp_path)
    assert half.exists()
    with atomic_write(tmp_path / "note") as file:
        file.write(b"whole")
    assert (tmp_path / "note").read_bytes() == b"whole"
