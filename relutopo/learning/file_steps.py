"""The training step of each file of a model.

Invariant: all files of a run are numbered by one rule, so that they are in the order of training.
If the rule gives two files the same number, or some file none, that is an error; no other order is
guessed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from relutopo.errors import InputError

__all__ = ["FileSteps", "file_steps"]

# A number that is not part of a decimal fraction, such as that of a loss.
_NUMBER = r"(?<!\d)(?<!\d\.)(\d+)(?!\d|\.\d)"
_AFTER = r"(?<![a-zA-Z])(?:{})[ =_-]?(\d+)(?!\d|\.\d)"
_NAMED = {
    "step": re.compile(_AFTER.format("global[_-]?steps?|steps?|iterations?|iter"), re.IGNORECASE),
    "epoch": re.compile(_AFTER.format("epochs?"), re.IGNORECASE),
}
_LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class FileSteps:
    """Files by their steps.

    Attributes
    ----------
    files : dict of int to Path
        In ascending order of the steps.
    source : str
        Where the steps come from, in words.
    """

    files: Mapping[int, Path]
    source: str


def file_steps(
    files: Sequence[str | os.PathLike[str]], global_step: Callable[[Path], int | None]
) -> FileSteps:
    """Return the step of each file of one run.

    The first of these rules that applies is used: the number after ``step`` in the name
    (``epoch=3-step=400``); the number after ``epoch``; the step recorded in the file; a number in
    the name that differs from file to file, the last of several. Digits of a decimal fraction, as
    in ``val_loss=0.69``, are ignored. If files of one name lie in several folders, the names of the
    folders count too. Files without any number are taken in the order of their names.

    Parameters
    ----------
    files : sequence of path-like
        At least one.
    global_step : callable
        Returns the step recorded in a file, or None.

    Raises
    ------
    InputError
        If two files have one step, or some have none.

    Examples
    --------
    >>> names = ["epoch=1-val_loss=0.04.ckpt", "epoch=0-val_loss=0.69.ckpt"]
    >>> found = file_steps(names, lambda path: None)
    >>> list(found.files), found.source
    ([0, 1], 'the number after "epoch" in the names')
    """
    paths = sorted({Path(file) for file in files})
    names = _names(paths)
    for word, pattern in _NAMED.items():
        found = [pattern.findall(name) for name in names]
        if any(found):
            numbers = [int(each[-1]) if each else None for each in found]
            return _checked(paths, numbers, f'the number after "{word}" in the names')
    said = [global_step(paths[0])]
    if said[0] is not None:
        said += [global_step(path) for path in paths[1:]]
        return _checked(paths, said, '"global_step" in the files')
    found = [_small(re.findall(_NUMBER, name)) for name in names]
    if any(found):
        return _checked(paths, _differing(found), "the number in the names")
    return _checked(paths, list(range(len(paths))), "the order of the names, which have no number")


def _names(paths: Sequence[Path]) -> list[str]:
    stems = [path.stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    shared = Path(os.path.commonpath([path.parent for path in paths]))
    return [str(path.relative_to(shared).with_suffix("")) for path in paths]


def _small(numbers: Sequence[str]) -> list[int]:
    return [int(number) for number in numbers if int(number) <= _LARGEST]


def _differing(found: Sequence[Sequence[int]]) -> list[int | None]:
    """Return a number in the name of each file: the last one that differs in all files, if any."""
    fewest = min(map(len, found))
    for place in range(1, fewest + 1):
        numbers: list[int | None] = [each[-place] for each in found]
        if len(set(numbers)) == len(numbers):
            return numbers
    return [each[-1] if each else None for each in found]


def _checked(paths: Sequence[Path], numbers: Sequence[int | None], source: str) -> FileSteps:
    without = [str(path) for path, number in zip(paths, numbers, strict=True) if number is None]
    if without:
        raise InputError(
            f"every model must have a step, got none for {_listed(without)}; steps are "
            f"{source}: leave out these files, or name them alike"
        )
    by_step: dict[int, list[Path]] = {}
    for path, number in zip(paths, numbers, strict=True):
        assert number is not None
        by_step.setdefault(number, []).append(path)
    for step, same in by_step.items():
        if len(same) > 1:
            raise InputError(
                f"every model must have a step of its own, got step {step} for "
                f"{_listed(list(map(str, same)))}; steps are {source}: leave out all but one, or "
                "put the step in the names, as in model_step=400.pt"
            )
    return FileSteps({step: by_step[step][0] for step in sorted(by_step)}, source)


def _listed(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")
