"""The command `relutopo`: composes a configuration with Hydra, trains, analyses, and reports.

Everything it does is a call or two into the library; what a key means stands beside it in the
YAML files of `relutopo.conf`.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from relutopo import homology_job, partition_job, registry, report
from relutopo.errors import InputError, RelutopoError
from relutopo.learning.checkpoints import TrainingRun
from relutopo.learning.datasets import Dataset
from relutopo.learning.trainer import MlpSettings, TrainerSettings, train
from relutopo.optional import require

require("hydra", "the command 'relutopo'")

import hydra  # noqa: E402
from hydra.core.hydra_config import HydraConfig  # noqa: E402
from hydra.experimental.callback import Callback  # noqa: E402
from hydra.types import RunMode  # noqa: E402
from omegaconf import DictConfig, OmegaConf  # noqa: E402

__all__ = ["CombineJobs", "main"]

_JOBS = {"partition": partition_job, "homology": homology_job}
log = logging.getLogger("relutopo")


@hydra.main(version_base="1.3", config_path="pkg://relutopo.conf", config_name="config")
def main(config: DictConfig) -> None:
    """Run one job; a job of a sweep raises its errors, a single run prints them."""
    context = HydraConfig.get()
    try:
        _run(config, str(context.runtime.choices["experiment"]), Path(context.runtime.output_dir))
    except RelutopoError as error:
        if context.mode == RunMode.MULTIRUN:
            raise
        log.error("%s", error)
        sys.exit(1)
    except KeyboardInterrupt:
        log.warning(
            "interrupted; the same command with hydra.run.dir=%s goes on from here",
            context.runtime.output_dir,
        )
        sys.exit(130)


def _run(config: DictConfig, experiment: str, directory: Path) -> None:
    values: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    report.save_json(values, directory / "config.json")
    report.save_json(report.environment(values["seed"]), directory / "environment.json")
    job = _job(values["analysis"])
    settings = job.settings(values)
    dataset = _dataset(values["data"])
    run = _train(dataset, values)

    log.info("analysing %d checkpoints; the first use compiles, up to a minute", len(run.steps))
    # Threads cost small matrices more than they give: ten times as long on a busy machine.
    threadpoolctl = require("threadpoolctl", "the command 'relutopo'")
    with threadpoolctl.threadpool_limits(1, "blas"):
        with report.progress_bar("analysing") as progress:
            rows = job.analyse(run, settings, progress)
        log.info("writing tables and drawing figures")
        labels = {"experiment": experiment, "data": dataset.name, "seed": values["seed"]}
        summary = job.conclude(rows, run, settings, labels, directory)
    report.show(summary, directory)


def _job(analysis: str) -> Any:
    """Return the module that does what is particular to a kind of analysis."""
    if analysis not in _JOBS:
        raise InputError(f"`analysis` must be one of {', '.join(_JOBS)}, got {analysis!r}")
    return _JOBS[analysis]


def _dataset(entry: dict[str, Any]) -> Dataset:
    options = {key: value for key, value in entry.items() if key != "name"}
    dataset: Dataset = registry.create("data", entry["name"], **options)
    return dataset


def _train(dataset: Dataset, values: dict[str, Any]) -> TrainingRun:
    run = TrainingRun(values["training_dir"])
    network, trainer = MlpSettings(**values["network"]), TrainerSettings(**values["trainer"])
    if run.is_complete:
        log.info("using the training run in %s", run.directory)
    else:
        log.info("training on %d points of %s", len(dataset.points), dataset.name)
    with report.progress_bar("training") as progress:
        return train(
            dataset,
            network,
            trainer,
            seed=values["seed"],
            directory=run.directory,
            progress=progress,
        )


class CombineJobs(Callback):
    """At the end of a sweep: one table of all jobs, and a summary."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Gather what the jobs left in the sweep's folder."""
        directory = Path(config.hydra.sweep.dir).absolute()
        done: dict[str, dict[str, tuple[Path, dict[str, str]]]] = {}
        failed: list[str] = []
        for path in sorted(directory.glob("*/.hydra/overrides.yaml")):
            folder = path.parent.parent
            pairs = (str(override).partition("=") for override in OmegaConf.load(path))
            overrides = {key.lstrip("+"): value for key, _, value in pairs}
            if (folder / "results.parquet").is_file():
                analysis = json.loads((folder / "config.json").read_text())["analysis"]
                done.setdefault(analysis, {})[folder.name] = (folder, overrides)
            else:
                failed.append(folder.name)
        if done:
            every = {name: job for jobs in done.values() for name, job in jobs.items()}
            report.save_table(report.combine_jobs(every), directory / "results")
            parts = [
                part
                for analysis, jobs in done.items()
                for part in _job(analysis).summarise(jobs, directory)
            ]
            parts += [f"[red]job {name} left no results[/red]" for name in failed]
            report.show(parts, directory)


if __name__ == "__main__":
    main()
