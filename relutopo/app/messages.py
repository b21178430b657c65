"""Error messages of the command: what came, what was expected, and the remedy.

The library names its remedies in words of Python; here they become keys of the command.
"""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from relutopo import registry
from relutopo.errors import InputError, RelutopoError
from relutopo.system.untrusted import printable

__all__ = [
    "EXPECTED",
    "explain",
    "in_words_of_the_command",
    "refuse_missing_files",
    "refuse_unknown_keys",
    "refuse_unknown_measure",
    "refuse_unknown_objective",
    "refuse_values_of_groups",
]

EXPECTED = (RelutopoError, OSError, HydraException, OmegaConfBaseException)
"""Errors of input or environment: they are shown as a message, without a traceback."""
_NO_NAME = re.compile(r"[\[{]|[-+.\d]|(null|true|false|inf|nan|)$", re.IGNORECASE)
"""Text that Hydra reads as a list, a mapping, a number, a truth value or null."""
_SHAPE = "add network.input_shape=[1,28,28], for example"
_REMEDIES = {
    "pass an AffineSlice, for example the plane through three points, AffineSlice.through(a, b, "
    "c), or along the principal components of data, AffineSlice.principal(X), or look for regions "
    "only, by search_regions": "cut out a plane, by domain=slice_through or domain=slice_principal",
    "pass as_network(model, input_shape=(1, 28, 28)), for example, and decompose that": _SHAPE,
    "pass as_network(path, input_shape=(1, 28, 28)), for example": _SHAPE,
    "read it by load_model and pass trust=True": "add network.trust=true",
    "pass trust=True": "add network.trust=true",
    "choose one, for example by key=": "choose one, for example by network.key=",
    "`key` must": "`network.key` must",
    "choose one by output=": "choose one by network.output=",
    "in as_network choose one, for example by output=": (
        "choose one, for example by network.output="
    ),
    "`output` must": "`network.output` must",
    "`fixed` must": "`network.fixed` must",
    "read the value before it: output=": "read the value before it: network.output=",
    "choose the enumerator 'exact'": "add enumerator=exact",
    "or pass an instance with a larger tol or max_iterations": (
        "or a larger eigensolver.tol or eigensolver.max_iterations"
    ),
    "pass checkpoint_every to TrainerSettings": "set trainer.checkpoint_every",
    "or the domain 'around_data'": "or domain=around_data",
    ", pass an instance, or register yours": ", or register yours",
}
"""Remedies in the library's messages, and the same in keys of the command."""
_MISSING = re.compile(r"Could not (?:find|load) '(\w+)/([^'/]+)'")
_FIXED = re.compile(r"\bfixed=\{'(\w+)': \.\.\.\}")
_INPUT_SHAPE = re.compile(r"\binput_shape=\((\d+(?:, \d+)*),?\)")
"""A shape, as Python writes it."""
_SEVERAL = ("signature",)
"""Groups of which any number can be chosen, as a list."""


def explain(error: BaseException) -> str:
    """Return the message of an error for the terminal, with nothing that would steer it.

    Examples
    --------
    >>> explain(OSError(errno.ENOSPC, "No space left on device"))
    'the disk is full (No space left on device); what was complete ... it goes on from there'
    """
    return printable(_explained(error))


def _explained(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk is full ({error.strerror}); what was complete before is untouched: free "
            "some space and give the same command again, it goes on from there"
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, name = error.missing_cfg_file.rpartition("/")
        choices = {*error.options, *_installed(group)}
        return f"{group}={name} does not exist" + _remedy(name, choices)
    several = _MISSING.search(str(error)) if isinstance(error, MissingConfigException) else None
    if several is not None:  # one name in a list of choices
        group, name = several.groups()
        return f"{group}={name} does not exist" + _remedy(name, _installed(group))
    if isinstance(error, OverrideParseException):
        return _not_understood(error)
    if "does not support sweep type" in str(error):
        return (
            "interval(...) is for a search, a sweep takes values: a,b,c or range(...); give "
            "values, or add hydra/sweeper=optuna"
        )
    cause = error.__cause__ if isinstance(error, HydraException) else error
    if isinstance(cause, InterpolationResolutionError):
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, (ConfigKeyError, ConfigAttributeError)) and cause.parent_node is not None:
        key = str(cause.full_key)
        parent, dot, _ = key.rpartition(".")
        known = [f"{parent}{dot}{name}" for name in cause.parent_node]
        return f"`{key}` is not a key" + _elsewhere(key, known, cause.parent_node._get_root())
    if isinstance(cause, MissingMandatoryValue):
        return f"`{cause.full_key}` has no value; add {cause.full_key}=<value> to the command"
    if isinstance(cause, ValidationError) and "is not a ListConfig" in str(cause):
        came = str(cause).removeprefix("Invalid value assigned: ").partition(" is not")[0]
        return (
            f"`{cause.full_key}` must be a list, got one value ({came}); write it in brackets and "
            f"quotes: '{cause.full_key}=[<value>]'"
        )
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        return f"`{cause.full_key}`: {str(cause).splitlines()[0]}"
    return in_words_of_the_command(str(error))


