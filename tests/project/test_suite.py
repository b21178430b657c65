"""The tests keep what lets them run quickly, and whole."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import settings

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent


def test_properties_leave_the_number_of_examples_to_the_profile() -> None:
    for path in TESTS.rglob("test_*.py"):
        if path != Path(__file__):
            assert "max_examples" not in path.read_text(), f"use `examples` in {path}"
    full, quick = settings.get_profile("full"), settings.get_profile("quick")
    assert full.max_examples >= 100 > quick.max_examples
    assert full.deadline is quick.deadline is None


def test_the_rooms_of_tests_are_those_of_the_code() -> None:
    rooms = {path.name for folder in (ROOT, ROOT / "relutopo") for path in folder.iterdir()}
    others = {
        "campaign",  # hostile inputs of all rooms
        "laws",  # what every backend of a role obeys
        "project",  # what is declared, and who imports whom
        "root",  # the modules of `relutopo` that stand in no room
        "support",  # what several files of tests need
    }
    for path in TESTS.iterdir():
        if path.is_dir() and path.name != "__pycache__":
            assert path.name in rooms | others
        else:
            assert path.name in {"conftest.py", "__pycache__"}


def test_make_runs_all_tests_but_those_that_quick_leaves_out() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (run,) = re.findall(r"^test:.*\n\t(.*)$", makefile, flags=re.MULTILINE)
    assert run == "$(TESTS)"
    (run,) = re.findall(r"^quick:.*\n\t(.*)$", makefile, flags=re.MULTILINE)
    assert run == '$(TESTS) -m "not slow" --hypothesis-profile=quick'
