"""Identity of a job: a hash of its settings, of its input files and of the code.

Two jobs with one identity give the same results, so that the second need not be computed. Where a
job keeps its files is no part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from glob import glob
from pathlib import Path
from typing import Any

from relutopo.analyses.versions import code_of

__all__ = ["Identity", "digest", "input_files"]

_PLACES = ("training_dir", "objective")
"""Settings that say where a job works or what is reported of it, not what it computes."""


@dataclass(frozen=True)
class Identity:
    """What the results of a job depend on, beside the libraries that relutopo is built on.

    Attributes
    ----------
    experiment : str
        Name of the experiment.
    settings : mapping
        The resolved configuration: plain values.
    code : mapping of str to str
        Version of each package that computes; see `relutopo.analyses.versions`.
    inputs : mapping of str to str
        For each file that the settings name, its size and time of change, or "missing".

    Examples
    --------
    >>> one = Identity.of("two_moons", {"seed": 0, "training_dir": "here"})
    >>> one.id == Identity.of("two_moons", {"seed": 0, "training_dir": "there"}).id
    True
    >>> one.id == Identity.of("two_moons", {"seed": 1, "training_dir": "here"}).id
    False
    """

    experiment: str
    settings: Mapping[str, Any]
    code: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, experiment: str, values: Mapping[str, Any]) -> Identity:
        """Return the identity of a job with these settings, run now by this code."""
        settings = {key: value for key, value in values.items() if key not in _PLACES}
        return cls(experiment, settings, code_of(settings), _inputs(settings))

    @property
    def id(self) -> str:
        """A hash that tells this job from any other."""
        return digest(asdict(self))

    @property
    def settings_id(self) -> str:
        """A hash of experiment and settings alone, without the code and the input files."""
        return digest({"experiment": self.experiment, "settings": self.settings})

    @property
    def training_id(self) -> str:
        """A hash of what determines the training run, which several jobs may share."""
        keys = ("data", "network", "trainer", "seed")
        settings = {key: self.settings.get(key) for key in keys}
        return digest({"settings": settings, "code": self.code, "inputs": self.inputs})


def digest(content: Any) -> str:
    """Return twelve hexadecimal digits of the SHA-256 of plain values.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def input_files(pattern: str) -> list[str]:
    """Return the files that match a pattern, sorted by name; ``**`` matches folders.

    Examples
    --------
    >>> input_files("no/such/**/*.pt")
    []
    """
    return sorted(glob(pattern, recursive=True))


def _inputs(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the state of each input file that `path` or `checkpoints` in the settings names."""
    inputs = {}
    for key in ("network", "data"):
        entry = settings.get(key)
        if isinstance(entry, Mapping) and isinstance(entry.get("path"), str):
            inputs[entry["path"]] = _state(entry["path"])
    for name in input_files(settings.get("checkpoints") or ""):
        inputs[name] = _state(name)
    return inputs


def _state(name: str) -> str:
    path = Path(name)
    if not path.is_file():
        return "missing"
    state = path.stat()
    return f"{state.st_size} bytes, {state.st_mtime_ns}"
