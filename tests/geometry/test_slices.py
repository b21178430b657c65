"""Affine slices of input spaces, and networks on them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from relutopo import (
    ON_BOUNDARY,
    OUTSIDE,
    AffineSlice,
    Box,
    Polytope,
    ReluNetwork,
    as_network,
    decompose,
    search_regions,
)
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.testing import assert_same_complex


def multiplied_out(network: ReluNetwork, slice_: AffineSlice) -> ReluNetwork:
    """The network on the slice, with its first weights rounded to floats."""
    first, bias = network.weights[0], network.biases[0]
    return ReluNetwork(
        [first @ slice_.basis, *network.weights[1:]],
        [first @ slice_.origin + bias, *network.biases[1:]],
    )


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("hidden", [[6], [5, 4], [3, 3, 3]])
def test_slices_with_integers_are_the_network_multiplied_out(dim: int, hidden: list[int]) -> None:
    # With small integers the products are exact, so both complexes are the same to the last bit.
    for seed in range(3):
        rng = np.random.default_rng(seed)
        network = random_network([7, *hidden, 1], seed, "integer")
        slice_ = AffineSlice(rng.integers(-2, 3, 7), np.eye(7, dim) + rng.integers(0, 2, (7, dim)))
        sliced = decompose(network, slice_)
        sliced.check()
        assert_same_complex(sliced, decompose(multiplied_out(network, slice_), slice_.box), 0.0)
        assert_same_complex(sliced, decompose(network, slice_, enumerator="exact"))


def test_slices_in_space_and_by_search() -> None:
    network = random_network([6, 4, 3, 1], 0)
    slice_ = AffineSlice(np.zeros(6), np.linalg.qr(np.random.default_rng(0).normal(size=(6, 3)))[0])
    exact = decompose(network, slice_, enumerator="exact")
    exact.check()
    found = search_regions(network, slice_)
    assert found.complete
    assert found.n_regions == exact.n_regions


def test_signs_on_a_slice_are_exact() -> None:
    # The product of weight and basis is rounded in floats, and the bias is minus what it becomes.
    network = ReluNetwork([[[0.1]], [[1.0]]], [[-(0.1 * 0.1)], [0.0]])
    line = AffineSlice([0.0], [[0.1]], Box(0, 2, dim=1))
    exact = Fraction(0.1) ** 2 - Fraction(0.1 * 0.1)
    assert exact != 0
    sign = 1 if exact > 0 else -1
    assert network.restricted(line.origin, line.basis).signs([[1.0]]).item() == sign
    assert decompose(network, line).locate([[1.0]]).item() >= 0
    rounded = decompose(multiplied_out(network, line), line.box)
    assert rounded.locate([[1.0]]).item() == ON_BOUNDARY


def test_restricting_twice_is_restricting_to_the_product() -> None:
    network = random_network([5, 4, 1], 0, "integer")
    rng = np.random.default_rng(0)
    a, p = rng.integers(-2, 3, (5, 3)).astype(float), rng.integers(-2, 3, 5).astype(float)
    b, q = rng.integers(-2, 3, (3, 2)).astype(float), rng.integers(-2, 3, 3).astype(float)
    twice = network.restricted(p, a).restricted(q, b)
    once = network.restricted(p + a @ q, a @ b)
    x = rng.integers(-4, 5, (20, 2)).astype(float)
    np.testing.assert_array_equal(twice(x), once(x))
    np.testing.assert_array_equal(twice.signs(x), once.signs(x))


def test_slice_through_points_contains_them() -> None:
    for k in (1, 2, 3):
        points = np.random.default_rng(k).standard_normal((k + 1, 2, 3, 4))
        slice_ = AffineSlice.through(*points)
        assert slice_.dim == k
        assert slice_.ambient_dim == 24
        u, distances = slice_.coordinates(points)
        assert slice_.contains(u).all()
        assert distances.max() < 1e-14
        np.testing.assert_allclose(slice_.embed(u), points, atol=1e-14)
        np.testing.assert_allclose(slice_.basis.T @ slice_.basis, np.eye(k), atol=1e-15)
        # The first point is the origin, and each further one uses one more positive axis.
        np.testing.assert_allclose(u[0], 0, atol=1e-15)
        np.testing.assert_allclose(np.triu(u[1:], 1), 0, atol=1e-14)
        assert (np.diag(u[1:]) > 0).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("share", [0.5, 0.3, 1 / 256, 3.0])
def test_points_on_a_line_but_for_rounding_span_no_plane(dtype: Any, share: float) -> None:
    for seed in range(5):
        a, b = np.random.default_rng(seed).random((2, 784)).astype(dtype)
        on_line = (a + dtype(share) * (b - a)).astype(dtype)
        for points in ((a, b, on_line), (a, on_line, b)):
            with pytest.raises(InputError, match=r"`points` must span 2 dimensions, .* rounding"):
                AffineSlice.through(*points)
        # As numbers of double precision they are what they are.
        if dtype != np.float64:
            assert AffineSlice.through(*(np.float64(x) for x in (a, b, on_line))).dim == 2
        off_line = on_line.copy()
        off_line[0] += dtype(0.5)
        assert AffineSlice.through(a, b, off_line).dim == 2


def test_points_near_each_other_or_of_different_sizes_span_a_plane() -> None:
    x = np.array([[0, 0, 0], [1e-20, 0, 0], [0, 1, 0]], dtype=np.float32)
    assert AffineSlice.through(*x).dim == 2
    x = np.array([[1, 1, 1], [1 + 1e-5, 1, 1], [1, 1 + 1e-5, 1]], dtype=np.float32)
    assert AffineSlice.through(*x).dim == 2
    with pytest.raises(InputError, match="`points` must span 2 dimensions"):
        AffineSlice.through(*np.zeros((3, 4)))


@pytest.mark.parametrize("power", [-1040, -700, -560, 515, 700, 1000])
def test_slices_of_very_large_and_very_small_numbers(power: int) -> None:
    # Powers of two round nothing (but the last bits of the least floats), so that the slices are
    # those of the numbers near one.
    rng = np.random.default_rng(0)
    points, data = rng.integers(-99, 99, (3, 4)) / 128, rng.integers(-99, 99, (9, 4)) / 128
    near = 1e-12 if power > -1000 else 1e-5

    directions = AffineSlice(np.zeros(4), np.ldexp(points[:2].T, power))
    u = [[3.0, 2.0], [-1.0, 0.5]]
    found, distances = directions.coordinates(directions.embed(u))
    np.testing.assert_allclose(found, u, rtol=near)
    assert (np.ldexp(distances, -power) < 1e-4).all()
    offset = np.ldexp(points[2], power)
    expected = AffineSlice(np.zeros(4), points[:2].T).coordinates(points[2:])[1]
    np.testing.assert_allclose(np.ldexp(directions.coordinates([offset])[1], -power), expected)

    for make, x in ((lambda x: AffineSlice.through(*x), points), (AffineSlice.principal, data)):
        one, scaled = make(x), make(np.ldexp(x, power))
        np.testing.assert_allclose(scaled.basis, one.basis, atol=1e-12)
        np.testing.assert_allclose(np.ldexp(scaled.origin, -power), one.origin, rtol=near)
        for end in ("low", "high"):
            box = np.ldexp(getattr(scaled.box, end), -power)
            np.testing.assert_allclose(box, getattr(one.box, end), rtol=near)
        assert scaled.axis_names == one.axis_names


def test_columns_of_very_different_sizes() -> None:
    slice_ = AffineSlice(np.zeros(3), np.eye(3)[:, :2] * [1e300, 5e-324])
    u, distances = slice_.coordinates([[2e300, 0.0, 0.0], [0.0, 20 * 5e-324, 3e-200]])
    np.testing.assert_allclose(u[0], [2.0, 0.0])
    np.testing.assert_allclose(distances, [0.0, 3e-200])
    np.testing.assert_allclose(slice_.coordinates([[0.0, 20 * 5e-324, 0.0]])[0], [[0.0, 20.0]])
    with pytest.raises(InputError, match="linearly independent"):
        AffineSlice(np.zeros(3), np.outer([1.0, 2.0, 3.0], [1e200, 1e-200]))
    # A constant coordinate, however large, does not count in the spread of the others.
    data = np.array([[1e300, 0.0, 0.1], [1e300, 1e-10, 0.1], [1e300, 0.0, 0.1 + 1e-15]])
    names = AffineSlice.principal(data).axis_names
    assert names == AffineSlice.principal(data[:, 1:]).axis_names


def test_points_whose_differences_are_no_floats() -> None:
    largest = np.finfo(np.float64).max
    points = largest * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    for make in (lambda x: AffineSlice.through(*x), AffineSlice.principal):
        with pytest.raises(InputError, match=r"must lie within 1e\+307 of each other.*scale them"):
            make(points)
        assert np.isfinite(make(points / 64).magnitude).all()


def test_coordinates_that_are_no_floats() -> None:
    slice_ = AffineSlice(np.zeros(3), np.eye(3)[:, :2] * 5e-324)
    np.testing.assert_array_equal(slice_.coordinates([[0.0, 0.0, 0.5]])[0], [[0.0, 0.0]])
    with pytest.raises(InputError, match="coordinates and distances that floats hold"):
        slice_.coordinates([[0.5, 0.0, 0.0]])
    with pytest.raises(InputError, match="coordinates and distances that floats hold"):
        AffineSlice(np.zeros(3), np.eye(3, 1)).coordinates([[0.0, 1.7e308, 1.7e308]])


def test_spread_is_counted_as_it_is_measured() -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((20000, 2)) * [1.0, 1.5e-12]
    with pytest.raises(InputError, match="must spread in at least k=2 directions, got 1;"):
        AffineSlice.principal(data)


def test_principal_slice_is_nearest_to_the_data() -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((50, 5)) * np.array([5.0, 0.1, 3.0, 0.1, 1.0]) + 2.0
    slice_ = AffineSlice.principal(data, k=2)
    u, distances = slice_.coordinates(data)
    assert slice_.contains(u).all()
    np.testing.assert_allclose(u.mean(axis=0), 0, atol=1e-14)
    # The covariance in the slice is diagonal, with the two largest eigenvalues.
    largest = np.linalg.eigvalsh(np.cov(data.T))[::-1][:2]
    np.testing.assert_allclose(np.cov(u.T), np.diag(largest), atol=1e-12)
    other = AffineSlice(data.mean(axis=0), np.linalg.qr(rng.standard_normal((5, 2)))[0])
    assert (distances**2).sum() < (other.coordinates(data)[1] ** 2).sum()


def test_tensors_with_a_history_make_slices() -> None:
    x = np.random.default_rng(0).standard_normal((3, 5))
    tensor: Any = torch.tensor(x, requires_grad=True) * 1
    for found, expected in (
        (AffineSlice.through(*tensor), AffineSlice.through(*x)),
        (AffineSlice.principal(tensor), AffineSlice.principal(x)),
        (AffineSlice(tensor[0], tensor[:2].T), AffineSlice(x[0], x[:2].T)),
    ):
        np.testing.assert_array_equal(found.basis, expected.basis)
        np.testing.assert_array_equal(found.origin, expected.origin)
        np.testing.assert_array_equal(found.coordinates(tensor)[0], expected.coordinates(x)[0])


def test_coordinates_project() -> None:
    slice_ = AffineSlice([1.0, 0.0, 0.0], [[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    u, distances = slice_.coordinates([[4.0, 2.0, -7.0]])
    np.testing.assert_allclose(u, [[1.0, 2.0]], atol=1e-14)
    np.testing.assert_allclose(distances, [7.0])


def test_coordinates_along_short_and_long_basis_vectors() -> None:
    slice_ = AffineSlice([0.0, 0.0, 0.0], [[1e9, 0.0], [0.0, 1e-9], [0.0, 0.0]])
    u, distances = slice_.coordinates(slice_.embed([[3.0, 2.0]]))
    np.testing.assert_allclose(u, [[3.0, 2.0]])
    np.testing.assert_array_equal(distances, 0.0)


def test_a_slice_may_have_any_bounded_domain() -> None:
    triangle = Polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 1])
    network = random_network([4, 6, 1], 0)
    slice_ = AffineSlice(np.zeros(4), np.eye(4, 2), triangle)
    complex_ = decompose(network, slice_)
    complex_.check()
    assert complex_.volumes.sum() == pytest.approx(0.5)
    assert_same_complex(complex_, decompose(multiplied_out(network, slice_), triangle))


def test_slices_contain_what_their_domain_contains() -> None:
    # 0.1 x + 0.2 y is above 0.3 by less than floats tell.
    triangle = Polytope([[-1.0, 0.0], [0.0, -1.0], [0.1, 0.2]], [0, 0, 0.3])
    slice_ = AffineSlice(np.zeros(3), np.eye(3, 2), triangle)
    points = [[2.53125, 0.23437499999999997], [1.0, 0.5]]
    assert slice_.contains(points).tolist() == triangle.contains(points).tolist() == [False, True]
    np.testing.assert_array_equal(slice_.side_planes(), triangle.side_planes())
    network = random_network([3, 4, 1], 0)
    assert decompose(network, slice_).locate(points)[0] == OUTSIDE


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.norm(self.conv(x)))


@pytest.fixture(scope="module")
def trained() -> tuple[nn.Module, NDArray[np.float32]]:
    """Bright left or bright right halves, learnt by a small convolutional network."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 64)
    images = rng.standard_normal((64, 1, 6, 6)).astype(np.float32)
    images[labels == 0, :, :, :3] += 1
    images[labels == 1, :, :, 3:] += 1
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            Residual(3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(3, 1),
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        target = torch.tensor(labels, dtype=torch.float32)
        for _ in range(15):
            optimizer.zero_grad()
            output = model(torch.tensor(images)).ravel()
            loss = nn.functional.binary_cross_entropy_with_logits(output, target)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model, images


def test_trained_convolutional_network_on_a_plane(
    trained: tuple[nn.Module, NDArray[np.float32]],
) -> None:
    model, images = trained
    plane = AffineSlice.through(*images[:3])
    complex_ = decompose(model, plane)
    complex_.check()
    assert complex_.record.status == "certified"
    assert complex_.n_regions > 20
    # The network of the complex is the module on the plane.
    u = Box.around(complex_.vertices, margin=0.0).low + np.random.default_rng(0).random((20, 2))
    with torch.no_grad():
        expected = model.double().eval()(torch.tensor(plane.embed(u))).numpy()
    model.float()
    np.testing.assert_allclose(complex_.network(u), expected, atol=1e-12)
    assert (complex_.locate(u) >= 0).all()


def test_slices_of_a_module_need_points_of_its_shape(
    trained: tuple[nn.Module, NDArray[np.float32]],
) -> None:
    model, images = trained
    flat = AffineSlice.through(*images[:3].reshape(3, -1))
    with pytest.raises(InputError, match=r"Conv2d at .* given inputs of shape \(1, 36\), check"):
        decompose(model, flat)
    # Once read, the network takes flat points.
    assert decompose(as_network(model, (1, 6, 6)), flat, max_cells=10**6).dim == 2


def test_dimensions_must_agree() -> None:
    slice_ = AffineSlice(np.zeros(4), np.eye(4, 2))
    with pytest.raises(InputError, match="is a slice of 4 dimensions, the network takes 3"):
        decompose(random_network([3, 2, 1], 0), slice_)
    with pytest.raises(InputError, match="must have 3 rows, one for each input"):
        random_network([3, 2, 1], 0).restricted(slice_.origin, slice_.basis)


def test_bad_slices() -> None:
    dependent = [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]
    with pytest.raises(InputError, match="`basis` must have linearly independent columns, got 2"):
        AffineSlice(np.zeros(3), dependent)
    with pytest.raises(InputError, match="linearly independent"):
        AffineSlice(np.zeros(3), np.zeros((3, 1)))
    with pytest.raises(InputError, match="linearly independent"):
        AffineSlice(np.zeros(1), [[1.0, 2.0]])
    with pytest.raises(InputError, match=r"`basis` must have the shape \(3, k\).*got \(2, 3\)"):
        AffineSlice(np.zeros(3), np.eye(2, 3))
    with pytest.raises(InputError, match="`origin` must be finite"):
        AffineSlice([0.0, np.nan], np.eye(2))
    with pytest.raises(InputError, match="`box` must be a Domain of 2 dimensions"):
        AffineSlice(np.zeros(2), np.eye(2), Box(-1, 1, dim=3))
    a, b = np.zeros(3), np.ones(3)
    with pytest.raises(InputError, match="`points` must span 2 dimensions, got 3 points"):
        AffineSlice.through(a, b, 2 * b)
    with pytest.raises(InputError, match="at least two points of one shape"):
        AffineSlice.through(a, np.ones(2))
    with pytest.raises(InputError, match="`points` must be finite"):
        AffineSlice.through(a, b, np.array([np.inf, 0, 0]))
    with pytest.raises(InputError, match=r"`data` must hold more than k=2 points"):
        AffineSlice.principal([[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(InputError, match=r"`k` must be an integer from 1, got 1\.5"):
        AffineSlice.principal(np.eye(3), k=1.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"`data` must hold more than k=1 points"):
        AffineSlice.principal(np.zeros((0, 2)), k=1)
    with pytest.raises(InputError, match=r"`data` must be finite, got nan in row 1, column 1"):
        AffineSlice.principal([[0.0, 1.0], [1.0, np.nan], [3.0, 4.0]], k=1)
    with pytest.raises(InputError, match=r"`data` must spread in at least k=2 directions, got 1"):
        AffineSlice.principal([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])


class Split(nn.Module):
    """Its first Linear layers see one input each."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(1, 8), nn.Linear(1, 8), nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.c(torch.relu(self.a(x[:, :1]) + self.b(x[:, 1:])))
        return outputs


class Functional(nn.Module):
    """Its weights are parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.w, self.v = nn.Parameter(torch.randn(8, 2)), nn.Parameter(torch.randn(1, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(torch.relu(nn.functional.linear(x, self.w)), self.v)


class Masked(nn.Module):
    """Its first layer is masked in its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.c = nn.Linear(2, 8), nn.Linear(8, 1)
        self.mask = nn.Parameter((torch.arange(16).reshape(8, 2) % 3 > 0).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = nn.functional.linear(x, self.a.weight * self.mask, self.a.bias)
        outputs: torch.Tensor = self.c(torch.relu(hidden))
        return outputs


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)).eval(),
        nn.Sequential(nn.ReLU(), nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)),
        Split(),
        Functional(),
        Masked(),
    ],
    ids=lambda module: type(module).__name__,
)
def test_the_domain_tells_the_shape_of_an_input(module: nn.Module) -> None:
    complex_ = decompose(module, Box(-1, 1, dim=2))
    inside = complex_.interior_points
    with torch.no_grad():
        expected = module.double()(torch.tensor(inside)).numpy()
    np.testing.assert_allclose(complex_.network(inside), expected, atol=1e-6)
    with pytest.raises(InputError, match=r"`domain` has 3 dimensions|input_shape"):
        decompose(module, Box(-1, 1, dim=3))
