"""The command `relutopo`: composes a configuration with Hydra, trains, analyses, and reports.

Everything it does is a call or two into the library; what a key means stands beside it in the
YAML files of `relutopo.conf`.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from relutopo import plots, registry, report
from relutopo.errors import RelutopoError
from relutopo.geometry.storage import save_complex
from relutopo.learning.checkpoints import TrainingRun
from relutopo.learning.datasets import Dataset
from relutopo.learning.signatures import AnalysisSettings, analyse_checkpoint, analyse_run
from relutopo.learning.trainer import MlpSettings, TrainerSettings, train
from relutopo.optional import require

require("hydra", "the command 'relutopo'")

import hydra  # noqa: E402
from hydra.core.hydra_config import HydraConfig  # noqa: E402
from hydra.experimental.callback import Callback  # noqa: E402
from hydra.types import RunMode  # noqa: E402
from omegaconf import DictConfig, OmegaConf  # noqa: E402

__all__ = ["CombineJobs", "main"]

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
    settings = _analysis_settings(values)
    dataset = _dataset(values["data"])
    run = _train(dataset, values)

    log.info("analysing %d checkpoints; the first use compiles, up to a minute", len(run.steps))
    # Threads cost small matrices more than they give: ten times as long on a busy machine.
    threadpoolctl = require("threadpoolctl", "the command 'relutopo'")
    with threadpoolctl.threadpool_limits(1, "blas"), report.progress_bar("analysing") as progress:
        rows = analyse_run(run, settings, progress=progress)
    table = _table(rows, run, experiment, values)
    report.save_table(table, directory / "results")

    log.info("drawing figures")
    _draw(run, settings, table, directory)
    report.show(report.run_summary(table), directory)


def _analysis_settings(values: dict[str, Any]) -> AnalysisSettings:
    names = AnalysisSettings.__dataclass_fields__
    settings = AnalysisSettings(**{name: values[name] for name in names})
    for role in ("enumerator", "eigensolver", "vertex_weights", "edge_weights"):
        settings.create(role)  # a wrong name shall not wait until training is over
    return settings


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


def _table(
    rows: list[dict[str, Any]], run: TrainingRun, experiment: str, values: dict[str, Any]
) -> Any:
    pandas = require("pandas", "the table of a run")
    table = pandas.DataFrame(rows)
    labels = {
        "experiment": experiment,
        "data": values["data"]["name"],
        "seed": values["seed"],
        "adjacency": values["adjacency"],
        "vertex_weights": values["vertex_weights"]["name"],
        "edge_weights": values["edge_weights"]["name"],
        "eigensolver": values["eigensolver"]["name"],
        **report.learning_steps(run.history),
    }
    return table.assign(**labels)


def _draw(run: TrainingRun, settings: AnalysisSettings, table: Any, directory: Path) -> None:
    """Draw three checkpoints and the time line, and keep the last complex."""
    steps = report.three_steps(run.steps)
    signatures = [analyse_checkpoint(run, step, settings) for step in steps]
    last, dataset = signatures[-1], run.dataset
    save_complex(directory / "complex.npz", last.complex)
    figures = {
        "timeline": plots.plot_timeline(table),
        "partition_history": plots.plot_partition_history(
            signatures, dataset.points, dataset.targets
        ),
    }
    if last.weighted is not None:
        figures["partition"] = plots.plot_partition(last.weighted, dataset.points, dataset.targets)
    for name, figure in figures.items():
        plots.save_figure(figure, directory / "figures" / name)


class CombineJobs(Callback):
    """At the end of a sweep: one table of all jobs, and a summary."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Gather what the jobs left in the sweep's folder."""
        directory = Path(config.hydra.sweep.dir).absolute()
        done: dict[str, tuple[Path, dict[str, str]]] = {}
        failed: list[str] = []
        for path in sorted(directory.glob("*/.hydra/overrides.yaml")):
            folder = path.parent.parent
            pairs = (str(override).partition("=") for override in OmegaConf.load(path))
            overrides = {key.lstrip("+"): value for key, _, value in pairs}
            if (folder / "results.parquet").is_file():
                done[folder.name] = (folder, overrides)
            else:
                failed.append(folder.name)
        if done:
            table = report.combine_jobs(done)
            report.save_table(table, directory / "results")
            report.show(report.sweep_summary(table, report.swept_keys(done), failed), directory)


if __name__ == "__main__":
    main()
