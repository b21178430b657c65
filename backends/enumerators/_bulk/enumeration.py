"""Enumeration by bulk array operations, on whatever device holds the arrays; any dimension.

A card starts an operation in about ten microseconds, so cutting by one neuron after another, at
some fifty operations for each, would take a second for two thousand neurons whatever the result.
Here all neurons of a layer cut at once, and the number of operations does not depend on their
number, nor on that of the regions: for a layer it is about 450 in the plane and 750 in space, moves
of data included, and it grows with the square of the dimension. (It does grow if arrays would be
too large to process at once; and on NumPy, where kernels are replaced by operations on whole arrays
(`relutopo.devices.kernels`), by one loop for every 64 neurons.)

A *flat* is the part of a cell c of the complex so far on which some neurons of the layer vanish. A
flat of one dimension less within another one *cuts* it if it meets the interior of c; the flats
that cut a flat, and those that bound it, are its *walls*.

1. Every vertex gets the sign of every neuron, in {-1, 0, +1}: on a card by walks from region to
   region (`walk`). A neuron crosses a flat if it has both signs at vertices of the flat.
2. For the cells c of dimension 0, 1, ..., d: the neurons that cross c have flats there, whose
   facets are walls of the facets of c (`flats`). These flats are cut again by the neurons
   that cross them, and so on down to new vertices, which get their signs in turn. Only flats that
   exist are made, and cells that regions share are processed once, so nothing has to be glued.
3. For the flats of dimension 1, ..., d: a flat is divided into new cells, one for each vector of
   signs. Every new cell on a wall of the flat is a facet of such a cell on each side, and gives its
   signs: those on the wall, and the sign of the side for neurons that vanish on the wall. Sorting
   by flat and signs gives the new cells, together with their facets (`pieces`).

Step 3 is combinatorial; numbers enter in steps 1 and 2 only, through signs. With the third sign all
this is right for every arrangement. Signs come from floats where an a-priori error bound allows
(`values`), and otherwise from exact arithmetic on the host (`layer`). Every vertex is
computed from the d planes that meet in it, so errors do not add up along chains of cuts.
"""

from __future__ import annotations

import time

import numpy as np

from relutopo.arrays import freeze
from relutopo.complex import CellComplex
from relutopo.devices.device import Device
from relutopo.errors import InvariantError
from relutopo.geometry.cells import EnumerationRecord
from relutopo.geometry.domain import Domain
from relutopo.interfaces import Enumerator, Progress
from relutopo.networks.network import Network

from .._shared.domain_planes import planes_of_faces
from .._shared.planes import PlaneTable, sides_as_planes
from .._shared.task import Limits
from .cells.flats import find_flats
from .cells.pieces import along_curve, next_pieces, points_as_pieces
from .layer import BulkTask, LayerCut
from .records import BulkCells
from .sets.lists import Lists
from .tuning import DEFAULT, Tuning

__all__ = ["BulkEnumerator", "enumerate_bulk"]


def enumerate_bulk(
    network: Network,
    domain: Domain,
    max_cells: int | None,
    progress: Progress | None,
    device: Device,
    *,
    method: str,
    tuning: Tuning = DEFAULT,
    max_bytes: int | None = None,
) -> CellComplex:
    """Return the complex of a network on a domain; see `Enumerator` and `BulkEnumerator`."""
    begin = time.perf_counter()
    with device.session(), np.errstate(all="ignore"):
        limits = Limits(max_cells, max_bytes, _bytes_a_cell(network, domain.dim))
        task = BulkTask(device, network, domain, tuning, limits)
        cells = _start(device, domain)
        n_layers = len(network.layer_sizes)
        for layer in range(n_layers):
            cells = _cut(task, cells)
            if progress is not None:
                progress(layer + 1, n_layers, f"{cells.n[-1]} regions")
        euler = sum((-1) ** k * n for k, n in enumerate(cells.n))
        if euler != 1:
            raise InvariantError(
                f"the Euler characteristic must be 1, got {euler}; please report this network as "
                "a bug"
            )
        xp = device.xp
        lists = [part for facets in cells.facets for part in (facets.ptr, facets.items)]
        labels = cells.table.labels[cells.planes[-1][:, 0]]
        x, errors, labels, *lists = map(
            freeze,
            device.all_to_host([xp.ascontiguousarray(cells.x.T), cells.deviation, labels, *lists]),
        )
        return CellComplex(
            network=network,
            domain=domain,
            vertices=x,
            vertex_errors=errors,
            facets=tuple(zip(lists[::2], lists[1::2], strict=True)),
            packed_patterns=freeze(task.regions.packed(n_layers, xp.arange(cells.n[-1]))),
            facet_labels=labels,
            record=EnumerationRecord(
                method, "certified", task.settler.n_open, time.perf_counter() - begin
            ),
        )


def _bytes_a_cell(network: Network, dim: int) -> float:
    """Return the bytes of the host's memory for each cell, apart from the device's memory."""
    return float(16.0 + 8 * dim + network.n_neurons / 2 ** (dim + 3))


class BulkEnumerator(Enumerator):
    """Cuts domains of any dimension by operations on arrays of a device.

    Parameters
    ----------
    device : Device
    method : str
        Name of the method in the record.
    tuning : Tuning
    """

    def __init__(self, device: Device, method: str, tuning: Tuning = DEFAULT) -> None:
        self._device, self._method, self._tuning = device, method, tuning

    def enumerate(
        self,
        network: Network,
        domain: Domain,
        *,
        max_cells: int | None = None,
        max_bytes: int | None = None,
        progress: Progress | None = None,
    ) -> CellComplex:
        """Return the complex of the network on the domain; see `Enumerator`."""
        return enumerate_bulk(
            network,
            domain,
            max_cells,
            progress,
            self._device,
            method=self._method,
            tuning=self._tuning,
            max_bytes=max_bytes,
        )


def _start(device: Device, domain: Domain) -> BulkCells:
    """Return the domain as a complex of one region."""
    faces = domain.face_lattice()
    labels, numbers = sides_as_planes(domain)
    up = device.to_device
    table = PlaneTable(up(labels), up(np.zeros_like(labels)), up(np.ascontiguousarray(numbers.T)))
    return BulkCells(
        x=up(np.ascontiguousarray(faces.vertices.T)),
        deviation=up(faces.rounding),
        facets=[Lists(up(ptr), up(items)) for ptr, items in faces.facets],
        planes=[up(planes) for planes in planes_of_faces(faces, domain.side_planes())],
        table=table,
    )


def _cut(task: BulkTask, cells: BulkCells) -> BulkCells:
    """Return the complex after the next layer; the old one is freed."""
    cut = LayerCut(task, cells)
    levels = find_flats(cut)
    pieces = points_as_pieces(cut, levels[0])
    n_cells = len(pieces.flat)
    facets: list[Lists] = []
    planes = [levels[0].planes]
    for m in range(1, cut.dim + 1):
        pieces = next_pieces(cut, levels, m, pieces)
        if m == cut.dim:
            pieces = along_curve(cut, facets, pieces)
        n_cells += len(pieces.flat)
        cut.check_limit(n_cells)
        facets.append(pieces.facets)
        if m < cut.dim:
            planes.append(levels[m].planes[pieces.flat])
    task.regions.grow(cut.units, pieces.flat, pieces.positive)
    return BulkCells(cut.cells.x, cut.cells.deviation, facets, planes, cut.cells.table)
