"""From a training run to a scene: a frame for each checkpoint, and the time line.

Checkpoints are chosen evenly, the first and the last one among them, until there would be more
regions than a page should hold; the page says which were left out. Networks of three inputs or more
are shown on a plane through their data, and the page says on which.

Invariant: frames ascend with the step, and all have quantities of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relutopo.analyses.checkpoints import Analysed, CheckpointAnalysis
from relutopo.analyses.classes import Classes
from relutopo.analyses.homology import Homology
from relutopo.analyses.partition import Partition
from relutopo.checks import check_integer, check_kind, kind_of
from relutopo.errors import InputError
from relutopo.explorer.notes import of_frames
from relutopo.explorer.scene import Frame, Note, Quantity, Scene
from relutopo.explorer.scenes import documentation, frame_of
from relutopo.explorer.times import time_line
from relutopo.geometry.patterns import find_patterns
from relutopo.geometry.slices import AffineSlice
from relutopo.learning.datasets import Dataset
from relutopo.learning.domain_rules import AroundData, FixedBox
from relutopo.learning.runs import Run
from relutopo.reports.text import counted
from relutopo.signatures.subject import Subject
from relutopo.system.untrusted import printable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MOST_REGIONS", "analysis_for", "is_plane", "scene_of_run"]

MOST_REGIONS = 60_000
"""Regions of all frames together."""
_MOST_FRAMES = 60
_FIRST_STEP = "first_step"
_PRINCIPAL = {"name": "slice_principal"}
_ON_OTHERS = (
    "The map shows regions on a plane that the run has not analysed; the curves are of what it has."
)
_ON_PRINCIPAL = "on the plane of two principal components"


def analysis_for(dataset: Dataset) -> CheckpointAnalysis:
    """Return the analysis that data ask for: parts for classes, persistence for values.

    Examples
    --------
    >>> from relutopo.learning.datasets import two_moons
    >>> type(analysis_for(two_moons(n=20))).__name__
    'Partition'
    """
    if dataset.classes is None or len(dataset.classes) < 2:
        return Homology()
    return Partition() if len(dataset.classes) == 2 else Classes()


def scene_of_run(
    run: Run,
    *,
    title: str | None = None,
    analysis: CheckpointAnalysis | None = None,
    domain: Mapping[str, Any] | str | None = None,
    along: CheckpointAnalysis | None = None,
    table: pd.DataFrame | None = None,
    most_regions: int = MOST_REGIONS,
) -> Scene:
    """Return the scene of a training run.

    Parameters
    ----------
    run : Run
        Complete.
    title : str, optional
    analysis : CheckpointAnalysis, optional
        What to compute of each checkpoint; by default partitions where there are classes, and
        persistence where the targets are values.
    domain : mapping or str, optional
        Where networks are cut, in place of the domain of the analysis: the name of a rule, or a
        mapping with ``name`` and options. Where that is no plane, the default is the plane of two
        principal components of the data.
    along : CheckpointAnalysis, optional
        The analysis of which `table` is, if it is another one.
    table : pandas.DataFrame, optional
        Of the run; by default the rows of those checkpoints that are shown.
    most_regions : int
        Regions of all frames together.
    """
    check_integer("most_regions", most_regions, 1, remedy="the page holds at least one frame")
    if not run.steps:
        raise InputError(
            f"`x` must be a run with checkpoints, got none in {str(run.directory)!r}; train first"
        )
    dataset = run.dataset
    chosen: CheckpointAnalysis = (
        analysis_for(dataset)
        if analysis is None
        else check_kind("analysis", analysis, CheckpointAnalysis, remedy="pass rt.Partition()")
    )

    if domain is not None:
        chosen = replace(chosen, domain=_domain(domain))
    if not chosen.needs_complex:
        raise InputError(
            f"`x` must be a run whose networks are cut into regions to be explored, but "
            f"{type(chosen).__name__} makes no complexes; look at its tables and figures, or pass "
            "another analysis with a domain of two dimensions, such as "
            "rt.Partition(domain={'name': 'slice_principal'})"
        )
    told = chosen if along is None else along
    is_sliced = domain is None and not is_plane(chosen, dataset)
    if is_sliced:
        chosen = replace(chosen, domain=_PRINCIPAL)

    def look(step: int) -> Analysed:
        if table is None:
            return chosen.checkpoint(run, step)
        return Analysed(chosen.subject(run.network(step), dataset, step=step), {})

    _check_plane(chosen, dataset)
    last = look(run.steps[-1])
    steps = _evenly(run.steps, last.complex.n_regions, most_regions)
    seen = _Seen()
    rows, made = [], []
    for step in steps:
        entry = last if step == steps[-1] else look(step)
        made.append(_frame(step, entry.subject, chosen, dataset, seen))
        rows.append(entry.row)
    notes = _notes(run.steps, steps, [notes for _, notes in made])
    dim = last.complex.dim
    if table is None:
        table = chosen.table(rows)
    elif told.domain != chosen.domain:
        notes = (*notes, Note("partial", _ON_OTHERS))
        if told.needs_complex:
            dim = told.create("domain")(dataset).dim
    columns = [*told.columns_of_rows(), *told.columns_of_signatures()]
    facts: dict[str, Any] = {"docs": documentation()}
    if len(steps) > 1:
        facts["time"] = time_line(
            steps,
            run.history,
            table,
            columns,
            dim,
            has_classes=dataset.classes is not None,
        )
    frames = tuple(frame for frame, _ in made)
    name = f"{dataset.name}: {counted(len(run.steps), 'checkpoint')}"
    if is_sliced:
        name = f"{name if title is None else title}, {_ON_PRINCIPAL}"
        facts["slice"] = (
            f"the networks have {dataset.dim} inputs, and are shown {_ON_PRINCIPAL} of the data"
        )
    elif title is not None:
        name = title
    return Scene(
        "run",
        printable(str(name)),
        frames,
        _summary(run, last),
        notes,
        _colour(frames[-1]),
        tuple(dict.fromkeys(entry.name for frame in frames for entry in frame.overlays)),
        facts,
    )


def _domain(domain: Mapping[str, Any] | str) -> Mapping[str, Any]:
    """Return a rule that comes in from outside as an analysis has it."""
    if isinstance(domain, str):
        return {"name": domain}
    if isinstance(domain, Mapping) and "name" in domain:
        return domain
    raise InputError(
        f"`domain` must be the name of a rule, or a mapping with its name and options, got "
        f"{kind_of(domain)}; pass for example 'slice_principal', or {{'name': 'slice_through', "
        "'points': [0, 1, 2]}"
    )


def is_plane(analysis: CheckpointAnalysis, dataset: Dataset) -> bool:
    """Tell whether an analysis cuts networks in as many dimensions as a page of a run shows.

    Of fewer inputs than two there is no plane, whatever the domain.

    Examples
    --------
    >>> from relutopo.learning.datasets import two_moons
    >>> is_plane(Partition(), two_moons(n=20))
    True
    """
    rule = analysis.create("domain")
    if isinstance(rule, (AroundData, FixedBox)):  # data may leave no box, but for sure no plane
        return dataset.dim <= 2
    return rule(dataset).dim == 2 or dataset.dim < 2


def _check_plane(analysis: CheckpointAnalysis, dataset: Dataset) -> None:
    dim = analysis.create("domain")(dataset).dim
    if dim == 2:
        return
    remedy = "leave `domain` out, or pass 'slice_principal'"
    if dataset.dim < 2:
        remedy = "draw networks of one input by rt.plots.plot_complex"
    raise InputError(
        f"`x` must be a run whose networks are cut in a plane to be explored, got a domain of "
        f"{counted(dim, 'dimension')}; {remedy}"
    )


def _summary(run: Run, last: Analysed) -> dict[str, str]:
    network = last.complex.network
    domain = last.complex.domain
    inputs = {}
    if isinstance(domain, AffineSlice):
        inputs["inputs"] = f"{domain.ambient_dim:,}, on a slice"
    return {
        "checkpoints": f"{len(run.steps):,}",
        "neurons": f"{network.n_neurons:,} in {counted(len(network.layer_sizes), 'layer')}",
        **inputs,
        "regions at the end": f"{last.complex.n_regions:,}",
        "data points": f"{len(run.dataset.points):,}",
    }


def _colour(frame: Frame) -> str:
    """Return the quantity that a run shows at first: that of its partition, if there is one."""
    names = [entry.name for entry in frame.quantities]
    return next((name for name in ("fiedler", "part", "n_active") if name in names), names[0])


def _evenly(steps: Sequence[int], n_regions: int, most_regions: int) -> list[int]:
    """Return steps at even places of a list, so many that frames like the last one have room.

    Examples
    --------
    >>> _evenly([0, 1, 2, 5, 10], 100, 300)
    [0, 2, 10]
    >>> _evenly([0, 1, 2, 5, 10], 1000, 300), _evenly([0, 7], 10, 300)
    ([10], [0, 7])
    """
    n = min(len(steps), _MOST_FRAMES, max(1, most_regions // max(1, n_regions)))
    if n == 1:
        return [steps[-1]]
    places = np.unique(np.rint(np.linspace(0, len(steps) - 1, n)).astype(int))
    return [steps[k] for k in places]


class _Seen:
    """The patterns of the frames so far, each with the step of the first that has it."""

    def __init__(self) -> None:
        self._patterns: NDArray[np.uint8] | None = None
        self._steps = np.zeros(0)

    def first_steps(self, step: int, patterns: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return for each region of the next frame when its pattern was there first."""
        if self._patterns is None:
            self._patterns, self._steps = patterns, np.full(len(patterns), float(step))
            return self._steps
        place = find_patterns(patterns, self._patterns)
        found = np.where(place >= 0, self._steps[place], float(step))
        self._patterns = np.concatenate([self._patterns, patterns[place < 0]])
        self._steps = np.concatenate([self._steps, found[place < 0]])
        return found


