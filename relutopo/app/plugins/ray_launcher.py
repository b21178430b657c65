"""Launcher that runs the jobs of a sweep as tasks of Ray, on this machine or on a cluster.

Every machine needs the same environment, and the folder of the sweep on a file system that all
share.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import (
    JobReturn,
    JobStatus,
    configure_log,
    filter_overrides,
    run_job,
    setup_globals,
)
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from relutopo.optional import require

__all__ = ["RayLauncher"]

log = logging.getLogger(__name__)


class RayLauncher(Launcher):
    """Launcher that runs each job as one task of Ray.

    Parameters
    ----------
    init : mapping
        Arguments of ``ray.init``; ``address`` names a cluster.
    remote : mapping
        Arguments of ``ray.remote``: what one job needs, for example ``num_cpus``.
    """

    def __init__(self, init: Mapping[str, Any], remote: Mapping[str, Any]) -> None:
        self._init: Any = OmegaConf.to_container(OmegaConf.create(dict(init)), resolve=True)
        self._remote: Any = OmegaConf.to_container(OmegaConf.create(dict(remote)), resolve=True)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Store Hydra's context, the task and the configuration."""
        self._context, self._task, self._config = hydra_context, task_function, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a batch of jobs; one whose process dies does not stop the others."""
        ray: Any = require("ray", "hydra/launcher=ray")
        setup_globals()
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        Path(str(self._config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        if not ray.is_initialized():
            ray.init(**self._init)
        log.info("Ray runs %d jobs on %s", len(job_overrides), ray.cluster_resources())
        task = ray.remote(**self._remote)(_run)
        tasks = []
        for i, overrides in enumerate(job_overrides, initial_job_idx):
            log.info("\t#%d : %s", i, " ".join(filter_overrides(overrides)))
            config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
            with open_dict(config):
                config.hydra.job.id = f"{config.hydra.job.name}_{i}"
                config.hydra.job.num = i
            tasks.append(task.remote(self._context, config, self._task, Singleton.get_state()))
        return [self._result(ray, i, task) for i, task in enumerate(tasks, initial_job_idx)]

    @staticmethod
    def _result(ray: Any, number: int, task: Any) -> JobReturn:
        try:
            result: JobReturn = ray.get(task)
        except ray.exceptions.RayError as error:
            log.error("job %d ended without a result: %s", number, error)
            result = JobReturn()
            result.return_value, result.status = error, JobStatus.FAILED
        return result


def _run(
    context: HydraContext, config: DictConfig, task: TaskFunction, state: Mapping[Any, Any]
) -> JobReturn:
    """Run one job in a process of Ray."""
    setup_globals()
    Singleton.set_state(state)
    HydraConfig.instance().set_config(config)
    return run_job(
        hydra_context=context,
        task_function=task,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
