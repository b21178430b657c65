"""What came of a run or a sweep, from its folder."""

from __future__ import annotations

from pathlib import Path

from relutopo.app.jobs.folder import PAGE, JobFolder
from relutopo.errors import InputError

__all__ = ["show_folder"]


def show_folder(directory: Path) -> None:
    """Print a folder's summary, and the figures and tables that it holds.

    Parameters
    ----------
    directory : Path
        Of a run, or of a sweep.

    Raises
    ------
    InputError
        If it is neither.
    """
    is_job, is_sweep = (directory / "job.json").is_file(), (directory / "jobs").is_dir()
    if not (is_job or is_sweep):
        came = "another folder" if directory.is_dir() else "no folder"
        raise InputError(
            f"{str(directory)!r} must be the folder of a run or a sweep, with job.json or jobs/ in "
            f"it, got {came}; pass one below outputs/ or multirun/"
        )
    summary = directory / "summary.txt"
    job = JobFolder(directory)
    if is_job and not job.is_done:
        print(f"{job.status}; the same command goes on from there")
        if job.status == "failed":
            print(job.error["message"])
    elif summary.is_file():
        print(summary.read_text(encoding="utf-8", errors="replace"), end="")
    else:
        print(f"no summary yet; relutopo summarize {directory}")
    listed = {"page": PAGE, "figures": "figures/*.png", "tables": "*.parquet"}
    for kind, pattern in listed.items():
        found = sorted(path.relative_to(directory) for path in directory.glob(pattern))
        if found:
            print(f"{kind} in {directory}: {', '.join(map(str, found))}")
