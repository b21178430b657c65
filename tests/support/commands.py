"""Starts the command `relutopo` many times, and imports what it needs once.

A fresh interpreter imports for seconds before the command begins. The server, which is this file
run as a program, imports all of it once; each command that it is asked for is a copy of it, made by
`fork`, which goes on as `python -m relutopo.app.cli` does: a process of its own, with its own
folder, arguments, signals, and files for what it prints.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Server", "Started", "Strike"]

COMMAND = "relutopo.app.cli"
LOADED = [
    "hydra.main",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "pandas",
    "pyarrow.parquet",
    "rich.console",
    "scipy.stats",
    "sklearn.datasets",
    "torch",
]
"""What is slow to import; the command itself is not among them: it looks at its arguments."""


class Strike(NamedTuple):
    """A signal that a command sends to itself, which no busy machine can delay past its end."""

    signal: signal.Signals
    pattern: str
    """For files in its folder: it waits for some."""
    n_files: int
    seconds_later: float = 0.0


class Started:
    """A command that was started, as a child of the server."""

    def __init__(self, server: Server, pid: int, printed: tuple[Path, Path]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server
        self._printed = printed

    def poll(self) -> int | None:
        """Return its exit status, if it has ended."""
        if self.returncode is None:
            self.returncode = self._server.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float = 300) -> int:
        """Wait for its end, and return its exit status."""
        until = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                self.send_signal(signal.SIGKILL)
                raise subprocess.TimeoutExpired(COMMAND, timeout, self.printed())
            time.sleep(0.01)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it and the processes that it started."""
        os.killpg(self.pid, number)

    def printed(self) -> str:
        """Return what it has printed: the output, and then the errors."""
        return "".join(path.read_text() for path in self._printed)


class Server:
    """The process that commands are copies of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._n_started = 0
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, request: dict[str, Any]) -> Any:
        """Return what the server answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, folder: Path, *arguments: str, strike: Strike | None = None) -> Started:
        """Start a command in a folder, with the environment that is set now."""
        self._n_started += 1
        printed = tuple(self._folder / f"{self._n_started}.{name}" for name in ("out", "err"))
        request: dict[str, Any] = {"start": arguments, "folder": str(folder), "strike": strike}
        request["environment"] = dict(os.environ)
        pid = self.ask(request | {"printed": [str(path) for path in printed]})
        return Started(self, pid, (printed[0], printed[1]))

    def close(self) -> None:
        """End the server."""
        self._process.communicate()


def serve() -> dict[str, Any] | None:
    """Answer requests; return, in each copy, the one that it is made for, and none at the end."""
    while line := sys.stdin.readline():
        request = json.loads(line)
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            print(json.dumps(os.waitstatus_to_exitcode(status) if pid else None), flush=True)
        elif (pid := os.fork()) == 0:
            return dict(request)
        else:
            print(pid, flush=True)
    return None


def become(request: dict[str, Any]) -> None:
    """Go on as the command."""
    os.setsid()
    sys.stdin.close()
    for number, path in enumerate([os.devnull, *request["printed"]]):
        opened = os.open(path, os.O_CREAT | (os.O_WRONLY if number else os.O_RDONLY))
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
    sys.stdin = os.fdopen(0, closefd=False)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[1:] = request["start"]
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [request["folder"], *(path for path in own if path and path not in sys.path)]
    if request["strike"] is not None:
        strike = Strike(*request["strike"])
        threading.Thread(target=strike_itself, args=(strike,), daemon=True).start()
    status = 0
    try:
        runpy.run_module(COMMAND, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else end.code is not None
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as an interpreter does
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # taking down everything that was imported would copy its memory first


def strike_itself(strike: Strike) -> None:
    """Wait for files, and send the signal to this process and those that it started."""
    folder = Path.cwd()
    while len(list(folder.glob(strike.pattern))) < strike.n_files:
        time.sleep(0.002)
    time.sleep(strike.seconds_later)
    os.killpg(os.getpid(), strike.signal)


def load() -> None:
    """Import what takes long, and load compiled kernels."""
    for name in LOADED:
        importlib.import_module(name)
    import torch

    import relutopo as rt

    torch.optim.AdamW([torch.zeros(1)])  # imports more at its first use
    network, data = rt.gallery.random_network([2, 5, 1], seed=1), rt.two_moons(n=20)
    for analysis in (rt.Partition(), rt.Homology()):
        analysis.analyse(network, data)
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2))
    with tempfile.TemporaryDirectory() as folder:
        rt.plots.save_figure(rt.plots.plot_complex(complex_), f"{folder}/complex")
        rt.explore(complex_, f"{folder}/page.html")


if __name__ == "__main__":
    load()
    gc.collect()
    gc.freeze()  # else the collector of each copy would copy all that it looks through
    request = serve()
    if request is not None:
        become(request)
