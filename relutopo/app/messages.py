"""What the command says when something is wrong: what came, what could have, and what to do."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from relutopo.errors import RelutopoError

__all__ = ["EXPECTED", "explain"]

EXPECTED = (RelutopoError, OSError, HydraException, OmegaConfBaseException)
"""Errors that are no faults of relutopo: a message says more than a traceback."""


def explain(error: BaseException) -> str:
    """Return what to tell the person at the terminal.

    Examples
    --------
    >>> explain(OSError(errno.ENOSPC, "No space left on device"))
    'the disk is full (No space left on device); what was complete ... it goes on from there'
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk is full ({error.strerror}); what was complete before is untouched: free "
            "some space and give the same command again, it goes on from there"
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return f"{group}={name} does not exist" + _remedy(name, error.options)
    cause = error.__cause__ if isinstance(error, HydraException) else error
    if isinstance(cause, InterpolationResolutionError):
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, (ConfigKeyError, ConfigAttributeError)) and cause.parent_node is not None:
        key = str(cause.full_key)
        parent, dot, _ = key.rpartition(".")
        known = [f"{parent}{dot}{name}" for name in cause.parent_node]
        return f"`{key}` is not a key" + _remedy(key, (k for k in known if k != "hydra"))
    if isinstance(cause, MissingMandatoryValue):
        return f"`{cause.full_key}` has no value; add {cause.full_key}=<value> to the command"
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        return f"`{cause.full_key}`: {str(cause).splitlines()[0]}"
    return str(error)


def _remedy(wrong: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(wrong, names, n=1)
    guess = f"; did you mean {close[0]}?" if close else ""
    return f"{guess}; choose one of {', '.join(names)}"