def _frame(
    step: int, subject: Subject, analysis: CheckpointAnalysis, dataset: Dataset, seen: _Seen
) -> tuple[Frame, tuple[Note, ...]]:
    exhibit = analysis.exhibit(subject, dataset)
    frame, notes = frame_of(
        subject.complex,
        exhibit.partition,
        diagram=exhibit.diagram,
        points=dataset.points,
        labels=_labels_of(dataset),
        label=f"step {step}",
    )
    first = Quantity(
        _FIRST_STEP,
        "pattern first seen",
        seen.first_steps(step, subject.complex.packed_patterns),
        "step",
        "The first of the checkpoints of this page at which a region has this activation pattern.",
    )
    facts = {**frame.facts, "step": step}
    return replace(frame, facts=facts, quantities=(*frame.quantities, first)), notes


def _labels_of(dataset: Dataset) -> Any:
    """Return the labels of the training points in the order of the outputs, or their values."""
    if dataset.classes is None:
        return dataset.targets
    labels = [dataset.classes[k] for k in dataset.class_numbers(dataset.targets)]
    if not any(isinstance(name, str) for name in dataset.classes):
        return labels
    import pandas as pd

    # As objects: pandas keeps words in another way that refuses some of them.
    words = pd.Index(list(dataset.classes), dtype=object)
    return pd.Categorical(pd.Series(labels, dtype=object), words)


def _notes(
    steps: Sequence[int], shown: Sequence[int], notes: Sequence[Sequence[Note]]
) -> tuple[Note, ...]:
    found = of_frames(notes, "checkpoints")
    if len(shown) == len(steps):
        return found
    text = (
        f"{len(shown)} of {len(steps)} checkpoints are shown, evenly chosen, so that the page "
        "stays small. The curves are of all that was analysed."
    )
    return (*found, Note("sampled", text))
