"""Resolvers of the configuration: ``${relutopo.<name>:}`` is computed from its other values."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from relutopo import registry
from relutopo.app.jobs.identity import Identity, digest

__all__ = ["choices", "plain", "register"]


def register() -> None:
    """Register the resolvers with OmegaConf; calling this again changes nothing.

    - ``relutopo.job``: the job's identity, which names its folder.
    - ``relutopo.asked``: eight digits, a hash of the command line.
    - ``relutopo.title``: the experiment, and the data where they are others than its own.
    - ``relutopo.sweep``: the experiment and a hash of the command line, so that the same command
      goes on in the same folder.
    - ``relutopo.choices``: the groups and what can be chosen in each, for the help.
    - ``relutopo.prefix``: what the terminal shows before each line of a sweep's job.
    """
    for function in (_job, _asked, _title, _sweep, _choices, _prefix):
        name = f"relutopo.{function.__name__[1:]}"
        OmegaConf.register_new_resolver(name, function, replace=True)


def plain(config: DictConfig) -> dict[str, Any]:
    """Return the resolved configuration of a job as plain values, without Hydra's own part."""
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    values: Any = OmegaConf.to_container(own, resolve=True, throw_on_missing=True, enum_to_str=True)
    return dict(values)


def _job(*, _root_: DictConfig) -> str:
    return Identity.of(str(_root_.hydra.runtime.choices.experiment), plain(_root_)).id


def _asked(*, _root_: DictConfig) -> str:
    return digest(_overrides(_root_))[:8]


def _title(*, _root_: DictConfig) -> str:
    choices = _root_.hydra.runtime.choices
    experiment, data = str(choices.experiment), str(choices.data)
    path = OmegaConf.select(_root_, "data.path")
    name = Path(path).stem if isinstance(path, str) else data
    if name and not experiment.startswith(name) and (data in _chosen(_root_, "data")):
        return f"{experiment}_{re.sub('[^A-Za-z0-9_.-]+', '+', name)}"
    return experiment


def _chosen(config: DictConfig, group: str) -> list[str]:
    """Return what the command line chooses in a group, or says about it."""
    pairs = (text.lstrip("+").partition("=") for text in _overrides(config))
    return [
        value if key == group else str(config.hydra.runtime.choices[group])
        for key, _, value in pairs
        if key == group or key == f"{group}.path"
    ]


def _sweep(*, _root_: DictConfig) -> str:
    overrides = _overrides(_root_)
    chosen = [text.partition("=")[2] for text in overrides if text.startswith("experiment=")]
    name = chosen[-1] if chosen else str(_root_.hydra.runtime.choices.experiment)
    return f"{re.sub('[^a-z0-9_]+', '+', name)}_{digest(overrides)[:8]}"


def _overrides(config: DictConfig) -> list[str]:
    return sorted(map(str, config.hydra.overrides.task))


def choices() -> dict[str, list[str]]:
    """Return the choices of each group, without those of other packages.

    Examples
    --------
    >>> choices()["network"]
    ['file', 'mlp']
    """
    groups: dict[str, list[str]] = {}
    for path in sorted(Path(str(resources.files("relutopo.conf"))).glob("*/*.yaml")):
        groups.setdefault(path.parent.name, []).append(path.stem)
    return groups


def _choices() -> str:
    groups = choices()
    for part in registry.outside():
        groups[part.role].append(f"{part.name} ({part.package})")
    return "\n".join(f"{group}: {', '.join(names)}" for group, names in groups.items())


def _prefix(*, _root_: DictConfig) -> str:
    job = _root_.hydra.job
    return "" if OmegaConf.is_missing(job, "num") else f"[job {job.num}] "
