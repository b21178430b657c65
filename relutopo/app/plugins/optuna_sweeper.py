"""Searches for settings with Optuna.

The search stores nothing: the sampler is seeded, and a job that is done returns its objective at
once, so that the same command after a kill repeats the same trials and goes on.
"""

from __future__ import annotations

import inspect
import logging
import math
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from relutopo.errors import InputError
from relutopo.optional import require
from relutopo.system.files import save_json

__all__ = ["OptunaSweeper"]

log = logging.getLogger(__name__)
_MOST_SEED = 2**32 - 1
"""Optuna's samplers draw from `numpy.random.RandomState`."""


class OptunaSweeper(Sweeper):
    """Sweeper that lets Optuna choose the values of swept keys.

    Parameters
    ----------
    direction : {"maximize", "minimize"}
        What to do with the job's objective.
    n_trials : int
        How many jobs to run.
    n_jobs : int
        How many to choose and launch at a time.
    sampler : str
        A class of ``optuna.samplers`` that takes a seed.
    seed : int
        Its seed.
    """

    def __init__(self, direction: str, n_trials: int, n_jobs: int, sampler: str, seed: int) -> None:
        self.direction, self.n_trials, self.n_jobs = direction, n_trials, n_jobs
        self.sampler, self.seed = sampler, seed

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Store Hydra's context, and create the launcher."""
        self._context, self._directory = hydra_context, Path(str(config.hydra.sweep.dir))
        self.hydra_context, self.config = hydra_context, config  # for the methods of the base
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the trials, and write the best to ``best.json`` in the folder of the sweep."""
        optuna: Any = require("optuna", "hydra/sweeper=optuna")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._check(optuna)
        parser = OverridesParser.create(config_loader=self._context.config_loader)
        parsed = parser.parse_overrides(arguments)
        space = {o.get_key_element(): distribution(o) for o in parsed if o.is_sweep_override()}
        fixed = [
            f"{o.get_key_element()}={o.get_value_element_as_str()}"
            for o in parsed
            if not o.is_sweep_override()
        ]
        if not space:
            raise InputError(
                "a search needs at least one key with several values, got none; add for example "
                "'network.init_scale=interval(1,32)'"
            )
        study = optuna.create_study(
            direction=self.direction, sampler=getattr(optuna.samplers, self.sampler)(seed=self.seed)
        )
        for first in range(0, self.n_trials, self.n_jobs):
            n = min(self.n_jobs, self.n_trials - first)
            trials = [study.ask(space) for _ in range(n)]
            batch = [[*fixed, *(f"{k}={v}" for k, v in trial.params.items())] for trial in trials]
            self.validate_batch_is_legal(batch)
            results = self._launcher.launch(batch, initial_job_idx=first)
            for trial, result in zip(trials, results, strict=True):
                value = _objective(result)
                failed = None if value is not None else optuna.trial.TrialState.FAIL
                study.tell(trial, value, state=failed)
        self._report(study)

    def _check(self, optuna: Any) -> None:
        """Check the options, later than the constructor, whose errors Hydra would wrap."""
        names = [name for name in optuna.samplers.__all__ if name.endswith("Sampler")]
        samplers = [name for name in names if _takes_a_seed(getattr(optuna.samplers, name))]
        choices = {
            "direction": (self.direction, ["maximize", "minimize"]),
            "sampler": (self.sampler, sorted(samplers)),
        }
        for key, (came, known) in choices.items():
            if came not in known:
                raise InputError(
                    f"`hydra.sweeper.{key}` must be one of {', '.join(known)}, got {came!r}"
                )
        for key in ("n_trials", "n_jobs"):
            came = getattr(self, key)
            if not isinstance(came, int) or came < 1:
                raise InputError(f"`hydra.sweeper.{key}` must be an integer from 1, got {came!r}")
        if not isinstance(self.seed, int) or not 0 <= self.seed <= _MOST_SEED:
            raise InputError(
                f"`hydra.sweeper.seed` must be an integer from 0 to {_MOST_SEED}, got {self.seed!r}"
            )

    def _report(self, study: Any) -> None:
        done = [trial for trial in study.trials if trial.value is not None]
        if not done:
            log.warning("no trial has an objective")
            return
        best = {"objective": study.best_value, "settings": study.best_params, "trials": len(done)}
        log.info("best of %d trials: %s with %s", len(done), study.best_value, study.best_params)
        save_json(best, self._directory / "best.json")


def _takes_a_seed(sampler: type) -> bool:
    """Tell whether a sampler can be made from a seed alone."""
    try:
        inspect.signature(sampler).bind(seed=0)
    except TypeError:
        return False
    return True


def distribution(override: Override) -> Any:
    """Return Optuna's distribution for a swept key of the command line.

    Parameters
    ----------
    override : Override
        ``interval(a, b)`` is continuous, ``int(interval(a, b))`` has integers, and
        ``tag(log, interval(a, b))`` is uniform in the logarithm; all else are choices.

    Raises
    ------
    InputError
        If an interval ends before it begins, or one for the logarithm is not positive.
    """
    kinds: Any = require("optuna.distributions", "hydra/sweeper=optuna")
    value: Any = override.value()
    if override.is_interval_sweep():
        is_log = "log" in value.tags
        if value.start > value.end or (is_log and value.start <= 0):
            raise InputError(
                f"`{override.get_key_element()}` must be an interval(a,b) with a ≤ b, and 0 < a "
                f"with tag(log,...), got {value.start} and {value.end}; choose other ends"
            )
        if isinstance(value.start, int) and isinstance(value.end, int):
            return kinds.IntDistribution(value.start, value.end, log=is_log)
        return kinds.FloatDistribution(value.start, value.end, log=is_log)
    return kinds.CategoricalDistribution(list(override.sweep_string_iterator()))


def _objective(result: JobReturn) -> float | None:
    if result.status != JobStatus.COMPLETED or not isinstance(result.return_value, (int, float)):
        return None
    value = float(result.return_value)
    return value if math.isfinite(value) else None
