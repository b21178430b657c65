"""Perceptrons and pipelines of scikit-learn: what they predict, at points inside regions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from relutopo import Box, GraphNetwork, ReluNetwork, as_network, decompose
from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.testing import assert_same_complex

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 3)) * [1.0, 20.0, 0.1] + [0.0, 5.0, 1.0]
TWO, THREE = (X[:, 0] > 0).astype(int), np.digitize(X[:, 1], [-5.0, 15.0])


def fitted(estimator: Any, labels: Any = TWO, points: Any = X) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge
        return estimator.fit(points, labels)


def classifier(**options: Any) -> MLPClassifier:
    return MLPClassifier(hidden_layer_sizes=(6, 5), max_iter=20, random_state=0, **options)


def probabilities(estimator: Any, points: Any = X) -> np.ndarray:
    found = np.asarray(estimator.predict_proba(points))
    return found[:, 1:] if found.shape[1] == 2 else found


@pytest.mark.parametrize("labels", [TWO, THREE, np.array(["a", "b"])[TWO]])
def test_classifiers(labels: Any) -> None:
    model = fitted(classifier(), labels)
    network = as_network(model)
    assert isinstance(network, ReluNetwork)
    assert network.layer_sizes == (6, 5)
    assert network.link == ("softmax" if network.n_outputs == 3 else "sigmoid")
    np.testing.assert_allclose(network.predict(X), probabilities(model), atol=1e-12)


def test_regressors() -> None:
    model = fitted(MLPRegressor(hidden_layer_sizes=(6,), max_iter=20, random_state=0), X[:, 0])
    network = as_network(model)
    assert network.link is None
    np.testing.assert_allclose(network(X)[:, 0], model.predict(X), atol=1e-9)
    several = fitted(MLPRegressor(hidden_layer_sizes=(6,), max_iter=20, random_state=0), X[:, :2])
    np.testing.assert_allclose(as_network(several)(X), several.predict(X), atol=1e-9)


STEPS: list[list[Any]] = [
    [StandardScaler()],
    [StandardScaler(with_mean=False)],
    [StandardScaler(with_std=False)],
    [MinMaxScaler((-1, 2))],
    [MaxAbsScaler()],
    [RobustScaler()],
    [PCA(2)],
    [PCA(whiten=True)],
    [TruncatedSVD(2)],
    [StandardScaler(), PCA(2, whiten=True)],
    [SelectKBest(k=2)],
    [VarianceThreshold(0.05), MinMaxScaler()],
    [FunctionTransformer()],
    ["passthrough"],
    [make_pipeline(StandardScaler(), PCA(2))],
]


@pytest.mark.parametrize("steps", STEPS, ids=lambda steps: "-".join(map(str, steps))[:40])
def test_pipelines(steps: list[Any]) -> None:
    model = fitted(make_pipeline(*steps, classifier()))
    network = as_network(model)
    assert network.input_dim == 3
    np.testing.assert_allclose(network.predict(X), probabilities(model), atol=1e-9)


def test_what_a_pipeline_does_first_is_not_rounded_into_the_weights() -> None:
    points = X[:, :2]
    model = fitted(make_pipeline(StandardScaler(), PCA(2), classifier()), points=points)
    network = as_network(model)
    assert isinstance(network, GraphNetwork)
    box = Box.around(points)
    fast, exact = (decompose(network, box, enumerator=name) for name in ("cpu", "exact"))
    assert_same_complex(fast, exact)
    assert fast.record.status == "certified"


def test_tables_with_names_of_columns() -> None:
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    model = fitted(make_pipeline(StandardScaler(), classifier()), points=table)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = as_network(model)
    np.testing.assert_allclose(network.predict(X), probabilities(model, table), atol=1e-9)


def test_searches_and_other_activations() -> None:
    search = GridSearchCV(classifier(), {"alpha": [1e-4, 1e-2]}, cv=2)
    with pytest.raises(InputError, match=r"must be fitted, got GridSearchCV without best_estim"):
        as_network(search)
    model = fitted(search)
    np.testing.assert_allclose(as_network(model).predict(X), probabilities(model), atol=1e-9)
    linear = fitted(
        MLPRegressor(hidden_layer_sizes=(4,), activation="identity", max_iter=5, random_state=0),
        X[:, 0],
    )
    network = as_network(linear)
    assert network.n_neurons == 0
    np.testing.assert_allclose(network(X)[:, 0], linear.predict(X), atol=1e-9)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (classifier(activation="tanh"), "activation 'relu' or 'identity', got 'tanh'"),
        (make_pipeline(Normalizer(), classifier()), r"by affine maps, got Normalizer\(\) in a Pip"),
        (make_pipeline(PolynomialFeatures(), classifier()), "by affine maps, got PolynomialFeat"),
        (make_pipeline(MinMaxScaler(clip=True), classifier()), "by affine maps, got MinMaxScaler"),
        (
            LogisticRegression(),
            "must be an MLPClassifier or MLPRegressor .* got LogisticRegression",
        ),
        (make_pipeline(StandardScaler()), "ends in one, got StandardScaler"),
    ],
)
def test_what_is_not_piecewise_linear_is_named(model: Any, message: str) -> None:
    with pytest.raises(UnsupportedModuleError, match=message):
        as_network(fitted(model))


def test_unfitted_estimators_say_so() -> None:
    for model in (classifier(), Pipeline([("scale", StandardScaler()), ("mlp", classifier())])):
        with pytest.raises(InputError, match="must be fitted, got MLPClassifier without coefs_"):
            as_network(model)
