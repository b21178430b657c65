"""What tests of enumerators need: comparison of complexes, and networks with known complexes.

For everybody's tests, benchmarks and backends.
"""

from __future__ import annotations

import numpy as np

from relutopo.complex import CellComplex

__all__ = ["assert_same_complex"]


def assert_same_complex(a: CellComplex, b: CellComplex, tolerance: float = 1e-9) -> None:
    """Check that two complexes have the same cells, after canonical relabelling.

    Parameters
    ----------
    a, b : CellComplex
        Of the same network and domain.
    tolerance : float
        How far coordinates may differ, relative to the domain's magnitude. They must not differ by
        more than the bounds of their errors in any case.

    Raises
    ------
    AssertionError
        If cells, incidences, patterns, labels or coordinates differ.
    """
    assert a.n_cells == b.n_cells, f"{a} and {b} have different numbers of cells"
    a, b = a.canonical(), b.canonical()
    np.testing.assert_array_equal(a.packed_patterns, b.packed_patterns)
    for k, (x, y) in enumerate(zip(a.facets, b.facets, strict=True), start=1):
        np.testing.assert_array_equal(x[0], y[0], err_msg=f"numbers of facets of {k}-cells")
        np.testing.assert_array_equal(x[1], y[1], err_msg=f"facets of {k}-cells")
    np.testing.assert_array_equal(a.facet_labels, b.facet_labels)
    off = np.abs(a.vertices - b.vertices).max(axis=1)
    assert (off <= a.vertex_errors + b.vertex_errors).all(), (
        "vertices differ by more than the bounds of their errors"
    )
    np.testing.assert_allclose(
        a.vertices, b.vertices, rtol=0, atol=tolerance * float(a.domain.magnitude.max())
    )
