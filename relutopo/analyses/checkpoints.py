"""The common base of analyses of networks one by one, along a run.

Derive a frozen dataclass from `CheckpointAnalysis`, declare its `columns` and `measures`, and
implement `compute`. Everything else has a default: rows that are kept and resumed, a table, a short
summary, the measures of the last checkpoint.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from relutopo.analyses.base import Analysis, Row, Workplace, choice_field, described
from relutopo.analyses.rows import kept_rows
from relutopo.analyses.versions import code_of_class
from relutopo.complex import CellComplex
from relutopo.errors import BackendError, InputError
from relutopo.geometry.domain import Box, Domain, check_dimensions
from relutopo.geometry.slices import AffineSlice
from relutopo.geometry.storage import save_complex
from relutopo.homology.diagram import Diagram
from relutopo.interfaces import Progress
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import Run
from relutopo.networks.network import Network
from relutopo.optional import require
from relutopo.plots import save_figure
from relutopo.reports.columns import Column, column_names, row_of, save_columns
from relutopo.reports.conclusion import Conclusion
from relutopo.reports.tables import new_table, save_table
from relutopo.reports.text import counted, first_middle_last
from relutopo.signatures.base import Signature
from relutopo.signatures.subject import Choice, Subject, made
from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.spectral_partition import SpectralPartition
from relutopo.system.blas import one_blas_thread
from relutopo.system.interrupts import deliver_interrupts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import RenderableType

__all__ = ["ALONG_A_RUN", "Analysed", "CheckpointAnalysis", "Exhibit", "last_values"]

ALONG_A_RUN = (
    Column("step", "steps", "updates made"),
    Column("train_loss", "1", "loss on the training set; NaN where it was not evaluated"),
    Column("train_accuracy", "1", "accuracy of the network on the training set"),
    Column("held_out_loss", "1", "loss on the held-out set; NaN where it was not evaluated"),
    Column("held_out_accuracy", "1", "accuracy of the network on the held-out set"),
)
"""The first columns of rows of a run."""
_RESERVED = {*(column.name for column in ALONG_A_RUN), "loss", "error"}
"""Columns that runs and trackers add to those of an analysis."""
log = logging.getLogger("relutopo")


@dataclass(frozen=True, eq=False, repr=False)
class Analysed:
    """The analysis of one network.

    Attributes
    ----------
    subject : Subject
        The network with all that was computed from it.
    row : dict
        The values of the columns.
    """

    subject: Subject
    row: Row

    def __repr__(self) -> str:
        subject = self.subject
        shown = subject.complex if subject.is_decomposed else subject.network
        return f"Analysed({shown!r}, {len(self.row)} columns)"

    @property
    def complex(self) -> CellComplex:
        """The complex of the network."""
        return self.subject.complex


class Exhibit(NamedTuple):
    """Results of one network that a page shows besides its complex.

    Attributes
    ----------
    partition : FiedlerPartition, SpectralPartition or None
    diagram : Diagram or None
    """

    partition: FiedlerPartition | SpectralPartition | None = None
    diagram: Diagram | None = None


@dataclass(frozen=True)
class CheckpointAnalysis(Analysis):
    """An analysis of networks one by one, along a run.

    Parameters
    ----------
    domain : mapping
        ``name`` of a rule in `relutopo.learning.domain_rules`, and the options of its constructor.
        If `needs_complex` is False, only added signatures use it.
    signatures : sequence of str, mapping or Signature
        Signatures whose columns are added to every row: registry names, mappings with ``name`` and
        options, or instances.
    enumerator, max_cells, max_bytes, seed
        See `Analysis`.

    Attributes
    ----------
    of_history : tuple of str
        The columns of the run's history with which a row begins.
    needs_complex : bool
        Whether `compute` uses the complex. If not, no domain is made unless a signature needs it,
        and networks may have any number of inputs.
    """

    domain: Mapping[str, Any] = choice_field("around_data")
    signatures: Sequence[Choice] = ()

    of_conclusion: ClassVar[tuple[Column, ...]] = ()
    """Columns that `conclude` adds to the table of a run."""
    of_history: ClassVar[tuple[str, ...]] = tuple(column.name for column in ALONG_A_RUN[1:])
    needs_complex: ClassVar[bool] = True

    # What a kind of analysis says of itself

    @classmethod
    def columns_of_rows(cls) -> tuple[Column, ...]:
        """Return the columns along a run, its own, and those of the conclusion."""
        along = [entry for entry in ALONG_A_RUN if entry.name in ("step", *cls.of_history)]
        return (*along, *cls.columns, *cls.of_conclusion)

    def check(self, dataset: Dataset, domain: Domain) -> None:
        """Raise an `InputError` for data that cannot be analysed on a domain; none by default.

        Called only if a complex is needed.

        Parameters
        ----------
        dataset : Dataset
        domain : Domain
            The domain that the settings give for the data.
        """

    def check_conclusion(self, dataset: Dataset) -> None:
        """Raise an `InputError` for data from which nothing can be concluded; never by default.

        A `Tracker` only records, and does not conclude.

        Parameters
        ----------
        dataset : Dataset
        """

    def check_network(self, network: Network, dataset: Dataset) -> None:
        """Raise an `InputError` for networks that cannot have learned the data; none by default.

        Parameters
        ----------
        network : Network
        dataset : Dataset
        """

    @abstractmethod
    def compute(self, subject: Subject, dataset: Dataset) -> Mapping[str, Any]:
        """Return the value of each column for one network.

        Laws: as `relutopo.signatures.base.Signature.compute`, except that seconds may differ.

        Parameters
        ----------
        subject : Subject
            The network with its training data.
        dataset : Dataset
            All data, as given. Numbers that use held-out points are measures.
        """

    def conclude(
        self, rows: Sequence[Row], run: Run, labels: Mapping[str, Any] | None = None
    ) -> Conclusion:
        """Return tables, summary and measures of a run; by default those of the rows.

        Parameters
        ----------
        rows : sequence of dict
            From `rows`.
        run : Run
        labels : mapping, optional
            More columns of the tables, the same in all rows.
        """
        table = self.table(rows, labels)
        return Conclusion(
            {"results": table},
            self.at_first_middle_last(table, self.measures, type(self).__name__),
            last_values(table, self.measures),
        )

    def draw(self, tables: Mapping[str, pd.DataFrame], run: Run) -> Mapping[str, Figure]:
        """Return figures of a run, by name; none by default.

        Parameters
        ----------
        tables : mapping of str to pandas.DataFrame
            From `conclude`.
        run : Run
        """
        return {}

    def exhibit(self, subject: Subject, dataset: Dataset) -> Exhibit:
        """Return what a page shows of a network besides its complex; nothing by default.

        Parameters
        ----------
        subject : Subject
        dataset : Dataset
        """
        return Exhibit()

    # What all have in common

    def subject(self, network: Network, dataset: Dataset, *, step: int = 0) -> Subject:
        """Return a network with its data on the domain of these settings; nothing is computed.

        Parameters
        ----------
        network : Network
        dataset : Dataset
        step : int
            Enters the seeds of filtrations.
        """
        return Subject(
            network,
            dataset,
            self.create("domain"),
            enumerator=self.enumerator,
            max_cells=self.max_cells,
            max_bytes=self.max_bytes,
            seed=self.seed,
            step=step,
        )

    @deliver_interrupts
    def analyse(self, network: Network, dataset: Dataset, *, step: int = 0) -> Analysed:
        """Analyse one network.

        Parameters
        ----------
        network : Network
        dataset : Dataset
            Its training points bound the domain, unless the settings fix one; on a slice their
            projections take part.
        step : int
            Takes part in the seeds of filtrations.

        Returns
        -------
        Analysed
            The row has the `columns`, and those of the signatures.

        Raises
        ------
        InputError
            If a setting or the data cannot be used, or two signatures have the same column.
        BackendError
            If what is computed is not what the columns declare.
        LimitReachedError
            If `max_cells` or `max_bytes` is reached.
        """
        signatures = self._signatures()
        self._check_columns(signatures)
        subject = self.subject(network, dataset, step=step)
        with one_blas_thread():  # once, and not in each computation
            values = self.compute(subject, dataset)
            row = row_of(self, self.columns, values, subject.dim_of(self.columns))
            for signature in signatures:
                row |= signature.row(subject)
        return Analysed(subject, row)

    def checkpoint(self, run: Run, step: int) -> Analysed:
        """Analyse one checkpoint of a run.

        Parameters
        ----------
        run : Run
        step : int
            One of ``run.steps``.

        Returns
        -------
        Analysed
            The row starts with ``step`` and what is known of the loss.
        """
        found = self.analyse(run.network(step), run.dataset, step=step)
        history = run.history.at(step)
        along = {"step": step, **{name: history[name] for name in self.of_history}}
        return Analysed(found.subject, along | found.row)

    def rows(self, run: Run, *, progress: Progress | None = None) -> list[Row]:
        """Analyse every checkpoint of a run, or go on where an interrupted analysis stopped.

        Parameters
        ----------
        run : Run
            Complete.
        progress : Progress, optional
            Called after each checkpoint with (checkpoints done, checkpoints, message).

        Returns
        -------
        list of dict
            One row for each checkpoint, in order.

        Raises
        ------
        InputError
            If training has not finished, or a checkpoint or a row cannot be read.
        """
        return kept_rows(
            run.directory / "analysis" / self.key,
            described(self),
            run.steps,
            lambda step: self.checkpoint(run, step).row,
            progress,
        )

    def table(self, rows: Sequence[Row], labels: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return rows as a table, with more columns that are the same in all rows."""
        pandas = require("pandas", "the table of a run")
        table: pd.DataFrame = pandas.DataFrame(rows).assign(**(labels or {}))
        return table

    @staticmethod
    def at_first_middle_last(
        table: pd.DataFrame, names: Sequence[str], title: str
    ) -> list[RenderableType]:
        """Show some columns at the first, the middle and the last checkpoint."""
        grid = new_table((), ("step", *(name.replace("_", " ") for name in names)), title=title,
                         wrap_numbers=True)  # fmt: skip
        for step in first_middle_last(table["step"].tolist()):
            row = table[table["step"] == step].iloc[0]
            grid.add_row(str(step), *(f"{row[name]:.4g}" for name in names))
        return ["", grid]

    def check_domain(self, dataset: Dataset) -> None:
        """Raise an `InputError` for data without a domain that can be cut, where one is needed."""
        if not self.needs_complex:
            return
        domain = self.create("domain")(dataset)
        if isinstance(domain, (Box, AffineSlice)):
            check_dimensions(domain.dim, "a box")
        self.check(dataset, domain)
        if domain.dim > 3:
            log.warning(
                "the domain has %d dimensions; the number of cells grows like the number of "
                "neurons to that power, and the domain slice_principal is a plane",
                domain.dim,
            )

    def carry_out(self, place: Workplace) -> Conclusion:
        """Check the data, analyse the run, and write tables, figures and the last complex."""
        with place.stage("data"):
            dataset = place.dataset
            self.check_domain(dataset)  # what does not fit shall not wait
            self.check_conclusion(dataset)
        with place.stage("training"):
            run = place.run
        self.check_network(run.network(run.steps[0]), run.dataset)
        log.info("analysing %s", counted(len(run.steps), "checkpoint"))
        # Threads cost small matrices more than they give: ten times as long on a busy machine.
        with one_blas_thread():
            with place.stage("analysis"), place.progress("analysing") as progress:
                rows = self.rows(run, progress=progress)
            with place.stage("report"):
                conclusion = self._report(rows, run, place)
        return conclusion

    def _report(self, rows: Sequence[Row], run: Run, place: Workplace) -> Conclusion:
        log.info("writing tables%s", " and the last complex" if self.needs_complex else "")
        last = self.subject(run.network(run.steps[-1]), run.dataset)
        if self.needs_complex:
            save_complex(place.directory / "complex.npz", last.complex)
        conclusion = self.conclude(rows, run, place.labels)
        for name, table in conclusion.tables.items():
            save_table(table, place.directory / name)
        words = [Column(name, "text", "of the run, the same in all rows") for name in place.labels]
        listed = [*words, *self.columns_of_rows(), *self.columns_of_signatures()]
        save_columns(listed, place.directory)
        if place.draws_figures:
            log.info("drawing figures")
            for name, figure in self.draw(conclusion.tables, run).items():
                save_figure(figure, place.directory / "figures" / name)
        columns = self.columns_of_signatures()
        added = column_names(columns, last.dim_of(columns))
        numbers = [name for name, missing in added.items() if missing is not None]
        more = last_values(conclusion.tables["results"], numbers)
        return Conclusion(conclusion.tables, conclusion.summary, {**conclusion.measures, **more})

    def __post_init__(self) -> None:
        super().__post_init__()
        is_one = isinstance(self.signatures, (str, Mapping))
        if is_one or not isinstance(self.signatures, Iterable):
            raise InputError(
                f"`signatures` must be a sequence of them, got {self.signatures!r}; pass a list"
            )

    def _signatures(self) -> list[Signature]:
        return [made("signature", choice) for choice in self.signatures]

    def columns_of_signatures(self) -> list[Column]:
        """Return the columns that its signatures add to rows."""
        return [column for signature in self._signatures() for column in signature.columns]

    @property
    def choices(self) -> dict[str, Any]:
        """What is chosen by name, by role."""
        return super().choices | {"signature": dict(enumerate(self.signatures))}

    @property
    def code(self) -> dict[str, str]:
        """The version of all code that computes."""
        code = super().code
        for choice in self.signatures:
            if isinstance(choice, Signature):
                code |= code_of_class(type(choice))
        return code

    def check_choices(self) -> None:
        """Create whatever is chosen by name: what is wrong shall not wait for the training."""
        for role in super().choices:
            self.create(role)
        self._check_columns(self._signatures())

    def _check_columns(self, signatures: Sequence[Signature]) -> None:
        """Refuse columns that are declared twice: rows hold declared columns only."""
        reserved = sorted(column_names(self.columns, 0).keys() & _RESERVED)
        if reserved:
            raise BackendError(
                f"{type(self).__name__} must have columns of its own, got {', '.join(reserved)}, "
                "which runs and trackers add; name them otherwise"
            )
        if not signatures:
            return
        taken = dict.fromkeys((column.name for column in self.columns), type(self).__name__)
        taken |= dict.fromkeys(_RESERVED, "every run")
        for choice, signature in zip(self.signatures, signatures, strict=True):
            name = choice.get("name") if isinstance(choice, Mapping) else choice
            kind = type(signature).__name__
            shown = f"{kind}, {name!r}" if isinstance(name, str) else kind
            for column in signature.columns:
                if column.name in taken:
                    raise InputError(
                        f"`signatures` must add columns of their own, got {column.name} of "
                        f"{shown}, which {taken[column.name]} has; leave that signature out"
                    )
            taken |= dict.fromkeys((column.name for column in signature.columns), shown)


def last_values(table: pd.DataFrame, names: Sequence[str]) -> dict[str, float]:
    """Return what is measured at the last checkpoint: numbers of some columns."""
    last = table.iloc[-1]
    return {name: float(last[name]) for name in names}
