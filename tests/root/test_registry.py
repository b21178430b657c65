"""Names, options, and backends that come from outside."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relutopo import (
    Box,
    betti_numbers,
    decompose,
    fiedler_partition,
    filtration,
    registry,
)
from relutopo.errors import (
    BackendError,
    EntryPointError,
    InputError,
    MissingExtraError,
    UnknownNameError,
)
from relutopo.gallery import random_network
from relutopo.geometry.cells import Cells
from relutopo.homology.strategies import FiltrationStrategy
from relutopo.interfaces import BoundaryMatrix, Eigensolver, Enumerator, Reducer
from relutopo.optional import require

TOY = """
from relutopo import registry
from relutopo.interfaces import EigenResult, Eigensolver, Enumerator, Reducer, Reduction


class ToyEnumerator(Enumerator):
    def enumerate(self, network, domain, *, max_cells=None, max_bytes=None, progress=None):
        return registry.create("enumerator", "exact").enumerate(network, domain)


class ToyEigensolver(Eigensolver):
    def __init__(self, shift=0.0):
        self.shift = shift + 0.0

    def solve(self, laplacian, vertex_weights, *, n_pairs=1, seed=0):
        import numpy, scipy.linalg
        values, vectors = scipy.linalg.eigh(laplacian.toarray(), numpy.diag(vertex_weights))
        values, last = numpy.append(values, numpy.inf), n_pairs + 1
        residuals = numpy.full(n_pairs, 1e-15)
        found = values[1:last], vectors[:, 1:last], residuals, values[last]
        return EigenResult(*found, 0, 0.0, "toy", "converged")


def mistaken():
    return ToyEigensolver()


class ToyReducer(Reducer):
    def reduce(self, boundary):
        result = registry.create("reducer", "z2").reduce(boundary)
        return Reduction(result.pairs, result.essential, 0.0, "toy")
