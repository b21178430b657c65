"""Arrays that come in from outside, and arrays that go out and must not be changed there.

Certified or checked objects keep *frozen* arrays: read-only ones without any writable view. Code
that makes an object passes its own arrays through `freeze`, which copies nothing; the object passes
its arguments through `frozen`, which copies those that are not frozen yet.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from relutopo.checks import kind_of
from relutopo.errors import InputError

__all__ = [
    "Frozen",
    "Labels",
    "as_array",
    "as_labels",
    "as_numbers",
    "as_outputs",
    "as_points",
    "categories_of",
    "check_finite",
    "freeze",
    "frozen",
    "points_of",
    "read_only",
]

_Scalar = TypeVar("_Scalar", bound=np.generic)


def as_array(values: Any, dtype: Any = None, name: str = "values") -> NDArray[Any]:
    """Return values as an array; those of a torch tensor without its gradient history.

    Parameters
    ----------
    values : array_like
        A torch tensor on any device is fine.
    dtype : dtype, optional
        That of the values by default.
    name : str
        The argument's name, for the message.

    Raises
    ------
    InputError
        If rows have different lengths, or entries are not of that type.

    Examples
    --------
    >>> as_array([1, 2], float).tolist()
    [1.0, 2.0]
    """
    try:
        given = values.detach().cpu() if hasattr(values, "detach") else values
        return np.asarray(given, dtype=dtype)
    except ValueError as error:  # rows of different lengths, or text in the place of numbers
        reason = str(error).partition(". ")[0]
        raise InputError(
            f"`{name}` must be an array, got {type(values).__name__} ({reason}); pass entries of "
            "one kind, as many in each row"
        ) from error


def as_numbers(values: Any, name: str) -> NDArray[np.float64]:
    """Return values as a float64 array, or raise an error that says what is wrong with them.

    Parameters
    ----------
    values : array_like
        Real numbers; a torch tensor of any type and on any device is fine.
    name : str
        The argument's name, for the message.

    Raises
    ------
    InputError
        If the values are not real numbers, rows have different lengths, or entries are masked.

    Examples
    --------
    >>> as_numbers([[1, 2]], "points").tolist()
    [[1.0, 2.0]]
    >>> as_numbers([[1, 2], [3]], "points")
    Traceback (most recent call last):
    ...
    relutopo.errors.InputError: `points` must be an array of numbers, got entries that are none ...
    """
    if type(values) is np.ndarray and values.dtype == np.float64:
        return values
    remedy = "drop or encode columns of words, and give each row as many entries"
    if (how := points_of(values)) is not None:
        raise InputError(
            f"`{name}` must be an array of numbers, got {type(values).__name__}; {how}"
        )
    try:
        if hasattr(values, "detach") and values.dtype.is_floating_point:
            values = values.double()  # NumPy lacks some of torch's types
        array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
        is_real = array.dtype.kind not in "cmM"
        numbers: NDArray[np.float64] = np.asarray(array if is_real else None, dtype=np.float64)
        is_masked = np.ma.is_masked(values)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"`{name}` must be an array of numbers, got entries that are none ({error}); {remedy}"
        ) from error
    if not is_real or is_masked:
        came = "masked entries" if is_real else f"dtype {array.dtype}"
        raise InputError(f"`{name}` must be an array of numbers, got {came}; {remedy}")
    return numbers


def points_of(values: object) -> str | None:
    """Return how to get the points from a data set with labels; None for anything else.

    Examples
    --------
    >>> points_of([1, 2]) is None
    True
    """
    if hasattr(values, "points") and hasattr(values, "targets"):
        return "pass its `points`"
    if hasattr(values, "tensors"):  # torch's TensorDataset
        return "pass its first tensor, `.tensors[0]`"
    if hasattr(values, "batch_size") and hasattr(values, "dataset"):  # torch's DataLoader
        return "pass its inputs as one array, for example torch.cat([x for x, _ in loader])"
    return None


def as_points(points: ArrayLike, dim: int, name: str = "points") -> NDArray[np.float64]:
    """Return points as an (n, dim) float64 array, or raise an error that says what is wrong.

    Parameters
    ----------
    points : (n, dim) array_like
        Finite coordinates; a torch tensor is fine.
    dim : int
        The expected dimension.
    name : str
        The argument's name, for the message.

    Raises
    ------
    InputError
        If the shape is not (n, dim) or a coordinate is not finite.

    Examples
    --------
    >>> as_points([[1, 2]], 2).dtype
    dtype('float64')
    """
    x = as_numbers(points, name)
    if x.ndim != 2 or x.shape[1] != dim:
        raise InputError(
            f"`{name}` must have shape (n, {dim}), got {x.shape}; pass one row for each point "
            f"and one column for each of the {dim} input dimensions"
        )
    check_finite(x, name)
    return x


def check_finite(rows: NDArray[np.float64], name: str) -> None:
    """Raise an error that says where numbers are not finite, if some are not.

    Parameters
    ----------
    rows : (n, ...) ndarray
    name : str
        The argument's name, for the message.

    Raises
    ------
    InputError
        If a number is NaN or infinite.

    Examples
    --------
    >>> check_finite(np.array([[1.0, np.nan]]), "points")
    Traceback (most recent call last):
    relutopo.errors.InputError: `points` must be finite, got nan in row 0, column 1; drop or ...
    """
    is_finite = np.isfinite(rows)
    if is_finite.all():
        return
    at = np.unravel_index(int(np.argmin(is_finite)), rows.shape)
    row, *entry = map(int, at)
    place = f", column {entry[0]}" if len(entry) == 1 else f", entry {tuple(entry)}" * bool(entry)
    others = int(np.sum(~is_finite.reshape(len(rows), -1).all(axis=1))) - 1
    more = f" (and in {others} more)" * bool(others)
    raise InputError(
        f"`{name}` must be finite, got {rows[at]} in row {row}{place}{more}; drop or repair it"
    )


class Labels(NamedTuple):
    """Labels of points as classes.

    Attributes
    ----------
    classes : (k,) ndarray
        The different labels, ascending; words of a categorical column of pandas or polars in the
        order of its categories.
    codes : (n,) ndarray of int64
        The class of each point, 0..k-1.
    """

    classes: NDArray[Any]
    codes: NDArray[np.int64]

    @property
    def are_numbers(self) -> bool:
        """Whether the labels are numbers; true and false count as numbers."""
        return self.classes.dtype.kind in "biuf"

    @property
    def are_whole(self) -> bool:
        """Whether the labels are words, or numbers without a fraction: classes, not values."""
        return not self.are_numbers or bool(np.all(self.classes == np.rint(self.classes)))


def as_labels(labels: Any, name: str = "labels") -> Labels:
    """Return labels of any kind as classes: numbers, words, true and false, categories.

    Parameters
    ----------
    labels : (n,) or (n, 1) array_like
        Of one kind, none missing; a torch tensor or a column of pandas is fine.
    name : str
        The argument's name, for the message.

    Raises
    ------
    InputError
        If the shape is another, or a label is missing or not of the same kind as the others.

    Examples
    --------
    >>> found = as_labels(["dog", "cat", "dog"])
    >>> found.classes.tolist(), found.codes.tolist()
    (['cat', 'dog'], [1, 0, 1])
    """
    array = as_array(labels, name=name)
    if not array.ndim:
        raise InputError(
            f"`{name}` must have one entry for each point, got {kind_of(array.item())}; pass a "
            "sequence with one for each of them"
        )
    if array.shape[1:] == (1,):
        array = array[:, 0]
    if array.ndim != 1:
        is_one_hot = array.ndim == 2 and array.shape[1] > 1
        remedy = "argmax(axis=1)" if is_one_hot else "ravel()"
        raise InputError(f"`{name}` must have shape (n,), got {array.shape}; pass {name}.{remedy}")
    missing = [] if array.dtype.kind in "biuSU" else _missing_rows(array)
    if missing:
        kind = "be of one kind and none" if array.dtype == object else "have none"
        raise InputError(
            f"`{name}` must {kind} missing, got {array[missing[0]]} in row {missing[0]}; drop "
            "points without a label"
        )
    try:
        classes, codes = np.unique(array, return_inverse=True)
    except TypeError as error:
        raise InputError(
            f"`{name}` must be of one kind and none missing, got entries that cannot be compared "
            f"({error}); pass all {name} as strings"
        ) from error
    if categories := categories_of(labels):
        places = np.argsort([categories.index(name) for name in classes.tolist()])
        classes, codes = classes[places], np.argsort(places)[codes]
    if classes.dtype == object and len(classes):
        classes = np.array(classes.tolist())
    return Labels(classes, codes.astype(np.int64))


def categories_of(labels: Any) -> list[Any]:
    """Return the words that are the categories of a column of pandas or polars, in their order.

    They are none for other labels, and for categories that are numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> categories_of(pd.Categorical(["low"], ["low", "high"])), categories_of(["low"])
    (['low', 'high'], [])
    """
    columns = getattr(labels, "dtypes", None)  # of a table
    if getattr(labels, "ndim", 1) == 2 and columns is not None and len(columns) == 1:
        labels = labels[labels.columns[0]]
    dtype = getattr(labels, "dtype", None)
    if type(dtype).__name__ not in ("CategoricalDtype", "Enum"):
        return []
    categories = list(dtype.categories)  # type: ignore[union-attr]
    return [] if as_array(categories).dtype.kind in "biuf" else categories


def as_outputs(
    labels: Any, n_points: int, n_classes: int, name: str = "labels"
) -> NDArray[np.int64]:
    """Return the output that each label means.

    Parameters
    ----------
    labels : (n_points,) or (n_points, 1) array_like
        Numbers of outputs, 0..n_classes-1, also as floats; or as many different other labels as
        there are outputs, which correspond to the outputs in ascending order. Words that are the
        categories of a column of pandas or polars correspond to them in their own order.
    n_points, n_classes : int
    name : str
        The argument's name, for the message.

    Raises
    ------
    InputError
        If there is not one label for each point, or the labels are neither of these.

    Examples
    --------
    >>> as_outputs([2.0, 0.0], 2, 3).tolist(), as_outputs(["b", "a"], 2, 2).tolist()
    ([2, 0], [1, 0])
    """
    found = as_labels(labels, name)
    if len(found.codes) != n_points:
        raise InputError(
            f"`{name}` must be one for each of the {n_points} points, got {len(found.codes)}; pass "
            "those of these points"
        )
    kinds = found.classes
    if kinds.dtype.kind in "iuf" and set(kinds.tolist()) <= set(range(n_classes)):
        return kinds.astype(np.int64)[found.codes]
    categories = categories_of(labels)
    if len(categories) == n_classes:
        return np.array([categories.index(name) for name in kinds.tolist()])[found.codes]
    if len(kinds) != n_classes:
        raise InputError(
            f"`{name}` must be numbers 0..{n_classes - 1} of outputs, or of {n_classes} classes, "
            f"got {len(kinds)} others; pass numbers of outputs if some classes are missing, or "
            "pandas.Categorical(labels, categories=[...])"
        )
    return found.codes


def _missing_rows(column: NDArray[Any]) -> list[int]:
    """Return the rows whose entry is missing."""
    if column.dtype.kind == "f":
        return np.flatnonzero(np.isnan(column)).tolist()
    return [row for row, value in enumerate(column.tolist()) if _is_missing(value)]


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)  # NaN and NaT differ from themselves
    except (TypeError, ValueError):  # pandas.NA, whose comparison has no truth value
        return True


def read_only(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """Return a read-only view of an array; the array itself does not change.

    Examples
    --------
    >>> read_only(np.zeros(2))[0] = 1.0
    Traceback (most recent call last):
    ...
    ValueError: assignment destination is read-only
    """
    if not array.flags.writeable:
        return array
    view = array.view()
    view.setflags(write=False)
    return view


def freeze(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """Make an array read-only, with all arrays that it is a view of, and return it.

    Examples
    --------
    >>> own = np.zeros(3)
    >>> freeze(own[:2]).flags.writeable, own.flags.writeable
    (False, False)
    """
    part: Any = array
    while part is not None and isinstance(part, np.ndarray):
        part.setflags(write=False)
        part = part.base
    return array


def frozen(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """Return the array if it is frozen, otherwise a frozen copy.

    Examples
    --------
    >>> given = np.zeros(3)
    >>> kept = frozen(given)
    >>> kept is given, kept is frozen(kept), given.flags.writeable
    (False, True, True)
    """
    part: Any = array
    while part is not None and isinstance(part, np.ndarray):
        if part.flags.writeable:
            return freeze(np.array(array))
        part = part.base
    return array


class Frozen:
    """An object whose arrays are still frozen when it is copied, or read from a pickle.

    Examples
    --------
    >>> import copy
    >>> class Point(Frozen):
    ...     def __init__(self):
    ...         self.x = freeze(np.zeros(2))
    >>> copy.deepcopy(Point()).x.flags.writeable
    False
    """

    def __setstate__(self, state: dict[str, Any]) -> None:
        _freeze_within(state)
        self.__dict__.update(state)


def _freeze_within(value: Any) -> None:
    if isinstance(value, np.ndarray):
        freeze(value)
    elif isinstance(value, sparse.csr_array):
        _freeze_within((value.data, value.indices, value.indptr))
    elif isinstance(value, dict):
        _freeze_within(list(value.values()))
    elif isinstance(value, (tuple, list)):
        for part in value:
            _freeze_within(part)
