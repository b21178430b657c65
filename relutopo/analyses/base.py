"""The base class of analyses, which are a named role like the backends.

An instance of an analysis *is* its settings, a frozen dataclass. Its class defines what it
computes: columns, measures, rows, tables, figures, and the summary of a sweep. Another package adds
an analysis by one class and one entry point in the group ``relutopo.analysis``; from then on it
works in Python, in the command, in sweeps and, if it analyses networks one by one, in the
`Tracker`.

Analyses of networks along a run derive from
`relutopo.analyses.checkpoints.CheckpointAnalysis`, others from `Analysis` here. The summaries of an
analysis are in the same module, or in ``<name>_summary.py`` if they are long. An analysis is
complete in itself, and does not depend on the command.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from relutopo import registry
from relutopo.analyses.versions import code_of, code_of_class
from relutopo.checks import check_integer, check_seed
from relutopo.errors import BackendError, InputError
from relutopo.interfaces import Progress
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import Run
from relutopo.reports.columns import Column
from relutopo.reports.conclusion import Conclusion, SweepConclusion

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Analysis",
    "Row",
    "SweepTables",
    "Workplace",
    "analysis_class",
    "analysis_of",
    "choice_field",
    "described",
    "restored",
]

_CLASS = "class:"
"""The key of a class in a description: no argument has this name."""
Row = dict[str, Any]
"""Numbers and words, by column."""


def choice_field(name: str) -> Any:
    """Return a dataclass field for a registry name with options."""
    return field(default_factory=lambda: {"name": name})


class Workplace(Protocol):
    """The resources of an analysis: data, a run and a folder, provided when it asks for them."""

    @property
    def directory(self) -> Path:
        """Where results belong."""

    @property
    def dataset(self) -> Dataset:
        """The data, made or read when they are first asked for."""

    @property
    def run(self) -> Run:
        """The run: networks are trained, or their files found, when it is first asked for."""

    @property
    def labels(self) -> Mapping[str, Any]:
        """Columns of every table that distinguish this job from others."""

    @property
    def draws_figures(self) -> bool:
        """Whether figures are wanted."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Count the time of a block as that of a stage."""

    def progress(self, words: str) -> AbstractContextManager[Progress]:
        """Show the progress of a block."""


class SweepTables(Protocol):
    """The jobs of a sweep that made one kind of analysis and are done."""

    def __len__(self) -> int:
        """Return the number of jobs."""

    @property
    def swept(self) -> Mapping[str, list[Any]]:
        """For each overridden key that differs between jobs its value in every job."""

    def table(self, stem: str = "results") -> pd.DataFrame:
        """Return one table of all jobs in one, with the columns ``job`` and those of `swept`."""

    def measuring(self, measure: str) -> SweepTables:
        """Return the jobs that have a measure."""


