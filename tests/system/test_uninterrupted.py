"""Work that must not be left half done goes on behind an interrupt, and can be asked for again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest

from relutopo.system.imports import whole
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.uninterrupted import uninterrupted

INTERRUPTED_COMPILATION = """
import os, signal, threading, time
from llvmlite.binding import ffi
from relutopo.system.compilation import njit

@njit(cache=False)
def inner(x):
    return x + 1

@njit(cache=False)
def kernel(x):
    for i in range(3):
        x = inner(x) * 2 + i
    return x

def strike():
    if strikes:
        os.kill(os.getpid(), strikes.pop())
        time.sleep(0.2)  # meanwhile this thread holds the lock

def terminate(*_):
    raise SystemExit

signal.signal(signal.SIGTERM, terminate)
ffi.register_lock_callback(strike, lambda: None)
strikes = [signal.SIGTERM, signal.SIGINT]
raised = []
thread = threading.Thread(target=kernel, args=[1.5], daemon=True)
for _ in range(2):
    begin = time.monotonic()
    try:
        print(kernel(1))
    except BaseException as error:
        raised.append(type(error).__name__)
        assert time.monotonic() - begin < 2
thread.start()
thread.join(60)
print(raised, thread.is_alive(), kernel(1))
"""
INTERRUPTED_FINALIZER = """
import signal, threading, time
import llvmlite.binding as llvm
from llvmlite.binding import ffi
from relutopo.system.interrupts import deliver_interrupts

class Held:
    def __del__(self):
        llvm.parse_assembly("")

llvm.parse_assembly("")
is_struck = []

def strike():
    if not is_struck:
        is_struck.append(True)
        signal.raise_signal(signal.SIGINT)

@deliver_interrupts
def work():
    Held()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        pass

ffi.register_lock_callback(strike, lambda: None)
try:
    work()
except KeyboardInterrupt:
    print("interrupted")
thread = threading.Thread(target=llvm.parse_assembly, args=[""], daemon=True)
thread.start()
thread.join(20)
print(is_struck, thread.is_alive())
"""

INTERRUPTED_IMPORT = """
import sys, threading
from relutopo.system.imports import whole

def trace(frame, event, argument):
    return strike if frame.f_code.co_name == "_get_module_lock" else None

def strike(frame, event, argument):
    if event == "line" and frame.f_lineno == frame.f_code.co_firstlineno + 7:  # the lock is taken
        raise KeyboardInterrupt
    return strike

sys.settrace(trace)
try:
    import colorsys
except KeyboardInterrupt:
    print("interrupted")
sys.settrace(None)
print(whole("colorsys").__name__)
thread = threading.Thread(target=__import__, args=["wave"], daemon=True)
thread.start()
thread.join(20)
print(thread.is_alive())
"""


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_interrupted_compilation_goes_on_and_the_next_call_works() -> None:
    assert run(INTERRUPTED_COMPILATION).splitlines() == [
        "['KeyboardInterrupt', 'SystemExit'] False 26",
    ]


def test_an_interrupt_does_not_keep_the_lock_of_llvm() -> None:
    assert run(INTERRUPTED_FINALIZER).splitlines() == ["interrupted", "[True] False"]


@pytest.mark.skipif(sys.version_info[:2] > (3, 11), reason="by a line number of Python's own")
def test_an_interrupt_does_not_keep_the_lock_of_imports() -> None:
    assert run(INTERRUPTED_IMPORT).split() == ["interrupted", "colorsys", "False"]


def interrupt_soon() -> None:
    def strike() -> None:
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=strike).start()


def test_an_interrupted_import_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import time\nwith open(__file__ + '.log', 'a') as log: log.write('begun ')\n"
    (tmp_path / "slow_to_import.py").write_text(text + "time.sleep(0.5)\nnumber = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    interrupt_soon()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        whole("slow_to_import")
    assert time.monotonic() - begin < 0.4  # it did not wait for the import
    assert whole("slow_to_import").number == 3
    assert (tmp_path / "slow_to_import.py.log").read_text() == "begun "


def test_an_interrupt_inside_the_import_system_does_not_wait_for_what_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import time\nfrom relutopo.system.uninterrupted import uninterrupted\n"
    (tmp_path / "waits_for_another.py").write_text(text + "uninterrupted(time.sleep, 1.5)\n")
    monkeypatch.syspath_prepend(tmp_path)

    strikes = [True]

    class Struck(MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            if name == "waits_for_another" and strikes:
                strikes.pop()
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("sys.meta_path", [Struck(), *sys.meta_path])
    trace, begin = sys.gettrace(), time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        deliver_interrupts(lambda: import_module("waits_for_another"))()
    assert time.monotonic() - begin < 1.3
    assert sys.gettrace() is trace
    assert import_module("waits_for_another")


def test_work_raises_what_it_raises_and_threads_do_it_themselves() -> None:
    with pytest.raises(ValueError, match="of the work"):
        uninterrupted(int, "of the work")
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(uninterrupted(threading.get_ident)))
    thread.start()
    thread.join()
    assert found == [thread.ident]


def test_a_fork_waits_for_the_work() -> None:
    script = (
        "import os, time\n"
        "from relutopo.system.uninterrupted import Task\n"
        "ends = []\n"
        "Task(lambda: (time.sleep(0.3), ends.append(True)))\n"
        "if os.fork() == 0: os._exit(0 if ends else 1)\n"
        "print(os.waitstatus_to_exitcode(os.wait()[1]))\n"
    )
    assert run(script) == "0\n"


def test_the_end_of_the_process_stops_what_may_stop() -> None:
    script = (
        "import time\n"
        "from relutopo.system.uninterrupted import Task\n"
        "def work():\n"
        "    while True: time.sleep(0.01)\n"
        "Task(work, may_stop=True)\n"
        "time.sleep(0.1)\n"
    )
    begin = time.monotonic()
    run(script)
    assert time.monotonic() - begin < 4


def test_packages_do_not_import_their_own_modules() -> None:
    """The module says why; the modules of the one that does are imported by itself alone."""
    root = Path(__file__).parents[2]
    importing = [
        name
        for path in (root / "relutopo").glob("*/**/__init__.py")
        if f"\nfrom {(name := '.'.join(path.parent.relative_to(root).parts))}." in path.read_text()
    ]
    assert importing == ["relutopo.interfaces"]
    for path in (root / "relutopo").rglob("*.py"):
        if path.parent.name != "interfaces":
            assert "from relutopo.interfaces." not in path.read_text(), path
