"""Models of Keras: what they predict, at random points."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")

from relutopo import Box, GraphNetwork, ReluNetwork, as_network, decompose
from relutopo.errors import FloatRangeError, InputError, UnsupportedModuleError

keras: Any = pytest.importorskip("keras")
layers: Any = keras.layers


@pytest.fixture(autouse=True)
def seed() -> None:
    keras.utils.set_random_seed(0)


def sequential(shape: tuple[int, ...], *parts: Any) -> Any:
    model = keras.Sequential([keras.Input(shape), *parts])
    rng = np.random.default_rng(0)
    for weight in model.weights:  # biases and statistics that are not zero and one
        values = rng.normal(size=weight.shape) * 0.5
        weight.assign(np.abs(values) + 0.2 if "variance" in weight.path else values)
    return model


def check(model: Any, shape: tuple[int, ...]) -> Any:
    network = as_network(model)
    points = np.random.default_rng(1).normal(size=(12, *shape)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(points, training=False)).reshape(12, -1)
    found = network.predict(points.reshape(12, -1))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    return network


@pytest.mark.parametrize(
    "parts",
    [
        [layers.Dense(5, activation="relu"), layers.Dense(1)],
        [layers.Dense(5), layers.ReLU(), layers.Dense(4, activation="relu"), layers.Dense(2)],
        [layers.Dense(5), layers.Activation("relu"), layers.Dropout(0.5), layers.Dense(1)],
        [layers.Dense(5, use_bias=False, activation="relu"), layers.Dense(1, use_bias=False)],
        [layers.Dense(5, activation="relu"), layers.Dense(3, activation="relu")],
    ],
)
def test_perceptrons(parts: list[Any]) -> None:
    network = check(sequential((2,), *parts), (2,))
    assert isinstance(network, ReluNetwork)
    assert decompose(network, Box(-1, 1, dim=2)).record.status == "certified"


@pytest.mark.parametrize(
    ("part", "link"),
    [
        (layers.Dense(1, activation="sigmoid"), "sigmoid"),
        (layers.Dense(3, activation="softmax"), "softmax"),
        (layers.Dense(2, activation="tanh"), "tanh"),
        (layers.Dense(2, activation="log_softmax"), "log_softmax"),
    ],
)
def test_links(part: Any, link: str) -> None:
    network = check(sequential((2,), layers.Dense(5, activation="relu"), part), (2,))
    assert isinstance(network, ReluNetwork)
    assert network.link == link
    last = [layers.Dense(3), layers.Softmax()]
    network = check(sequential((2,), layers.Dense(5, activation="relu"), *last), (2,))
    assert network.link == "softmax"


def test_a_final_hard_sigmoid_is_made_of_kinks() -> None:
    model = sequential((2,), layers.Dense(3, activation="hard_sigmoid"))
    model.layers[0].kernel.assign(9 * model.layers[0].kernel)  # some outputs saturate
    network = check(model, (2,))
    assert network.link is None
    assert network.n_neurons == 6
    network = check(sequential((2,), layers.Dense(3), layers.Activation("hard_sigmoid")), (2,))
    assert network.n_neurons == 6
    inside = [layers.Dense(4, activation="hard_sigmoid"), layers.Dense(2, activation="softmax")]
    assert check(sequential((2,), *inside), (2,)).link == "softmax"


def test_outputs_beyond_single_precision_are_named() -> None:
    model = sequential((2,), layers.Dense(5, activation="relu"), layers.Dense(1))
    for layer in model.layers:
        layer.kernel.assign(1e30 * np.ones(layer.kernel.shape))
    with pytest.raises(FloatRangeError, match=r"range of floats, up to 3.4e\+38"):
        as_network(model)


def test_a_softmax_of_one_output_is_refused() -> None:
    model = sequential((2,), layers.Dense(5, activation="relu"), layers.Dense(1), layers.Softmax())
    with pytest.raises(UnsupportedModuleError, match="softmax of one output is constant"):
        as_network(model)


MAPS = [
    layers.Conv2D(3, 3, activation="relu"),
    layers.Conv2D(3, 3, padding="same", strides=2, activation="relu"),
    layers.Conv2D(4, (2, 3), padding="same", dilation_rate=2, groups=2, use_bias=False),
    layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
    layers.MaxPooling2D(2),
    layers.MaxPooling2D(3, strides=2, padding="same"),
    layers.AveragePooling2D(2, padding="same"),
    layers.AveragePooling2D((2, 3), strides=1),
    layers.GlobalMaxPooling2D(),
    layers.GlobalAveragePooling2D(keepdims=True),
    layers.BatchNormalization(),
    layers.BatchNormalization(center=False, scale=False),
    layers.ZeroPadding2D(((1, 0), (2, 1))),
    layers.Cropping2D(((1, 0), (0, 2))),
    layers.ReLU(max_value=1.0),
    layers.ReLU(negative_slope=0.3),
    layers.LeakyReLU(negative_slope=0.1),
    layers.PReLU(),
    layers.PReLU(shared_axes=[1, 2]),
    layers.Activation("relu6"),
    layers.Activation("leaky_relu"),
    layers.Activation("hard_tanh"),
    layers.Permute((3, 1, 2)),
    layers.Reshape((5, 12)),
    layers.Rescaling(1 / 255, offset=-0.5),
    layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 0.25]),
    layers.SpatialDropout2D(0.5),
    layers.GaussianNoise(0.5),
]


@pytest.mark.parametrize("part", MAPS, ids=lambda part: type(part).__name__)
def test_layers(part: Any) -> None:
    shape = (6, 5, 2)
    head = [layers.Flatten(), layers.Dense(3, activation="relu"), layers.Dense(1)]
    check(sequential(shape, part, *head), shape)


@pytest.mark.parametrize(
    "part",
    [
        layers.Conv1D(3, 3, padding="same", strides=2), layers.MaxPooling1D(2),
        layers.AveragePooling1D(3, padding="same"), layers.GlobalMaxPooling1D(),
        layers.ZeroPadding1D((1, 2)), layers.Cropping1D(1), layers.Dense(4, activation="relu"),
    ],
    ids=lambda part: type(part).__name__,
)  # fmt: skip
def test_layers_of_one_axis(part: Any) -> None:
    check(sequential((7, 2), part, layers.ReLU(), layers.Flatten(), layers.Dense(1)), (7, 2))


@pytest.mark.parametrize(
    "merge", ["Add", "Subtract", "Average", "Maximum", "Minimum", "Concatenate"]
)
def test_functional_models(merge: str) -> None:
    x = keras.Input((2,))
    a = layers.Dense(4, activation="relu")(x)
    shared = layers.Dense(4)
    merged = getattr(layers, merge)()([shared(a), layers.Dense(4)(a)])
    if merge == "Add":
        merged = layers.Add()([merged, shared(layers.ReLU()(shared(a))), a])
    model = keras.Model(x, layers.Dense(1)(layers.ReLU()(merged)))
    assert isinstance(check(model, (2,)), GraphNetwork)


def test_models_within_models() -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="relu")])
    check(sequential((2,), layers.Dense(4, activation="relu"), inner, layers.Dense(1)), (2,))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([layers.Dense(3, activation="gelu"), layers.Dense(1)], "whose activation 'gelu' is not"),
        ([layers.Dense(3, activation="sigmoid"), layers.Dense(1)], "sigmoid before the layer"),
        ([layers.LayerNormalization(), layers.Dense(1)], r"\(LayerNormalization\), which is not"),
        ([layers.Dense(3), layers.ReLU(threshold=1.0), layers.Dense(1)], "jumps at its threshold"),
    ],
)
def test_what_is_not_piecewise_linear_is_named(parts: list[Any], message: str) -> None:
    with pytest.raises(UnsupportedModuleError, match=message):
        as_network(sequential((2,), *parts))


def test_open_shapes_are_asked_for() -> None:
    model = keras.Sequential(
        [keras.Input((None, 2)), layers.Dense(3, activation="relu"), layers.GlobalMaxPooling1D()]
    )
    with pytest.raises(InputError, match="`input_shape` is needed"):
        as_network(model)
    assert as_network(model, (4, 2)).input_dim == 8
    unbuilt = keras.Sequential([layers.Dense(3), layers.Dense(1)])
    with pytest.raises(UnsupportedModuleError, match=r"build it from keras\.Input"):
        as_network(unbuilt)