def in_words_of_the_command(message: str) -> str:
    """Return an error's message with the remedy in keys of the command instead of Python.

    Examples
    --------
    >>> in_words_of_the_command("scale its layers down, or choose the enumerator 'exact'")
    'scale its layers down, or add enumerator=exact'
    >>> in_words_of_the_command("pass input_shape=(2,) if its first axis is a batch")
    'pass network.input_shape=[2] if its first axis is a batch'
    >>> in_words_of_the_command("give it a value, fixed={'t': ...}, or wrap the model")
    "give it a value, 'network.fixed={t: ...}', or wrap the model"
    """
    for python, command in _REMEDIES.items():
        message = message.replace(python, command)
    message = _FIXED.sub(r"'network.fixed={\1: ...}'", message)
    return _INPUT_SHAPE.sub(
        lambda found: f"network.input_shape=[{found[1].replace(' ', '')}]", message
    )


def refuse_values_of_groups(arguments: Iterable[str], groups: Mapping[str, Sequence[str]]) -> None:
    """Raise an `InputError` for a group whose value is no name, before Hydra fails on it.

    Parameters
    ----------
    arguments : iterable of str
        The command line.
    groups : mapping of str to sequence of str
        What can be chosen in each group.

    Examples
    --------
    >>> refuse_values_of_groups(["domain=box", "seed=null"], {"domain": ["around_data", "box"]})
    """
    for argument in arguments:
        key, equals, value = argument.partition("=")
        group = key.lstrip("+~").partition("@")[0]
        if not equals or not _NO_NAME.match(value):
            continue
        if group in groups and not (group in _SEVERAL and value.startswith("[")):
            raise InputError(
                f"`{group}` must be the name of a choice, got {value}; choose one of "
                f"{', '.join(groups[group])}, and set what belongs to it by {group}.<key>=<value>"
            )
        if group.startswith("hydra/"):
            raise InputError(
                f"`{group}` must be the name of a choice, got {value}; `relutopo --hydra-help` "
                "lists them"
            )


def refuse_unknown_keys(present: Iterable[str], known: Iterable[str]) -> None:
    """Raise an `InputError` for a key that nothing reads, which ``+key=value`` can bring in.

    Parameters
    ----------
    present : iterable of str
        The keys outside all groups.
    known : iterable of str
        Those that there are.

    Examples
    --------
    >>> refuse_unknown_keys(["sead"], ["seed", "figures"])
    Traceback (most recent call last):
    relutopo.errors.InputError: `sead` is not a key; did you mean seed?; choose one of figures, seed
    """
    names = set(known)
    for key in present:
        if key not in names:
            raise InputError(f"`{key}` is not a key" + _remedy(key, names))


def refuse_unknown_objective(objective: str | None, analysis: str, measures: Sequence[str]) -> None:
    """Raise an `InputError` for an objective that the analysis does not measure.

    Parameters
    ----------
    objective : str or None
        None is the first that the analysis measures.
    analysis : str
        Its name.
    measures : sequence of str
        What it measures.

    Examples
    --------
    >>> refuse_unknown_objective("delays", "partition", ["delay", "n_regions"])
    Traceback (most recent call last):
    relutopo.errors.InputError: `objective` must be something that the analysis 'partition' ...
    """
    if objective is not None and objective not in measures:
        raise InputError(
            f"`objective` must be something that the analysis {analysis!r} measures, got "
            f"{objective!r}" + _remedy(objective, measures)
        )


def refuse_unknown_measure(measure: str | None, measures: Mapping[str, Sequence[str]]) -> None:
    """Raise an `InputError` for a measure that no kind of analysis in a sweep has.

    Parameters
    ----------
    measure : str or None
        None is what each measured first.
    measures : mapping of str to sequence of str
        What each kind of analysis measured; may be empty, while no job is done.

    Examples
    --------
    >>> measures = {"partition": ["delay", "n_regions"], "homology": ["n_spikes"]}
    >>> refuse_unknown_measure("n_spikes", measures)
    >>> refuse_unknown_measure("spikes", measures)
    Traceback (most recent call last):
    relutopo.errors.InputError: `measure` must be something that the analysis 'partition' or ...
    """
    known = {name for names in measures.values() for name in names}
    if measure is not None and known and measure not in known:
        raise InputError(
            f"`measure` must be something that the analysis {' or '.join(map(repr, measures))} "
            f"measures, got {measure!r}" + _remedy(measure, known)
        )


