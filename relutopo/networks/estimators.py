"""Networks of scikit-learn: multi-layer perceptrons, and the steps of a pipeline before them.

Scalers, principal components and selections of columns are affine; they become the first nodes of
the graph. Divisions multiply by the rounded reciprocal, and from then on these floats *are* the
network; their product with the first weights is not rounded where signs are decided.

scikit-learn is not imported here: a caller who passes an estimator has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.networks.graph import Affine, GraphNetwork, Kink
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.networks.roundoff import outputs_in_range

__all__ = ["is_estimator", "network_of_estimator"]

_LINKS = {"identity": None, "logistic": "sigmoid", "softmax": "softmax"}
_STEPS = (
    "StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, PCA, TruncatedSVD, and selections "
    "of columns"
)
_REMEDY = f"understood are {_STEPS}; transform the data before, and pass the perceptron alone"


def is_estimator(model: Any) -> bool:
    """Tell whether an object is an estimator of scikit-learn."""
    base = sys.modules.get("sklearn.base")
    return base is not None and isinstance(model, base.BaseEstimator)


def network_of_estimator(estimator: Any) -> Network:
    """Read a fitted MLPClassifier, MLPRegressor, or a pipeline that ends in one.

    Parameters
    ----------
    estimator : sklearn.base.BaseEstimator
        A parameter search stands for the best estimator that it found.

    Returns
    -------
    Network
        Its link is that of a classifier: ``"sigmoid"`` for two classes, ``"softmax"`` for more.

    Raises
    ------
    UnsupportedModuleError
        If a step, or the activation function, is not piecewise linear or not known.
    InputError
        If the estimator is not fitted.

    Examples
    --------
    >>> from sklearn.neural_network import MLPClassifier
    >>> classifier = MLPClassifier(hidden_layer_sizes=(3,), max_iter=1, random_state=0)
    >>> try:
    ...     network_of_estimator(classifier)
    ... except InputError as error:
    ...     print(error)
    `model` must be fitted, got MLPClassifier without coefs_; call its fit before
    """
    steps = _steps(estimator)
    perceptron = steps.pop()
    _check_fitted(perceptron, "coefs_")
    nodes: list[Affine | Kink] = []
    for step in steps:
        matrix, shift = _affine(step)
        nodes.append(Affine((len(nodes),), (matrix,), shift))
    network = _with_perceptron(perceptron, nodes)
    network = network.with_link(_LINKS[perceptron.out_activation_])
    _compare(estimator, perceptron, network)
    return network


def _steps(estimator: Any) -> list[Any]:
    """Return the steps applied to the inputs, the perceptron last."""
    kind = type(estimator).__name__
    if hasattr(estimator, "best_estimator_"):
        return _steps(estimator.best_estimator_)
    if kind == "Pipeline":
        named = [step for _, step in estimator.steps if step not in (None, "passthrough")]
        return [*(s for step in named[:-1] for s in _inner(step)), *_steps(named[-1])]
    if kind in ("MLPClassifier", "MLPRegressor"):
        return [estimator]
    if kind.endswith("SearchCV"):
        raise InputError(
            f"`model` must be fitted, got {kind} without best_estimator_; call its fit"
        )
    raise UnsupportedModuleError(
        f"`model` must be an MLPClassifier or MLPRegressor of scikit-learn, or a Pipeline that "
        f"ends in one, got {kind}; pass that part of it"
    )


def _inner(step: Any) -> list[Any]:
    if type(step).__name__ == "Pipeline":
        return [inner for _, part in step.steps for inner in _inner(part)]
    return [] if step in (None, "passthrough") else [step]


def _check_fitted(step: Any, attribute: str) -> None:
    if not hasattr(step, attribute):
        raise InputError(
            f"`model` must be fitted, got {type(step).__name__} without {attribute}; call its fit "
            "before"
        )


def _affine(step: Any) -> tuple[NDArray[np.float64] | sparse.csr_array, NDArray[np.float64]]:
    """Return the matrix and the shift of a step that transforms its inputs affinely."""
    kind = type(step).__name__
    _check_fitted(step, "n_features_in_")
    n = int(step.n_features_in_)
    if kind == "StandardScaler":
        return _scaled(n, step.scale_, step.mean_ if step.with_mean else None)
    if kind == "RobustScaler":
        return _scaled(n, step.scale_, step.center_)
    if kind == "MaxAbsScaler":
        return _scaled(n, step.scale_, None)
    if kind == "MinMaxScaler" and not step.clip:
        return sparse.csr_array(sparse.diags_array(np.asarray(step.scale_, float))), step.min_
    if kind in ("PCA", "TruncatedSVD"):
        matrix = np.array(step.components_, dtype=np.float64)
        if getattr(step, "whiten", False):
            deviations = np.sqrt(step.explained_variance_)
            matrix /= np.maximum(deviations, np.finfo(deviations.dtype).eps)[:, None]
        mean = getattr(step, "mean_", None)
        return matrix, -matrix @ mean if mean is not None else np.zeros(len(matrix))
    if hasattr(step, "get_support"):
        chosen = step.get_support(indices=True)
        rows = np.arange(len(chosen))
        shape = (len(chosen), n)
        selection = sparse.csr_array((np.ones(len(chosen)), (rows, chosen)), shape=shape)
        return selection, np.zeros(len(chosen))
    if kind == "FunctionTransformer" and step.func is None:
        return sparse.csr_array(sparse.eye_array(n)), np.zeros(n)
    raise UnsupportedModuleError(
        f"`model` must transform its inputs by affine maps, got {step!r} in a Pipeline; {_REMEDY}"
    )


def _scaled(
    n: int, scale: Any, center: Any
) -> tuple[NDArray[np.float64] | sparse.csr_array, NDArray[np.float64]]:
    factors = np.ones(n) if scale is None else 1.0 / np.asarray(scale, dtype=np.float64)
    shift = np.zeros(n) if center is None else -np.asarray(center, dtype=np.float64) * factors
    return sparse.csr_array(sparse.diags_array(factors)), shift


def _with_perceptron(perceptron: Any, nodes: Sequence[Affine | Kink]) -> Network:
    weights = [np.asarray(matrix.T, dtype=np.float64) for matrix in perceptron.coefs_]
    biases = [np.asarray(bias, dtype=np.float64) for bias in perceptron.intercepts_]
    activation = perceptron.activation
    if activation not in ("relu", "identity"):
        raise UnsupportedModuleError(
            f"`model` must have the activation 'relu' or 'identity', got {activation!r}, which is "
            "not piecewise linear; fit it with activation='relu'"
        )
    if not nodes and activation == "relu":
        return ReluNetwork(weights, biases)
    chain = list(nodes)
    n_inputs = weights[0].shape[1] if not chain else chain[0].matrices[0].shape[1]  # type: ignore[union-attr]
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if i and activation == "relu":
            width = weight.shape[1]
            chain.append(Kink(len(chain), np.ones(width), np.zeros(width)))
        chain.append(Affine((len(chain),), (weight,), bias))
    return GraphNetwork(n_inputs, chain)


def _compare(estimator: Any, perceptron: Any, network: Network) -> None:
    """Compare the network with the predictions of the estimator at random points."""
    rng = np.random.default_rng(0)
    points: Any = rng.standard_normal((20, network.input_dim))
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:  # it was fitted with a table, and warns if it gets an array
        points = sys.modules["pandas"].DataFrame(points, columns=names)
    computed = outputs_in_range(network, np.asarray(points))
    if hasattr(perceptron, "classes_"):
        expected = np.asarray(estimator.predict_proba(points))
        if computed.shape[1] == 1 and expected.shape[1] == 2:
            expected = expected[:, 1:]
    else:
        expected = np.asarray(estimator.predict(points)).reshape(len(points), -1)
    size = max(1.0, float(np.abs(expected).max(initial=0.0)))
    if computed.shape != expected.shape or not np.abs(computed - expected).max() <= 1e-5 * size:
        raise UnsupportedModuleError(
            f"`model` ({type(estimator).__name__}) was read, but the result differs from what it "
            "predicts; does a step do more than its class says? Pass the perceptron alone"
        )
