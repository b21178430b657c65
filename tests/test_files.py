"""Atomic writing: all of the new content, or all of the old."""

from __future__ import annotations

from pathlib import Path

import pytest

from relutopo.files import atomic_write


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
