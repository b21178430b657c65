"""Films of training: the complex at one checkpoint after another, above the loss."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack

import numpy as np

from relutopo.checks import check_choice, check_integers, check_number, check_path, kind_of
from relutopo.decomposition import decompose
from relutopo.errors import InputError, MissingExtraError, NoFiedlerVectorError
from relutopo.geometry.domain import Box, Domain
from relutopo.learning.domain_rules import project_onto
from relutopo.learning.runs import History, Run
from relutopo.plots.complexes import plot_complex
from relutopo.plots.layers import aspect
from relutopo.plots.options import PlaneOptions
from relutopo.plots.partitions import plot_partition
from relutopo.plots.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    new_figure,
    open_frame,
    style,
    tick_labels,
)
from relutopo.plots.timelines import step_axis
from relutopo.spectral.partitioner import fiedler_partition, spectral_partition
from relutopo.system.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from relutopo.complex import CellComplex
    from relutopo.learning.datasets import Dataset
    from relutopo.spectral.fiedler import FiedlerPartition
    from relutopo.spectral.spectral_partition import SpectralPartition

__all__ = ["animate"]

Place: TypeAlias = tuple[float, float, float, float]
"""Left, bottom, width and height of axes, in fractions of a figure."""
_WIDTH, _LEFT, _RIGHT, _LOSS = 4.8, 0.65, 0.2, 0.7
"""Inches: the film, what is beside its axes, and the height of the loss."""
_DOTS_PER_INCH = 160
_LOGARITHMIC = 50.0
"""From this ratio of the last to the first step on, steps stand on a logarithmic axis."""


def animate(
    run: Run,
    path: str | os.PathLike[str],
    *,
    what: Literal["complex", "partition"] = "complex",
    domain: Domain | None = None,
    steps: Sequence[int] | None = None,
    seconds: float = 0.4,
    enumerator: str = "cpu",
    **options: Unpack[PlaneOptions],
) -> Path:
    """Write a film of a training run: its complex at one checkpoint after another.

    Below the complex stands the loss, where it is known, with a mark at the checkpoint. The file
    appears complete or not at all.

    Parameters
    ----------
    run : Run
        Complete, for example a `relutopo.TrainingRun`.
    path : path-like
        Ends in ``.gif``, or in ``.mp4``, which needs the program ffmpeg.
    what : {"complex", "partition"}
        Whether to draw the complex (`plot_complex`) or a partition with the training points as
        weights (`plot_partition`): the Fiedler partition, or with more than two classes a partition
        in as many parts.
    domain : Domain, optional
        Of two dimensions, or a plane in the input space; by default the bounding box of the
        training points, widened by a quarter.
    steps : sequence of int, optional
        Which of ``run.steps`` to show; by default all.
    seconds : float
        How long a checkpoint is shown; the last one three times as long.
    enumerator : str
        Registry name of the enumerator.
    **options
        Those of `plot_complex`. There is no legend and no colour bar unless they are asked for,
        as they differ between checkpoints.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        If the path has another ending, a step has no checkpoint, or the domain is no plane.
    MissingExtraError
        If ffmpeg is needed and not there.

    Examples
    --------
    >>> import tempfile
    >>> import relutopo as rt
    >>> settings = rt.TrainerSettings(n_steps=2, n_checkpoints=2)
    >>> run = rt.train(rt.two_moons(n=20), rt.MlpSettings(hidden=[3]), settings, seed=0,
    ...                directory=tempfile.mkdtemp())
    >>> animate(run, f"{tempfile.mkdtemp()}/moons.gif").name
    'moons.gif'
    """
    target = Path(check_path(path, "run.gif"))
    suffix = target.suffix.lower()
    if suffix not in (".gif", ".mp4"):
        raise InputError(
            f"`path` must end in .gif or .mp4, got {str(path)!r}; choose one of the two"
        )
    check_choice("what", what, ("complex", "partition"), remedy="the complex is the default")
    seconds = check_number("seconds", seconds, above=0, remedy="0.4 is the default")
    chosen = _chosen(run, steps)
    plane = Box.around(run.dataset.points) if domain is None else domain
    data = project_onto(run.dataset, plane)
    if data.dim != 2:
        raise InputError(
            f"`domain` must be a plane to be drawn, the data of the run have {data.dim} inputs; "
            "pass relutopo.AffineSlice.principal(points), or another slice of two dimensions"
        )
    loss = run.history
    has_loss = bool(np.isfinite(loss.train_loss).any())
    with style(), tempfile.TemporaryDirectory() as folder:
        figure = new_figure(_WIDTH, _WIDTH, layout="none")
        writer, made = _writer(suffix, seconds), Path(folder, f"film{suffix}")
        for step in chosen:
            complex_ = decompose(run.network(step), plane, enumerator=enumerator)
            # Places are fixed, so that nothing moves but what is shown.
            places = _places(figure, aspect(complex_), has_loss=has_loss)
            if step == chosen[0]:
                writer.setup(figure, str(made), _DOTS_PER_INCH)
            figure.clear()
            _draw(figure.add_axes(places[0]), complex_, data, what, step, options)
            if has_loss:
                _draw_loss(figure.add_axes(places[1]), loss, step, chosen)
            for _ in range(3 if step == chosen[-1] else 1):
                writer.grab_frame()
        writer.finish()
        with atomic_write(target) as file:
            file.write(made.read_bytes())
    return target


def _places(figure: Figure, shape: float, *, has_loss: bool) -> list[Place]:
    """Give a figure its height, and return where the complex and the loss belong."""
    inner = _WIDTH - _LEFT - _RIGHT
    above, gap, below = 0.35, 0.85, 0.5
    under = below + (_LOSS + gap if has_loss else 0.0)
    height = 2 * round(_DOTS_PER_INCH * (under + inner * shape + above) / 2) / _DOTS_PER_INCH
    figure.set_size_inches(_WIDTH, height)
    places = [(_LEFT, under, inner, inner * shape), (_LEFT, below, inner, _LOSS)]
    return [(x / _WIDTH, y / height, w / _WIDTH, h / height) for x, y, w, h in places]


def _chosen(run: Run, steps: Sequence[int] | None) -> list[int]:
    if not hasattr(run, "steps") or not hasattr(run, "network"):
        raise InputError(
            f"`run` must be a training run, got {kind_of(run)}; pass a relutopo.TrainingRun, or "
            "what relutopo.train returns"
        )
    known = list(run.steps)
    wanted = known if steps is None else check_integers("steps", steps, 0, remedy="see run.steps")
    unknown = sorted(set(wanted) - set(known))
    if unknown or not wanted:
        raise InputError(
            f"`steps` must be among {known}, got {unknown[0] if unknown else 'none'}; leave it out "
            "for all"
        )
    return sorted(set(wanted))


def _writer(suffix: str, seconds: float) -> Any:
    from matplotlib.animation import FFMpegWriter, PillowWriter

    per_second: Any = 1.0 / seconds  # fractions as well
    if suffix == ".gif":
        return PillowWriter(fps=per_second)
    if not FFMpegWriter.isAvailable():
        raise MissingExtraError(
            "a film in MP4 needs the program 'ffmpeg', which is not found; remedy: install it, for "
            "example by apt install ffmpeg, or let `path` end in .gif",
            name="ffmpeg",
        )
    # Players that are everywhere read this format of colours, and even numbers of pixels only.
    return FFMpegWriter(fps=per_second, codec="h264", extra_args=["-pix_fmt", "yuv420p"])


def _draw(
    ax: Axes,
    complex_: CellComplex,
    data: Dataset,
    what: str,
    step: int,
    options: PlaneOptions,
) -> None:
    labels: Any = data.targets
    if data.classes is not None:
        labels = data.class_numbers(data.targets)
    title = f"step {step}"
    shown: PlaneOptions = {"legend": False, "colorbar": False, "title": title, **options}
    if what == "partition":
        graph, k = complex_.dual_graph(), len(data.classes or ())
        try:
            part: FiedlerPartition | SpectralPartition = (
                spectral_partition(graph, data.points, k=k)
                if k > 2
                else fiedler_partition(graph, data.points)
            )
        except NoFiedlerVectorError:
            shown["title"] = f"{title}: one region, no partition"
        else:
            plot_partition(part, data.points, labels, ax=ax, **shown)
            tick_labels(ax)
            return
    plot_complex(complex_, data.points, labels, ax=ax, **shown)
    tick_labels(ax)


def _draw_loss(ax: Axes, history: History, step: int, steps: Sequence[int]) -> None:
    for at, loss, colour, name in (
        (history.train_steps, history.train_loss, BLUE, "train"),
        (history.held_out_steps, history.held_out_loss, ORANGE, "held out"),
    ):
        known = np.isfinite(loss) & (loss > 0)
        if known.any():
            ax.plot(at[known], loss[known], color=colour, linewidth=1.0, label=name)
    ax.axvline(step, color=INK, linewidth=1.0)
    positive = [entry for entry in steps if entry > 0] or [1]
    if positive[-1] / positive[0] >= _LOGARITHMIC:
        step_axis(ax, np.asarray(steps, dtype=np.float64))
    ax.set_yscale("log")
    ax.set_xlabel("training step")
    ax.set_ylabel("loss")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderpad=0)
    ax.tick_params(which="both", labelcolor=MUTED)
    open_frame(ax, grid="y")
    tick_labels(ax)
