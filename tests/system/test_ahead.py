"""What compiles beside a process starts with it, and never outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LATER = """
import os, pathlib, time
from relutopo.system.ahead import follow

def work():
    pathlib.Path("new").write_text(str(os.getpid()))
    os.replace("new", "begun")
    time.sleep(60)

if __name__ == "__main__":
    follow(work)
"""
FIRST = """
import pathlib, sys, time
from relutopo.system import ahead

ahead._processors = lambda: range(2)
ahead.compile_next("later", after="first.")
ahead.begin("second.kernels")
print("nothing yet", flush=True)
ahead.begin("first.kernels")
ahead.begin("first.others")
while not pathlib.Path("begun").exists():
    time.sleep(0.01)
print("begun", flush=True)
sys.stdin.read()
"""


def start(folder: Path) -> tuple[subprocess.Popen[str], int]:
    (folder / "later.py").write_text(LATER)
    (folder / "first.py").write_text(FIRST)
    first = subprocess.Popen(
        [sys.executable, "first.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None
    assert [first.stdout.readline() for _ in range(2)] == ["nothing yet\n", "begun\n"]
    return first, int((folder / "begun").read_text())


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    # Whoever inherits it in a container may never take its status.
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.skipif(os.name != "posix", reason="looks at processes as POSIX has them")
@pytest.mark.parametrize("ending", ["returns", "is killed"])
def test_it_ends_with_the_process_that_began_it(tmp_path: Path, ending: str) -> None:
    first, later = start(tmp_path)
    assert is_there(later)
    if ending == "returns":
        first.communicate("")
        assert first.returncode == 0
    else:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    until = time.monotonic() + 30
    while is_there(later) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_there(later)
