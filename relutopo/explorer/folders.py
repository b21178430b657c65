"""From a folder to a scene: that of a training run, or of a run of the command.

Of a run of the command the analysis and its table are those that were asked for there. Nothing in
a folder is executed: of models in files, which may need trust, the last complex is shown that the
run has left.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relutopo.analyses.base import analysis_of
from relutopo.analyses.checkpoints import CheckpointAnalysis
from relutopo.checks import check_path
from relutopo.complex import load_complex
from relutopo.errors import InputError
from relutopo.explorer.runs import analysis_for, scene_of_run
from relutopo.explorer.scene import Scene
from relutopo.explorer.scenes import scene_of
from relutopo.learning.runs import TrainingRun
from relutopo.reports.tables import load_table
from relutopo.system.untrusted import PLAIN, read_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["scene_of_folder"]

_TABLE, _COMPLEX, _SETTINGS = "results.parquet", "complex.npz", "config.json"


def scene_of_folder(
    folder: str | os.PathLike[str],
    *,
    analysis: CheckpointAnalysis | None = None,
    domain: Mapping[str, Any] | str | None = None,
    title: str | None = None,
) -> Scene:
    """Return the scene of a folder.

    Parameters
    ----------
    folder : path-like
        Of a training run, or of a run of the command.
    analysis : CheckpointAnalysis, optional
        By default the one of the command, or what the data ask for.
    domain : mapping or str, optional
        Where networks are cut; see `relutopo.explore`.
    title : str, optional

    Raises
    ------
    InputError
        If it holds neither, or a run that is not complete.
    """
    directory = Path(check_path(folder, "outputs/run", "x"))
    if (directory / "job.json").is_file():
        return _of_command(directory, analysis, domain, title)
    run = TrainingRun(directory)
    if not run.is_complete:
        if (directory / "jobs").is_dir():
            raise InputError(
                f"{str(directory)!r} is the folder of a sweep, which is explored job by job; pass "
                "a folder below its jobs/"
            )
        if (directory / "rows").is_dir():
            raise InputError(
                f"{str(directory)!r} must be the folder of a run, got that of a tracker; with "
                "keep=True pass complexes of the tracker, {step: tracker.complex(step)}"
            )
        came = "another folder" if directory.is_dir() else "no folder"
        raise InputError(
            f"{str(directory)!r} must be the folder of a run, with job.json or the history.npz of "
            f"a training run in it, got {came}; pass one below outputs/, or let training finish"
        )
    return scene_of_run(run, analysis=analysis, domain=domain, title=title)


def _of_command(
    directory: Path,
    analysis: CheckpointAnalysis | None,
    domain: Mapping[str, Any] | str | None,
    title: str | None,
) -> Scene:
    if not (directory / "done.json").is_file():
        raise InputError(
            f"the run in {str(directory)!r} is not complete; the same command goes on from there"
        )
    remedy = "compute the run again"
    settings: dict[str, Any] = read_json(
        directory / _SETTINGS, {str: PLAIN}, "the settings of a run", remedy
    )
    run = _training(directory, settings)
    if run is None:
        if not (directory / _COMPLEX).is_file():
            raise InputError(
                f"the run in {str(directory)!r} has no complexes to explore: its analysis makes "
                "none; look at its tables and figures"
            )
        return scene_of(load_complex(directory / _COMPLEX), title=title)
    if analysis is not None:
        return scene_of_run(run, analysis=analysis, domain=domain, title=title)
    own = _analysis(settings, directory)
    # Where it makes no complexes, its numbers are in the time line of those that the data ask for.
    shown = own if own.needs_complex else analysis_for(run.dataset)
    return scene_of_run(
        run, analysis=shown, domain=domain, along=own, table=_table(directory), title=title
    )


def _training(directory: Path, settings: Mapping[str, Any]) -> TrainingRun | None:
    """Return the training run of a run of the command; None for models in files."""
    places = [directory / "training"]
    named = settings.get("training_dir")
    if isinstance(named, str):
        # That of a sweep which was moved stands beside its jobs still.
        places += [Path(named), directory.parents[1] / "training" / Path(named).name]
    return next((run for run in map(TrainingRun, places) if run.is_complete), None)


def _analysis(settings: Mapping[str, Any], directory: Path) -> CheckpointAnalysis:
    try:
        found = analysis_of(settings)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{str(directory / _SETTINGS)!r} must be the settings of a run, but they have no "
            f"analysis ({error}); compute the run again"
        ) from error
    if not isinstance(found, CheckpointAnalysis):
        raise InputError(
            f"the run in {str(directory)!r} has no networks to explore; look at its tables and "
            "figures"
        )
    return found


def _table(directory: Path) -> pd.DataFrame:
    return load_table(directory / _TABLE)
