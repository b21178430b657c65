"""Rows of a tracker for the loggers of other programs, in the process that trains."""

from __future__ import annotations

from typing import Any, Protocol

from relutopo.errors import InputError
from relutopo.optional import require
from relutopo.tracking.scalars import GROUPS

__all__ = ["Logger", "logger"]


class Logger(Protocol):
    """Anything that takes the named numbers of a step."""

    def log(self, values: dict[str, float], step: int, /) -> object:
        """Take the numbers of one step; training may be at a later step by then."""


class _Wandb:
    """The run of W&B that is active when the logger is made."""

    def __init__(self) -> None:
        wandb: Any = require("wandb", "the logger 'wandb'")
        if wandb.run is None:
            raise InputError("`loggers` has 'wandb', and no run is active; call wandb.init first")
        self._run = wandb.run
        # Its own step counts on, whereas the analysis lags behind training: a step of our own.
        self._run.define_metric("relutopo_step", hidden=True)
        for group in GROUPS:
            self._run.define_metric(f"{group}/*", step_metric="relutopo_step")

    def log(self, values: dict[str, float], step: int, /) -> None:
        self._run.log({**values, "relutopo_step": step})


class _Mlflow:
    """The run of MLflow that is active when the logger is made."""

    def __init__(self) -> None:
        self._mlflow: Any = require("mlflow", "the logger 'mlflow'")
        run = self._mlflow.active_run()
        if run is None:
            raise InputError(
                "`loggers` has 'mlflow', and no run is active; call mlflow.start_run first"
            )
        self._run_id = run.info.run_id

    def log(self, values: dict[str, float], step: int, /) -> None:
        self._mlflow.log_metrics(values, step=step, run_id=self._run_id)


_BY_NAME: dict[str, type[_Wandb | _Mlflow]] = {"wandb": _Wandb, "mlflow": _Mlflow}


def logger(choice: str | Logger) -> Logger:
    """Return the logger of a name, or the logger that is given.

    Parameters
    ----------
    choice : {"wandb", "mlflow"} or object
        An object needs a method ``log(values, step)``.

    Raises
    ------
    InputError
        If it is neither, or no run of that program is active.
    MissingExtraError
        If the program of a name is not installed.

    Examples
    --------
    >>> class Printer:
    ...     def log(self, values, step):
    ...         print(step, values)
    >>> logger(Printer()).log({"loss": 0.5}, 3)
    3 {'loss': 0.5}
    """
    if isinstance(choice, str) and choice in _BY_NAME:
        return _BY_NAME[choice]()
    if not isinstance(choice, str) and callable(getattr(choice, "log", None)):
        return choice
    raise InputError(
        f"`loggers` must be names, {' or '.join(map(repr, _BY_NAME))}, or objects with a method "
        f"log(values, step), got {choice!r}; wrap it in such an object"
    )
