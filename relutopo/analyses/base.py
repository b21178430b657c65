"""What every analysis of a training run's checkpoints shares: the domain, and how rows are kept.

An analysis gives one flat row for each checkpoint. Rows are files,
``analysis/<key>/step_000300.json`` in the run's folder, written as soon as they are known. The
key is a hash of the analysis settings and of the code that computes, so that an interrupted
analysis goes on where it stopped and rows of different settings never mix.

Invariant: a row depends on the checkpoint, the data and the settings only (columns that start
with ``seconds`` excepted).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from relutopo import registry
from relutopo.analyses.versions import code_of
from relutopo.checks import check_seed
from relutopo.complex import CellComplex
from relutopo.decomposition import decompose
from relutopo.errors import InputError
from relutopo.interfaces import Progress
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import TrainingRun
from relutopo.networks.network import Network
from relutopo.system.files import atomic_write

__all__ = ["CheckpointSettings", "Row", "analyse_checkpoints", "named", "timed"]

Row = dict[str, Any]
"""The numbers of one checkpoint, by column."""


def named(name: str) -> Any:
    """Return a dataclass field for a registry name with options."""
    return field(default_factory=lambda: {"name": name})


@dataclass(frozen=True)
class CheckpointSettings:
    """How checkpoints are decomposed; each kind of analysis adds its own.

    Attributes
    ----------
    enumerator : mapping
        ``name`` in the registry, and the options of its constructor.
    domain : mapping
        ``name`` of a rule in `relutopo.learning.domain_rules`, and the options of its constructor.
    max_cells : int, optional
        Stop before a complex has more cells of all dimensions than this.
    seed : int
        Seed of everything random in the analysis, from 0.

    Raises
    ------
    InputError
        If the seed is no integer from 0.
    """

    enumerator: Mapping[str, Any] = named("cpu")
    domain: Mapping[str, Any] = named("around_data")
    max_cells: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)

    @property
    def key(self) -> str:
        """A hash that tells these settings from any others."""
        kind = type(self).__name__
        content = {"code": code_of(asdict(self)), "kind": kind, **asdict(self)}
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def create(self, role: str, **more: Any) -> Any:
        """Return the instance that a role's entry names; `more` are options beside the entry's."""
        options = {**getattr(self, role), **more}
        name = options.pop("name", None)
        if not isinstance(name, str):
            raise InputError(
                f"`{role}` must have a 'name' from the registry, got {options}; choose one of "
                f"{', '.join(registry.names(role))}"
            )
        try:
            return registry.create(role, name, **options)
        except TypeError as error:  # a value of a wrong type, which failed in the constructor
            raise InputError(
                f"`{role}` {name!r} does not take the options {sorted(options)}: {error}; "
                "leave out what it does not know"
            ) from error

    def decompose(self, network: Network, dataset: Dataset) -> CellComplex:
        """Cut the domain into the cells of a network."""
        return decompose(
            network,
            self.create("domain")(dataset),
            enumerator=self.create("enumerator"),
            max_cells=self.max_cells,
        )


@contextmanager
def timed(row: Row, stage: str) -> Iterator[None]:
    """Put the wall-clock time of a block into the column ``seconds_<stage>``."""
    begin = time.perf_counter()
    yield
    row[f"seconds_{stage}"] = time.perf_counter() - begin


def analyse_checkpoints(
    run: TrainingRun,
    settings: CheckpointSettings,
    analyse: Callable[[int], Row],
    progress: Progress | None = None,
) -> list[Row]:
    """Analyse every checkpoint of a run, or go on where an interrupted analysis stopped.

    Parameters
    ----------
    run : TrainingRun
        Complete.
    settings : CheckpointSettings
        Their key names the folder of the rows.
    analyse : callable
        Takes a step and returns its row, of values that JSON can hold, with ``n_regions``.
    progress : Progress, optional
        Called after each checkpoint with (checkpoints done, checkpoints, message).

    Returns
    -------
    list of dict
        One row for each checkpoint, in order.

    Raises
    ------
    InputError
        If a row cannot be read.
    """
    folder = run.directory / "analysis" / settings.key
    path = folder / "settings.json"
    if not path.is_file():
        with atomic_write(path) as file:
            file.write(json.dumps(asdict(settings), indent=2).encode())
    rows: list[Row] = []
    steps = run.steps
    for step in steps:
        path = folder / f"step_{step:06d}.json"
        if path.is_file():
            row = _read_row(path)
        else:
            row = analyse(step)
            with atomic_write(path) as file:
                file.write(json.dumps(row).encode())
        rows.append(row)
        if progress is not None:
            progress(len(rows), len(steps), f"step {step}, {row['n_regions']} regions")
    return rows


def _read_row(path: Path) -> Row:
    try:
        row: Row = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(
            f"the row {str(path)!r} cannot be read ({error}); delete it to compute it again"
        ) from error
    return row
