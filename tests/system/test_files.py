"""Atomic writing: all of the new content, or all of the old."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from relutopo.system.files import atomic_write, remove_leftovers


def test_content_arrives_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "note"
    with atomic_write(path) as file:
        file.write(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    assert list(path.parent.iterdir()) == [path]


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
