"""Rules for domains: what they give for which data, and analyses on slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import relutopo as rt
from relutopo.analyses.homology import Homology
from relutopo.analyses.partition import Partition
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.geometry.cells import OUTSIDE
from relutopo.learning.datasets import Dataset
from relutopo.learning.domain_rules import project_onto

RNG = np.random.default_rng(0)
EXACT = {"name": "exact"}


def dataset(points: np.ndarray[Any, Any]) -> Dataset:
    """Points whose class is the sign of their first coordinate."""
    targets = np.where(points[:, 0] > 0, 1.0, -1.0)
    return Dataset("data", points, targets, points[:5], targets[:5])


PLANE = dataset(RNG.normal(size=(30, 2)))
SPACE = dataset(RNG.normal(size=(30, 5)))


def domain(data: Dataset, name: str, **options: Any) -> Any:
    return Partition(domain={"name": name, **options}).create("domain")(data)


def corners(box: rt.Box) -> list[list[float]]:
    return [box.low.tolist(), box.high.tolist()]


def test_boxes_are_what_was_asked_for() -> None:
    assert corners(domain(PLANE, "box", low=-5, high=5)) == [[-5, -5], [5, 5]]
    assert corners(domain(PLANE, "box", low=[-1, -2], high=[3, 4])) == [[-1, -2], [3, 4]]
    assert corners(domain(SPACE, "box", low=-1, high=[1, 2, 3, 4, 5]))[0] == [-1] * 5
    around = domain(PLANE, "around_data", margin=0.1)
    widths = np.ptp(PLANE.points, axis=0)
    np.testing.assert_allclose(around.high - around.low, 1.2 * widths)
    assert around.contains(PLANE.points).all()
    assert corners(around) != corners(domain(PLANE, "around_data"))
    assert Partition().create("domain") == Partition(
        domain={"name": "around_data", "margin": 0.25}
    ).create("domain")


def test_slices_go_through_the_data() -> None:
    numbers = [4, 0, 9]
    plane = domain(SPACE, "slice_through", points=numbers, margin=0.1)
    u, distances = plane.coordinates(SPACE.points)
    assert plane.dim == 2
    assert plane.contains(u[numbers]).all()
    np.testing.assert_allclose(distances[numbers], 0, atol=1e-12)
    assert np.delete(distances, numbers).min() > 1e-3
    for dim in (1, 3):
        principal = domain(SPACE, "slice_principal", dim=dim)
        assert principal.dim == dim
        assert principal.contains(project_onto(SPACE, principal).points).all()
        np.testing.assert_allclose(principal.coordinates(SPACE.points.mean(axis=0)[None])[1], 0)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("box", {"low": 2, "high": -2}, "`domain.low` must be less than `domain.high`"),
        ("box", {"low": [0, 0], "high": [1, 0]}, "must be less than `domain.high` on every axis"),
        ("box", {"low": "a", "high": 1}, "`domain.high` must be numbers, or lists of one"),
        ("box", {"low": [0, 0], "high": [1, 1, 1]}, "`domain.high` must be numbers or have"),
        ("box", {"low": 0}, "'box' needs the option high, got low; pass high=..."),
        ("around_data", {"margin": -1}, "`domain.margin` must be a finite number ≥ 0, got -1"),
        ("slice_through", {"points": [3]}, "a sequence of at least 2 integers from 0, got"),
        ("slice_through", {"points": [3, 3]}, "`domain.points` must be distinct"),
        ("slice_through", {"points": [0, -1]}, "at least 2 integers from 0, got"),
    ],
)
def test_rules_that_cannot_be_are_refused_before_there_are_data(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Partition(domain={"name": name, **options}).create("domain")


def test_rules_that_do_not_fit_the_data_are_refused() -> None:
    with pytest.raises(InputError, match="must be numbers of training points, 0 to 29"):
        domain(SPACE, "slice_through", points=[0, 30, 1])
    with pytest.raises(InputError, match="more than k=6 points"):
        domain(SPACE, "slice_principal", dim=6)
    with pytest.raises(InputError, match="dim=5 entries each"):
        domain(SPACE, "box", low=[0, 0], high=[1, 1])


def test_on_a_slice_the_projections_of_the_data_take_part() -> None:
    rule: dict[str, Any] = {"name": "slice_principal", "dim": 2}
    network = random_network([5, 8, 1], seed=0)
    settings = Partition(enumerator=EXACT, domain=rule)
    analysed = settings.analyse(network, SPACE)
    found = settings.partitions(analysed)
    row, plane = found.row, domain(SPACE, **rule)
    u, distances = plane.coordinates(SPACE.points)
    # The same by hand, on the plane.
    restricted = network.restricted(plane.origin, plane.basis)
    flat = Dataset("data", u, SPACE.targets, u[:5], SPACE.targets[:5])
    box = {"name": "box", "low": plane.box.low.tolist(), "high": plane.box.high.tolist()}
    expected = Partition(enumerator=EXACT, domain=box).analyse(restricted, flat).row
    same = [n for n in row if not n.startswith("seconds") and n != "points_distance"]
    assert same
    for name in same:
        assert row[name] == pytest.approx(expected[name], nan_ok=True), name
    assert row["points_distance"] == pytest.approx(np.median(distances))
    assert expected["points_distance"] == 0.0
    assert found.weighted is not None
    regions = analysed.complex.locate(u)
    assert OUTSIDE not in regions
    weights = 1 + np.bincount(regions[regions >= 0], minlength=found.complex.n_regions)
    np.testing.assert_array_equal(found.weighted.vertex_weights, weights)


def test_the_homology_of_a_slice_follows_the_projections() -> None:
    settings = Homology(
        enumerator=EXACT,
        domain={"name": "slice_through", "points": [0, 1, 2]},
        filtration={"name": "distance_to_data", "points": "training"},
    )
    found = settings.analyse(random_network([5, 6, 1], seed=1), SPACE)
    assert found.complex.dim == 2
    assert (found.row["euler"], found.row["filtration_status"]) == (1, "ok")
    assert found.row["betti_0"] == 1