def refuse_missing_files(values: Mapping[str, Any]) -> None:
    """Raise an `InputError` for a model or data that are not there, before anything is written.

    Parameters
    ----------
    values : mapping
        The resolved configuration.

    Examples
    --------
    >>> refuse_missing_files({"network": {"path": None}, "data": {"name": "two_moons"}})
    """
    for group in ("network", "data"):
        entry = values.get(group)
        path = entry.get("path") if isinstance(entry, Mapping) else None
        if isinstance(path, str) and not os.path.isfile(path):
            where = "" if os.path.isabs(path) else f" in {os.getcwd()!r}"
            raise InputError(
                f"`{group}.path` names the file {path!r}, which does not exist{where}; check the "
                "path"
            )


def _installed(group: str) -> tuple[str, ...]:
    return registry.names(group) if group in registry.roles() else ()


def _not_understood(error: OverrideParseException) -> str:
    """Return the message for an argument that Hydra cannot parse as an override."""
    said = [line for line in error.message.splitlines() if line and "override" not in line.lower()]
    if "=" not in error.override and not error.override.startswith("~"):
        close = difflib.get_close_matches(error.override, ["summarize", "show", "plugins"], n=1)
        guess = f"; did you mean relutopo {close[0]}, as the first word?" if close else ""
        experiments = Path(str(resources.files("relutopo.conf"))).glob("experiment/*.yaml")
        is_experiment = error.override in {path.stem for path in experiments}
        groups = ["experiment"] if is_experiment else _groups_of(error.override)
        if groups:
            guess = f"; did you mean {groups[0]}={error.override}?"
        return (
            f"{error.override!r} must be key=value{guess}; `relutopo --help` shows all keys and "
            "choices"
        )
    return (
        f"{error.override!r} cannot be read as key=value ({' '.join(said)}); close all brackets "
        "and quotes, and put single quotes around an argument with brackets, commas or spaces"
    )


def _remedy(wrong: str, known: Iterable[str], elsewhere: Sequence[str] = ()) -> str:
    names = sorted(known)
    close = elsewhere or _close(wrong, names)
    guess = f"; did you mean {' or '.join(close)}?" if close else ""
    return guess + (f"; choose one of {', '.join(names)}" if names else "")


def _close(wrong: str, names: Sequence[str]) -> list[str]:
    """Return the names that a wrong one may stand for.

    Examples
    --------
    >>> _close("trainer.lr", ["trainer.loss", "trainer.learning_rate"]), _close("sead", ["seed"])
    (['trainer.learning_rate'], ['seed'])
    """
    group, _, last = wrong.rpartition(".")
    short = []
    for name in names:
        of, _, key = name.rpartition(".")
        if of == group and _are_initials(last, key):
            short.append(name)
    return short or difflib.get_close_matches(wrong, names, n=1)


def _are_initials(short: str, name: str) -> bool:
    return len(short) > 1 and "".join(word[:1] for word in name.split("_")) == short


def _elsewhere(key: str, known: Sequence[str], config: Any) -> str:
    """Return the remedy for a key that is not there."""
    group, _, name = key.rpartition(".")
    # What other choices of its group have is meant rather than what other groups have.
    choices = _choices_with(name, group) if group else []
    paths = [] if choices else _paths_to(name, config)
    if not (choices or paths or group):
        choices = _choices_with(name, "")
    if choices:
        paths = [f"{of}.{name} with {of}={choice}" for of, choice in choices[:3]]
        known = known if group else []
    if not paths and not group and (belongs := _groups_of(name)):
        return f"; {name!r} is a choice: did you mean {belongs[0]}={name} {belongs[0]}.<key>=...?"
    return _remedy(key, (k for k in known if k != "hydra"), paths)


def _choices_with(name: str, group: str) -> list[tuple[str, str]]:
    """Return groups and choices that have a key of this name, in one group if it is given."""
    found = []
    for path in sorted(Path(str(resources.files("relutopo.conf"))).glob(f"{group or '*'}/*.yaml")):
        of, choice = path.parent.name, path.stem
        keys = re.findall(r"^(\w+):", path.read_text(encoding="utf-8"), re.MULTILINE)
        if name in keys and name != "name" and of not in ("experiment", *_SEVERAL):
            found.append((of, choice))
    return found


def _groups_of(name: str) -> list[str]:
    """Return the groups in which there is a choice of this name."""
    return [role for role in registry.roles() if name in registry.built_in(role)]


def _paths_to(name: str, config: Any) -> list[str]:
    """Return the paths of keys of this name, or with these initials, one level below the top."""
    groups = {} if not isinstance(config, DictConfig) else config
    paths = [
        f"{group}.{key}"
        for group in groups
        if group != "hydra" and isinstance(groups[group], DictConfig)
        for key in groups[group]
    ]
    named = [path for path in paths if path.endswith(f".{name}")]
    return named or [path for path in paths if _are_initials(name, path.partition(".")[2])]