"""
ENTRY_POINTS = """
[relutopo.enumerator]
toy = toy_backends:ToyEnumerator
[relutopo.eigensolver]
toy = toy_backends:ToyEigensolver
[relutopo.reducer]
toy = toy_backends:ToyReducer
mistaken = toy_backends:mistaken
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs a distribution with one module, and what it registers."""
    modules: list[str] = []

    def install(name: str, entry_points: str, source: str = "") -> None:
        module = name.replace("-", "_")
        folder = tmp_path / name
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        monkeypatch.syspath_prepend(folder)
        modules.append(module)

    yield install
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def toy_package(install: Callable[..., None]) -> None:
    """Install a distribution that registers a backend of each role."""
    install("toy-backends", ENTRY_POINTS, TOY)


@pytest.mark.usefixtures("toy_package")
def test_backends_from_outside_are_found_and_used() -> None:
    network, box = random_network([2, 5, 1], 0), Box(-1, 1, dim=2)
    for role in ("enumerator", "eigensolver", "reducer"):
        assert "toy" in registry.names(role)
    complex_ = decompose(network, box, enumerator="toy")
    assert complex_.record.method == "exact"
    graph = complex_.dual_graph()
    ours = fiedler_partition(graph, vertex_weights="unweighted", eigensolver="arpack")
    toy = fiedler_partition(graph, vertex_weights="unweighted", eigensolver="toy")
    assert toy.method == "toy"
    assert toy.value == pytest.approx(ours.value)
    edge = BoundaryMatrix(np.array([0, 0, 0, 2]), np.array([0, 1]), np.array([0, 0, 1], np.int8))
    result = registry.create("reducer", "toy").reduce(edge)
    assert (result.pairs.tolist(), result.essential.tolist(), result.method) == (
        [[1, 2]],
        [0],
        "toy",
    )


@pytest.mark.usefixtures("toy_package")
def test_options_reach_the_constructor() -> None:
    assert registry.create("eigensolver", "toy", shift=2.0).shift == 2.0
    with pytest.raises(
        InputError, match=r"`eigensolver` 'toy' does not take the .* \['shft'\]: .*"
    ):
        registry.create("eigensolver", "toy", shft=2.0)
    message = r"`eigensolver` 'toy' does not take the .* \['shift'\]: .*concatenate"
    with pytest.raises(InputError, match=message) as caught:  # within the constructor
        registry.create("eigensolver", "toy", shift="2.0")
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.usefixtures("toy_package")
def test_a_name_makes_an_instance_of_its_role() -> None:
    with pytest.raises(
        BackendError, match=r"reducer='mistaken' must make .*Reducer, got .*ToyEigensolver"
    ):
        registry.create("reducer", "mistaken")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("no_such_module:Solver", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("broken_backends:Solver", "AttributeError: .*'Solver'"),
        ("broken_backends:number", "it is of type int"),
        ("broken_backends", "it is of type module"),
    ],
)
def test_entry_points_that_cannot_be_loaded(
    install: Callable[..., None], target: str, reason: str
) -> None:
    install("broken-backends", f"[relutopo.eigensolver]\nmine = {target}\n", "number = 1")
    registry.check("eigensolver", "mine")
    with pytest.raises(
        EntryPointError,
        match=f"eigensolver='mine' .*'{target}', which the package 'broken-backends' .*{reason}; "
        "repair, upgrade or uninstall",
    ):
        registry.create("eigensolver", "mine")


def test_a_name_of_two_packages_is_refused(install: Callable[..., None]) -> None:
    for package in ("first-backends", "second-backends"):
        install(package, "[relutopo.eigensolver]\nmine = somewhere:Solver\n")
    assert "mine" in registry.names("eigensolver")
    for use in (registry.check, registry.create):
        with pytest.raises(
            EntryPointError,
            match=r"eigensolver='mine' must be registered once, got .*'second-backends' and "
            r"'first-backends'; uninstall",
        ):
            use("eigensolver", "mine")


def test_a_built_in_name_cannot_be_taken_over(install: Callable[..., None]) -> None:
    install("arpack-backends", "[relutopo.eigensolver]\narpack = somewhere:Solver\n")
    assert type(registry.create("eigensolver", "arpack")).__name__ == "ArpackEigensolver"
    assert registry.provider("eigensolver", "arpack") == {}


def test_an_entry_point_may_miss_an_extra(install: Callable[..., None]) -> None:
    source = "from relutopo.optional import require\nrequire('no_such_module', 'the solver')"
    install("needy-backends", "[relutopo.eigensolver]\nneedy = needy_backends:Solver\n", source)
    with pytest.raises(MissingExtraError, match="the solver needs the package 'no_such_module'"):
        registry.create("eigensolver", "needy")


@pytest.mark.parametrize("target", ["nested:Outer.Inner", "nested:Outer.Inner [extra]"])
def test_entry_points_are_loaded_as_python_does(install: Callable[..., None], target: str) -> None:
    source = "class Outer:\n    from relutopo.backends.reducers.z2 import Z2Reducer as Inner\n"
    install("nested", f"[relutopo.reducer]\ninner = {target}\n", source)
    assert isinstance(registry.create("reducer", "inner"), Reducer)


def test_unknown_names_list_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"eigensolver='lanczos' is not registered.*arpack"):
        registry.create("eigensolver", "lanczos")
    for use in (registry.names, registry.built_in):
        with pytest.raises(UnknownNameError, match=r"role 'solver' does not exist; .*enumerator"):
            use("solver")


def test_an_instance_passes_through_without_options() -> None:
    solver = registry.create("eigensolver", "arpack")
    assert registry.create("eigensolver", solver) is solver
    with pytest.raises(InputError, match=r"ArpackEigensolver together with the options \['tol'\]"):
        registry.create("eigensolver", solver, tol=1e-3)


class _Nameless(FiltrationStrategy):
    def cell_values(self, complex_: Cells, rng: np.random.Generator) -> Any:
        return None


class _Nothing(_Nameless):
    name = "nothing"


def test_only_instances_of_a_role_pass() -> None:
    box = Box(-1, 1, dim=2)
    network = random_network([2, 5, 1], 0)
    solver = registry.create("eigensolver", "arpack")
    with pytest.raises(
        InputError, match=r"`enumerator` must be a registry name or .*Enumerator, got None; .*cpu"
    ):
        decompose(network, box, enumerator=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"`enumerator` .*, got an instance of .*Arpack"):
        decompose(network, box, enumerator=solver)
    complex_ = decompose(network, box)
    graph = complex_.dual_graph()
    with pytest.raises(
        InputError, match=r"`eigensolver` .*, got the class ArpackEigen.*Eigensolver\(\)"
    ):
        fiedler_partition(graph, vertex_weights="unweighted", eigensolver=type(solver))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"`vertex_weights` .*, got an instance of int"):
        fiedler_partition(graph, vertex_weights=3)
    with pytest.raises(InputError, match=r"`reducer` .*Reducer, got an instance of dict"):
        betti_numbers(complex_, reducer={"name": "z2"})  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="role 'solver' does not exist"):
        registry.create("solver", solver)


def test_every_built_in_is_an_instance_of_its_role() -> None:
    assert set(registry._KINDS) == set(registry.roles())
    for role in ("vertex_weights", "edge_weights", "domain"):
        for name in registry.built_in(role):
            made_by = registry.constructor(role, name)
            assert isinstance(made_by, type)
            assert issubclass(made_by, registry._kind(role))


def test_a_filtration_strategy_has_a_name_and_gives_values() -> None:
    complex_ = decompose(random_network([2, 5, 1], 0), Box(-1, 1, dim=2))
    with pytest.raises(BackendError, match="`strategy` _Nameless must have a `name`"):
        filtration(complex_, _Nameless())
    with pytest.raises(
        BackendError, match=r"`strategy` 'nothing' must give a list, .*got NoneType"
    ):
        filtration(complex_, _Nothing())


@pytest.mark.parametrize(
    ("role", "base"),
    [("enumerator", Enumerator), ("eigensolver", Eigensolver), ("reducer", Reducer)],
)
def test_built_in_names_are_file_names(role: str, base: type) -> None:
    for name, target in registry._BUILT_IN[role].items():
        module, _, _ = target.partition(":")
        assert module.rpartition(".")[2] == name
        made_by = registry.constructor(role, name)
        assert isinstance(made_by, type)
        assert issubclass(made_by, base)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        MissingExtraError, match=r"training needs the package 'torch'.*relutopo\[app"
    ):
        require("torch", "training")


def test_a_missing_module_of_a_package_that_is_there_says_so() -> None:
    with pytest.raises(
        MissingExtraError,
        match=r"needs the module 'numpy\.nope\.deep', which the installed package 'numpy' does not",
    ):
        require("numpy.nope.deep", "this test")


def test_names_that_begin_alike_are_not_taken_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_there.py").write_text("import half_there_extra")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="half_there_extra") as caught:
        require("half_there", "this test")
    assert not isinstance(caught.value, MissingExtraError)


def test_reducer_without_its_package_explains_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phat", None)
    with pytest.raises(MissingExtraError, match=r"'phat'.*--use-deprecated=legacy-resolver"):
        registry.create("reducer", "phat")


def test_an_error_inside_an_optional_package_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_broken.py").write_text("import no_such_module_anywhere")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere") as caught:
        require("half_broken", "this test")
    assert not isinstance(caught.value, MissingExtraError)
