"""Signatures: what every registered one obeys, and what they share."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

import relutopo as rt
from relutopo import registry
from relutopo.analyses.base import described, restored
from relutopo.analyses.homology import Homology
from relutopo.analyses.partition import KINDS, Partition
from relutopo.errors import BackendError, InputError
from relutopo.gallery import random_network
from relutopo.learning.datasets import Dataset, two_moons
from relutopo.reports.columns import Column, column_names, row_of
from relutopo.signatures.base import Signature
from relutopo.signatures.subject import Cut, Subject
from relutopo.spectral.weights import ScaledCount, VertexWeights

DATA = two_moons(n=40)
EXACT = {"name": "exact"}
NETWORK = random_network([2, 5, 4, 1], seed=3)


def subject(network: Any = NETWORK, data: Dataset = DATA) -> Subject:
    return Subject(network, data, rt.Box.around(data.points, 0.25), enumerator="exact")


@pytest.mark.parametrize("name", registry.names("signature"))
def test_every_signature_gives_its_columns_and_the_same_again(name: str) -> None:
    signature: Signature = registry.create("signature", name)
    rows = [signature.row(subject()) for _ in range(2)]
    assert json.dumps(rows[0]) == json.dumps(rows[1])
    assert list(rows[0]) == list(column_names(signature.columns, 2))
    assert all(column.meaning and column.unit for column in signature.columns)
    assert any(isinstance(x, (int, float)) and math.isfinite(x) for x in rows[0].values())


@pytest.mark.parametrize("name", registry.names("signature"))
def test_no_signature_sees_held_out_data(name: str) -> None:
    rng = np.random.default_rng(0)
    moved = Dataset("moved", DATA.points, DATA.targets, rng.normal(size=(7, 2)), np.ones(7))
    signature: Signature = registry.create("signature", name)
    assert json.dumps(signature.row(subject())) == json.dumps(signature.row(subject(data=moved)))


@pytest.mark.parametrize("name", registry.names("signature"))
def test_a_network_without_kinks_has_a_row_of_the_same_columns(name: str) -> None:
    flat = rt.ReluNetwork([[[1.0, 0.0]], [[1.0]]], [[100.0], [0.0]])
    signature: Signature = registry.create("signature", name)
    assert list(signature.row(subject(flat))) == list(signature.row(subject()))


def test_the_columns_of_analyses_are_those_of_the_signatures() -> None:
    partition = Partition(enumerator=EXACT).analyse(NETWORK, DATA)
    for kind in KINDS:
        options: dict[str, Any] = {"vertex_weights": "unweighted"} if kind == "unweighted" else {}
        for name in ("fiedler_value", "label_agreement", "decision_agreement"):
            row = registry.create("signature", name, **options).row(partition.subject)
            for column, value in row.items():
                own = column if column in partition.row else f"{kind}_{column}"
                assert partition.row[own] == value, own
    chosen = Homology(enumerator=EXACT, n_filtrations=3)
    homology = chosen.analyse(NETWORK, DATA, step=4)
    for name in ("betti_peaks", "total_persistence"):
        row = registry.create("signature", name, n_filtrations=3).row(homology.subject)
        assert row.items() <= homology.row.items()


def test_what_is_costly_is_computed_once() -> None:
    one = subject()
    assert one.complex is one.complex
    assert one.graph() is one.graph("facet")
    named, mapped = Cut(eigensolver="arpack"), Cut(eigensolver={"name": "arpack"})
    assert one.partition(named).part is one.partition(mapped).part
    assert one.partition(named).part is not one.partition(Cut(adjacency="hamming")).part
    calls: list[int] = []
    for _ in range(2):
        assert one.once(("mine", 3), lambda: calls.append(1) or 5) == 5  # type: ignore[func-returns-value]
    assert calls == [1]


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("reach", [0.5, 3.0])
def test_decisions_at_points_are_those_of_a_forward_pass(n_outputs: int, reach: float) -> None:
    network, box = random_network([2, 6, n_outputs]), rt.Box(-reach, reach, dim=2)
    data = two_moons(n=200)
    subject = Subject(network, data, box)
    assert (subject.regions < 0).any() == (reach < 1)
    values = network.decision_values(data.points)
    np.testing.assert_array_equal(subject.decided, values > 0)
    zeros = replace(data, points=np.zeros_like(data.points))
    linear = rt.as_network(([np.ones((2, 2)), np.ones((n_outputs, 2))], [[0, 0], [0] * n_outputs]))
    assert not Subject(linear, zeros, box).decided.any()


def test_signatures_add_their_columns_to_rows() -> None:
    plain = Homology(enumerator=EXACT).analyse(NETWORK, DATA).row
    more = Homology(
        enumerator=EXACT,
        signatures=["fiedler_value", {"name": "label_agreement", "component": "largest"}],
    )
    row = more.analyse(NETWORK, DATA).row
    added = [
        "fiedler_value",
        "fiedler_gap",
        "fiedler_multiplicity",
        "n_open_regions",
        "open_mass",
        "agreement",
        "agreement_least",
        "agreement_greatest",
        "adjusted_rand",
        "sweep_agreement",
        "purity",
    ]
    assert list(row) == [*plain, *added]
    assert more.key != Homology(enumerator=EXACT).key
    with pytest.raises(InputError, match="columns of their own, got n_regions of NumberOfRegions"):
        Homology(enumerator=EXACT, signatures=["n_regions"]).analyse(NETWORK, DATA)
    with pytest.raises(InputError, match="`signature` must be a registry name or an instance"):
        Homology(signatures=[3]).check_choices()


@dataclass(frozen=True)
class Fixed(Signature):
    """Gives what it is told."""

    values: Any

    columns: ClassVar[tuple[Column, ...]] = (
        Column("mine", "1", "a number"),
        Column("words", "text", "why"),
    )

    def compute(self, subject: Subject) -> Any:
        return self.values


def test_what_signatures_return_is_looked_at() -> None:
    row = Fixed({"mine": np.float32(0.5)}).row(subject())
    assert (row, type(row["mine"])) == ({"mine": 0.5, "words": None}, float)
    assert math.isnan(Fixed({}).row(subject())["mine"])
    with pytest.raises(
        BackendError, match=r"values of its columns only, mine, words, got one for 'yours'"
    ):
        Fixed({"yours": 1}).row(subject())
    with pytest.raises(BackendError, match="a number for its column 'mine', got ndarray"):
        Fixed({"mine": np.zeros(2)}).row(subject())


def test_an_instance_belongs_to_the_key_of_rows() -> None:
    keys = {Partition(signatures=[Fixed({"mine": x})]).key for x in (1.0, 2.0)}
    assert len(keys) == 2
    with pytest.raises(InputError, match="must be a dataclass to be written down"):
        _ = Partition(signatures=[object()]).key


@dataclass  # with == and no hash
class Weighing(VertexWeights):
    more: float

    def __call__(self, graph: rt.DualGraph, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(1 + self.more * counts, dtype=np.float64)


def test_choices_without_a_hash_are_told_apart() -> None:
    def value(of: Subject, more: float) -> float:
        part = of.partition(Cut(vertex_weights=Weighing(more))).part
        assert part is not None
        return part.value

    shared = subject()
    values = [value(shared, more) for more in (0.0, 1.0, 5.0)]
    assert values == [value(subject(), more) for more in (0.0, 1.0, 5.0)]
    assert len(set(values)) == 3


@pytest.mark.parametrize(("unit", "wrong"), [("1", "word"), ("text", 1.0), ("1", [1.0])])
def test_values_of_another_kind_than_their_column_are_refused(unit: str, wrong: object) -> None:
    with pytest.raises(BackendError, match="for its column 'it'"):
        row_of(DATA, [Column("it", unit, "a value")], {"it": wrong}, 2)


def test_a_number_that_is_none_is_missing() -> None:
    row = row_of(DATA, [Column("it", "1", "a number")], {"it": None}, 2)
    assert math.isnan(row["it"])


@dataclass(frozen=True)
class Stepping(Signature):
    columns: ClassVar[tuple[Column, ...]] = (Column("step", "steps", "not the run's"),)

    def compute(self, subject: Subject) -> dict[str, float]:
        return {"step": -5.0}


def test_columns_of_runs_cannot_be_taken() -> None:
    with pytest.raises(InputError, match="step of Stepping"):
        Partition(enumerator=EXACT, signatures=[Stepping()]).analyse(NETWORK, DATA)


def test_names_alone_are_choices_without_options() -> None:
    named: Any = {"enumerator": "exact", "domain": "around_data", "vertex_weights": "unweighted"}
    full: Any = {role: {"name": name} for role, name in named.items()}
    assert Partition(**named) == Partition(**full)
    with pytest.raises(InputError, match="`domain` must be a registry name"):
        Partition(domain=3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="`signatures` must be a sequence"):
        Partition(signatures="n_regions")


def test_descriptions_keep_instances_within_options_and_options_called_class() -> None:
    inside = {"name": "fiedler_value", "vertex_weights": ScaledCount(2.0)}
    analysis = Partition(enumerator={"name": "mine", "class": "fast"}, signatures=[inside])
    again = restored(json.loads(json.dumps(described(analysis))))
    assert again == replace(analysis, signatures=[inside])
    with pytest.raises(InputError, match="must be that of a dataclass"):
        restored({"class:": "os:getcwd"})


def test_columns_that_are_there_already_are_refused_before_anything_is_computed() -> None:
    with pytest.raises(
        InputError, match=r"n_cells_\{k\} of NumbersOfCells, 'n_cells', which Partition has"
    ):
        Partition(signatures=["n_cells"]).check_choices()
    with pytest.raises(InputError, match="'total_persistence'"):
        Partition(signatures=["total_persistence", "total_persistence"]).check_choices()
    with pytest.raises(InputError, match="step of Stepping"):
        Partition(signatures=[Stepping()]).check_choices()
    Partition(signatures=["total_persistence", "betti_peaks"]).check_choices()


def test_numbers_of_paths_are_those_of_the_function() -> None:
    row = registry.create("signature", "paths", n=20).row(subject())
    found = rt.path_signatures(NETWORK, DATA.points, (DATA.targets > 0).astype(int), n=20)
    assert row == {f"paths_{name}": value for name, value in found.items()}
    values = Dataset("values", DATA.points, np.linspace(0, 1, len(DATA.points)))
    assert np.isnan(
        registry.create("signature", "paths").row(subject(data=values))["paths_jacobian"]
    )