@dataclass(frozen=True)
class Analysis(ABC):
    """An analysis, with its computation, tables and summary: an instance is its settings.

    Parameters
    ----------
    enumerator : mapping
        ``name`` in the registry, and the options of its constructor.
    max_cells : int, optional
        Stop before a complex has more cells than this, all dimensions together.
    max_bytes : int, optional
        Stop before a decomposition takes more memory than this; see `relutopo.decompose`.
    seed : int
        Seed of everything random in the analysis, ≥ 0.

    Attributes
    ----------
    columns : tuple of Column
        Of its rows.
    measures : tuple of str
        The numbers by which jobs of a sweep are compared, the most important first.

    Raises
    ------
    InputError
        If the seed is not an integer ≥ 0, or `max_cells` or `max_bytes` not an integer ≥ 1.
    """

    enumerator: Mapping[str, Any] = choice_field("cpu")
    max_cells: int | None = None
    max_bytes: int | None = None
    seed: int = 0

    columns: ClassVar[tuple[Column, ...]]
    measures: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check_seed(self.seed))
        for name, remedy in (
            ("max_cells", "None sets no limit"),
            ("max_bytes", "None asks the system"),
        ):
            if getattr(self, name) is not None:
                limit = check_integer(name, getattr(self, name), 1, remedy=remedy)
                object.__setattr__(self, name, limit)
        for role in set(registry.roles()) & {entry.name for entry in fields(self)}:
            choice = getattr(self, role)
            if isinstance(choice, str):  # a name without options
                object.__setattr__(self, role, {"name": choice})
            elif not isinstance(choice, Mapping):
                raise InputError(
                    f"`{role}` must be a registry name, or a mapping with 'name' and options, got "
                    f"{choice!r}; choose one of {', '.join(registry.names(role))}"
                )

    @classmethod
    def columns_of_rows(cls) -> tuple[Column, ...]:
        """Return all columns of the table of results, without those of added signatures."""
        return cls.columns

    @abstractmethod
    def carry_out(self, place: Workplace) -> Conclusion:
        """Do all the work of a job of the command, and write its tables and figures.

        Parameters
        ----------
        place : Workplace
            Trains and reads only what the analysis asks for.
        """

    @classmethod
    def summarize(cls, sweep: SweepTables) -> SweepConclusion:
        """Return the summary of a sweep, besides the measures; empty by default.

        Parameters
        ----------
        sweep : SweepTables
        """
        return SweepConclusion()

    @property
    def key(self) -> str:
        """A hash of these settings and of the code that computes."""
        text = json.dumps({"code": self.code, **described(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def code(self) -> dict[str, str]:
        """The version of all code that computes."""
        return code_of(self.choices) | code_of_class(type(self))

    @property
    def choices(self) -> dict[str, Any]:
        """The parts chosen by name, for each role."""
        roles = set(registry.roles())
        return {
            entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name in roles
        }

    def create(self, role: str, **more: Any) -> Any:
        """Return the instance that a role's entry names; `more` are further options."""
        return registry.create_from(role, {**getattr(self, role), **more})

    def check_choices(self) -> None:
        """Create whatever is chosen by name: what is wrong shall not wait for the training."""
        for role in self.choices:
            self.create(role)


def analysis_class(name: str) -> type[Analysis]:
    """Return the class of a name in the registry.

    Raises
    ------
    UnknownNameError
        If the name is not registered.
    BackendError
        If the name does not stand for a class of analyses.

    Examples
    --------
    >>> analysis_class("homology").__name__
    'Homology'
    """
    found = registry.constructor("analysis", name)
    if isinstance(found, type) and issubclass(found, Analysis):
        return found
    raise BackendError(
        f"analysis={name!r} must be a class that derives from relutopo.analyses.base.Analysis, got "
        f"{found!r}; let the entry point name one"
    )


def analysis_of(values: Mapping[str, Any]) -> Analysis:
    """Return the analysis in a configuration.

    Its own settings are in the group ``analysis``; settings that it shares with others, in the
    groups and keys of the same names.
    """
    kind = analysis_class(values["analysis"]["name"])
    shared = {entry.name: values[entry.name] for entry in fields(kind) if entry.name in values}
    if "signatures" in kind.__dataclass_fields__:
        shared["signatures"] = list(values["signature"].values())
    analysis: Analysis = registry.create_from("analysis", {**shared, **values["analysis"]})
    return analysis


def described(part: object) -> dict[str, Any]:
    """Return plain values from which `restored` makes an equal instance.

    Parameters
    ----------
    part : dataclass instance
        An analysis or signature. Its fields are plain values, or in turn such instances.

    Raises
    ------
    InputError
        If it is not a dataclass, or a field has a value of another kind.
    """
    kind = type(part)
    if not is_dataclass(part):
        raise InputError(
            f"{kind.__name__} must be a dataclass to be written down; decorate it with "
            "@dataclass(frozen=True), or pass a registry name with options"
        )
    values = {entry.name: _plain(entry.name, getattr(part, entry.name)) for entry in fields(part)}
    return {_CLASS: f"{kind.__module__}:{kind.__qualname__}", **values}


def _plain(name: str, value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(name, entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(name, entry) for entry in value]
    if hasattr(value, "tolist"):  # arrays and numbers of NumPy
        return value.tolist()
    return described(value)


def restored(description: Mapping[str, Any]) -> Any:
    """Return the instance that `described` described.

    Raises
    ------
    InputError
        If it does not name a dataclass.

    Examples
    --------
    >>> from relutopo.signatures.n_cells import NumbersOfCells
    >>> restored(described(NumbersOfCells()))
    NumbersOfCells()
    """
    values = dict(description)
    module, _, name = values.pop(_CLASS).partition(":")
    kind: Any = import_module(module)
    for part in name.split("."):
        kind = getattr(kind, part)
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise InputError(
            f"a description must be that of a dataclass, got {kind!r}; make it by `described`"
        )
    return kind(**{key: _restored(value) for key, value in values.items()})


def _restored(value: Any) -> Any:
    if isinstance(value, Mapping):
        if _CLASS in value:
            return restored(value)
        return {key: _restored(entry) for key, entry in value.items()}
    return [_restored(entry) for entry in value] if isinstance(value, list) else value
