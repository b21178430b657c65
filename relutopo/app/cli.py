"""The command `relutopo`: composes a configuration with Hydra, trains, analyses, and reports.

The library does the work; the meaning of each key stands beside it in the YAML files of
`relutopo.conf`.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from relutopo.app.jobs.folder import PAGE, RECORDS, JobRecord
from relutopo.app.jobs.identity import Identity
from relutopo.app.jobs.overview import show_folder
from relutopo.app.sweeps.progress import SweepWatch
from relutopo.errors import InputError
from relutopo.optional import require
from relutopo.system.files import remove_leftovers
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.untrusted import refuse_detours

require("hydra", "the command 'relutopo'")

import hydra  # noqa: E402
from hydra.core.global_hydra import GlobalHydra  # noqa: E402
from hydra.core.hydra_config import HydraConfig  # noqa: E402
from hydra.core.override_parser.overrides_parser import OverridesParser  # noqa: E402
from hydra.core.override_parser.types import Quote, QuotedString  # noqa: E402
from hydra.core.plugins import Plugins  # noqa: E402
from hydra.errors import HydraException  # noqa: E402
from hydra.experimental.callback import Callback  # noqa: E402
from hydra.types import RunMode  # noqa: E402
from hydra_plugins.relutopo.optuna_sweeper import OptunaSweeper  # noqa: E402
from hydra_plugins.relutopo.ray_launcher import RayLauncher  # noqa: E402
from omegaconf import DictConfig, read_write  # noqa: E402

from relutopo import registry  # noqa: E402
from relutopo.app import resolvers, schema  # noqa: E402
from relutopo.app.arguments import for_hydra  # noqa: E402
from relutopo.app.config_files import refuse_hostile_configs  # noqa: E402
from relutopo.app.messages import (  # noqa: E402
    EXPECTED,
    explain,
    refuse_missing_files,
    refuse_unknown_keys,
    refuse_unknown_objective,
    refuse_values_of_groups,
)
from relutopo.reports.text import counted  # noqa: E402

__all__ = ["SummarizeSweep", "main", "run_job"]

log = logging.getLogger("relutopo")
resolvers.register()
schema.register(checking="--help" not in sys.argv)
for plugin in (RayLauncher, OptunaSweeper):
    Plugins.instance().register(plugin)  # Hydra's search misses them in an editable installation


def main() -> None:
    """Run the command with the arguments of the process."""
    if sys.argv[1:2] in ([name] for name in _COMMANDS):
        sys.exit(_COMMANDS[sys.argv[1]](sys.argv[2:]))
    if "HYDRA_FULL_ERROR" in os.environ:
        _run_hydra()
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let Hydra raise what is wrong instead of printing it
    try:
        refuse_hostile_configs(sys.argv[1:])
        groups = resolvers.choices()
        schema.register_installed(sys.argv[1:])
        refuse_values_of_groups(sys.argv[1:], groups)
        sys.argv[1:] = for_hydra(sys.argv[1:], groups)
        deliver_interrupts(_run_hydra)()
    except EXPECTED as error:
        sys.exit(explain(error))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


def _run_hydra() -> None:
    decorate = hydra.main(
        version_base="1.3", config_path="pkg://relutopo.conf", config_name="config"
    )
    decorate(run_job)()


def run_job(config: DictConfig) -> float | None:
    """Run one job; return its objective, or none if it failed.

    A job of a sweep records its error and lets the others go on; a single run ends with it.
    """
    context = HydraConfig.get()
    is_sweep = context.mode == RunMode.MULTIRUN
    try:
        values = _checked(config, is_sweep=is_sweep)
    except EXPECTED as error:
        if is_sweep:  # no other job will be better
            raise
        _leave_no_trace(Path(context.runtime.output_dir))
        sys.exit(explain(error))
    record = JobRecord(
        Identity.of(str(context.runtime.choices["experiment"]), values),
        choices={str(k): str(v) for k, v in context.runtime.choices.items()},
        overrides=[str(override) for override in context.overrides.task],
    )
    directory = Path(context.runtime.output_dir)
    sweep_directory = Path(context.sweep.dir).absolute() if is_sweep else None
    try:
        from relutopo.app.jobs.job import Job

        measures = Job(values, record, directory, sweep_directory).run()
    except KeyboardInterrupt:
        again = "" if is_sweep else f" with hydra.run.dir={directory}"
        log.warning("interrupted; the same command%s goes on from here", again)
        sys.exit(130)
    except Exception as error:
        trace = None if isinstance(error, EXPECTED) else error
        log.error("%s", explain(error), exc_info=trace)
        if is_sweep:
            return None
        if isinstance(error, InputError):
            _leave_no_trace(directory)
        sys.exit(1)
    objective = values["objective"] or next(iter(measures))
    return measures.get(objective)


def _leave_no_trace(directory: Path) -> None:
    """Remove the folder of a run that was refused, if nothing that was computed is in it."""
    logging.shutdown()  # closes the log
    files = [path for path in directory.rglob("*") if path.is_file()]
    if all(
        path.parent.name == ".hydra" or path.suffix == ".log" or path.name in RECORDS
        for path in files
    ):
        shutil.rmtree(directory, ignore_errors=True)
        with suppress(OSError):  # those above may hold other runs
            for above in directory.parents:
                if Path.cwd() in above.absolute().parents:
                    above.rmdir()


def _checked(config: DictConfig, *, is_sweep: bool) -> dict[str, Any]:
    """Return the settings of a job, after all checks that need no computation."""
    # The help does without all that this loads.
    from relutopo.app.jobs.job import check_settings, measures_of

    values = resolvers.plain(config)
    refuse_unknown_keys(values, schema.Settings.__dataclass_fields__)
    name = values["analysis"]["name"]
    refuse_unknown_objective(values["objective"], name, measures_of(values))
    if not is_sweep:  # a job of a sweep records it, and lets the others go on
        check_settings(values)
        refuse_missing_files(values)
    return values


class SummarizeSweep(Callback):
    """Reports the progress of a sweep, and its summary and exit status at the end."""

    _watch: SweepWatch | None = None

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse a folder that leads elsewhere, before Hydra writes its log there."""
        _refuse_detours(config.hydra.run.dir, ["", ".hydra"])

    def __getstate__(self) -> dict[str, Any]:
        return {}  # workers of a launcher get copies, but one process watches

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Pass the sweep's folder to the jobs; their own overrides would give another."""
        _refuse_detours(config.hydra.sweep.dir, ["**"])
        directory = QuotedString(str(config.hydra.sweep.dir), Quote.single).with_quotes()
        with read_write(config):
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={directory}")
        n_jobs = _n_jobs(config)
        if n_jobs is not None:  # Hydra composes all before the first begins, several a second
            print(f"a sweep of {counted(n_jobs, 'job')}; checking their settings", flush=True)
        self._watch = SweepWatch(Path(config.hydra.sweep.dir).absolute(), n_jobs)
        self._watch.start()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Stop the report of progress, and summarize the sweep."""
        if self._watch is not None:
            self._watch.stop()
        try:
            from relutopo.app.sweeps.summary import summarize

            directory = Path(config.hydra.sweep.dir).absolute()
            remove_leftovers(directory)
            sweep = summarize(directory)
        except EXPECTED as error:
            sys.exit(explain(error))
        if len(sweep.only("done").jobs) < len(sweep.jobs):
            sys.exit(1)


def _refuse_detours(directory: str, below: list[str]) -> None:
    try:
        refuse_detours(directory, below=below)
    except EXPECTED as error:  # of other errors in here Hydra only warns
        sys.exit(explain(error))


def _n_jobs(config: DictConfig) -> int | None:
    """Return how many jobs a sweep will have, if its sweeper lets that be known."""
    sweeper = config.hydra.sweeper
    if "n_trials" in sweeper:
        return int(sweeper.n_trials)
    if not str(sweeper.get("_target_")).endswith(".BasicSweeper"):
        return None
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    fixed = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
    try:
        parsed = parser.parse_overrides([*fixed, *map(str, config.hydra.overrides.task)])
    except HydraException:  # the sweeper will say so itself
        return None
    last = {override.get_key_element(): override for override in parsed}  # what counts
    sweeps = [override for override in last.values() if override.is_discrete_sweep()]
    return math.prod(sum(1 for _ in override.sweep_string_iterator()) for override in sweeps)


def _summarize(arguments: Sequence[str]) -> str | None:
    """Summarize a sweep; return an error to end with, or none."""
    parser = argparse.ArgumentParser(
        prog="relutopo summarize",
        description="Gather the jobs of a sweep into tables; print and plot what came of them.",
    )
    parser.add_argument("sweep", help="folder of the sweep, below multirun/")
    parser.add_argument("--measure", help="what to show: a measure in jobs.parquet")
    parser.add_argument("--least", action="store_true", help="the least is the best")
    chosen = parser.parse_args(arguments)
    try:
        from relutopo.app.sweeps.summary import summarize

        summarize(Path(chosen.sweep), measure=chosen.measure, least=chosen.least)
    except EXPECTED as error:
        return explain(error)
    return None


def _show(arguments: Sequence[str]) -> str | None:
    """Print what came of a run or a sweep; return an error to end with, or none."""
    parser = argparse.ArgumentParser(
        prog="relutopo show", description="Print the summary of a run or sweep, and its figures."
    )
    parser.add_argument("folder", help="folder of the run, below outputs/, or of a sweep")
    folder = Path(parser.parse_args(arguments).folder)
    try:
        show_folder(folder)
    except EXPECTED as error:
        return explain(error)
    return None


def _explore(arguments: Sequence[str]) -> str | None:
    """Make the page of a run; return an error to end with, or none."""
    parser = argparse.ArgumentParser(
        prog="relutopo explore",
        description="Make the page of a run, which opens in any browser, and print where it is.",
    )
    parser.add_argument("folder", help="folder of the run, below outputs/, or of a training run")
    parser.add_argument("--to", help="file of the page; by default explore.html in the folder")
    chosen = parser.parse_args(arguments)
    try:
        from relutopo.explorer.explore import explore
        from relutopo.explorer.page import check_page_path

        target = Path(chosen.folder, PAGE) if chosen.to is None else chosen.to
        check_page_path(target, "--to")
        page = explore(chosen.folder, target)
        print(target)
        if "slice" in page.scene.facts:
            print(page.scene.facts["slice"])
    except EXPECTED as error:
        return explain(error)
    return None


def _plugins(arguments: Sequence[str]) -> str | None:
    """Print the parts that other packages add; return an error to end with, or none."""
    argparse.ArgumentParser(
        prog="relutopo plugins", description="List the parts that installed packages add."
    ).parse_args(arguments)
    found = registry.outside()
    for part in found:
        print(f"{part.role}={part.name}  from {part.package} {part.version}: {part.target}")
    if not found:
        roles = ", ".join(registry.roles())
        print(f"no installed package adds parts of its own to a role ({roles})")
    return None


_COMMANDS = {"summarize": _summarize, "show": _show, "explore": _explore, "plugins": _plugins}
"""What else the command does, by its first argument."""


if __name__ == "__main__":
    # Workers of a launcher find what they run by the module's name.
    from relutopo.app import cli

    cli.main()
