"""Handwritten digits: images of 8 x 8 pixels, the smallest real data with many inputs."""

from __future__ import annotations

import numpy as np

from relutopo.checks import check_flag, check_integer, check_seed, random_generator
from relutopo.learning.datasets import MOST_SEED, Dataset
from relutopo.optional import require

__all__ = ["digits"]

_N_CLASSES = 10


def digits(n: int = 200, random_labels: bool = False, seed: int = 0) -> Dataset:
    """Return handwritten digits, ten classes of images with 64 pixels in [0, 1].

    Parameters
    ----------
    n : int
        Number of training points, at least 10; all other images are held out.
    random_labels : bool
        Whether the labels of the training points are shuffled, so that they can only be memorised.
        Held-out points keep their labels.
    seed : int
        Seed of the choice of training points, and of the shuffling.

    Returns
    -------
    Dataset
        scikit-learn's ``load_digits``, divided by 16.

    Examples
    --------
    >>> digits(n=200)
    Dataset('digits', 200 points in 64 dimensions, 1597 held out, 10 classes)
    """
    load = require("sklearn.datasets", "the data set 'digits'").load_digits
    images, labels = load(return_X_y=True)
    remedy = "some of the images must be left to be held out"
    n = check_integer("n", n, _N_CLASSES, len(images) - _N_CLASSES, remedy=remedy)
    rng = random_generator(check_seed(seed, MOST_SEED))
    order = rng.permutation(len(images))
    points, labels = images[order] / 16, labels[order]
    if check_flag("random_labels", random_labels):
        labels = np.concatenate([rng.permutation(labels[:n]), labels[n:]])
    return Dataset(
        "digits", points[:n], labels[:n], points[n:], labels[n:], classes=range(_N_CLASSES)
    )
