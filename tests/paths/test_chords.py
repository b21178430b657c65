"""Chords go from border to border, through the points that were given."""

from __future__ import annotations

import numpy as np
import pytest

import relutopo as rt
from relutopo.errors import InputError

TRIANGLE = rt.Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])


@pytest.mark.parametrize("domain", [rt.Box(-1, 2, dim=3), TRIANGLE, rt.Box(0, 1, dim=40)])
@pytest.mark.parametrize("has_points", [True, False])
def test_chords_reach_the_border_on_both_sides(domain: rt.Domain, has_points: bool) -> None:
    points = np.random.default_rng(0).uniform(0.1, 0.4, (7, domain.dim)) if has_points else None
    starts, ends = rt.domain_chords(domain, points, n=50, seed=3)
    normals, offsets = domain.halfspaces()
    for tips in (starts, ends):
        room = (offsets - tips @ normals.T).min(axis=1)
        np.testing.assert_allclose(room, 0, atol=1e-12)
    assert (np.linalg.norm(ends - starts, axis=1) > 0).all()
    if points is not None:
        x = points[np.arange(50) % 7]
        along = (ends - starts) / np.linalg.norm(ends - starts, axis=1)[:, None]
        beside = (x - starts) - ((x - starts) * along).sum(axis=1)[:, None] * along
        np.testing.assert_allclose(beside, 0, atol=1e-12)


def test_the_walk_comes_to_be_uniform() -> None:
    """Uniform places on its chords have the means and variances of the square."""
    starts, ends = rt.domain_chords(rt.Box(0, 1, dim=2), n=4000, seed=1)
    rng = np.random.default_rng(0)
    places = starts + rng.uniform(size=(4000, 1)) * (ends - starts)
    np.testing.assert_allclose(places.mean(axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(places.var(axis=0), 1 / 12, atol=0.01)


def test_segments_follow_chords() -> None:
    network = rt.gallery.random_network([2, 8, 1], seed=0)
    found = rt.segments(network, *rt.domain_chords(rt.Box(-1, 1, dim=2), n=20))
    assert len(found) == 20
    assert found.record.status == "certified"


def test_points_outside_are_refused() -> None:
    with pytest.raises(InputError, match="outside"):
        rt.domain_chords(TRIANGLE, [[0.9, 0.9]])
    with pytest.raises(InputError, match="none"):
        rt.domain_chords(TRIANGLE, np.empty((0, 2)))
