"""Names in backticks exist: what a docstring, a comment or a page refers to can be looked up.

Single backticks mark names; what is meant literally stands in double ones.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from doctest import DocTestParser
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from relutopo import registry

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    # columns.md is written from the code, and held to it by a test of its own.
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.name != "columns.md"),
]
REFERENCE = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)(?:\([^`]*\))?`(?!`)")
FULL_NAME = re.compile(r"(?<![\w./@\[])relutopo(?:\.[A-Za-z_]\w*)+")
HEADS = {
    "rt": "relutopo",
    "complex_": "relutopo.CellComplex",
    "diagram": "relutopo.Diagram",
    "graph": "relutopo.DualGraph",
    "tracker": "relutopo.Tracker",
}
"""What the pages' variables are."""
FILES = re.compile(r".*\.(?:cff|csv|json|jsonl|log|md|npz|onnx|parquet|pt|py|pyi|toml|txt|yaml)")


def sources() -> Iterator[tuple[str, Path]]:
    """Yield the modules of the library and of the backends, by their dotted names."""
    for folder, package in (("relutopo", "relutopo"), ("backends", "relutopo.backends")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join([package, *parts]).removesuffix(".__init__"), path


def references(path: Path) -> set[str]:
    """Return the names in single backticks in docstrings and comments, or in a page's text."""
    source = path.read_text()
    if path.suffix == ".md":
        return set(REFERENCE.findall(re.sub(r"```.*?```", "", source, flags=re.DOTALL)))
    texts = [
        part
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for part in DocTestParser().parse(node.value.value)
        if isinstance(part, str)  # and no example
    ]
    texts += [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    return {name for text in texts for name in REFERENCE.findall(text)}


@cache
def words() -> frozenset[str]:
    """Return what occurs in the code: identifiers, and the words of strings but docstrings."""
    found = set()
    for path in [
        *PAGES,
        *(path for _, path in sources()),
        *(ROOT / "benchmarks").glob("*.py"),
        *(ROOT / "benchmarks" / "peers").glob("*.py"),  # not those of their environment
        *(ROOT / "conf").rglob("*.yaml"),
        *(ROOT / "pyproject.toml", ROOT / "Makefile"),
    ]:
        text = path.read_text()
        if path.suffix == ".py":
            tree = ast.parse(text)
            for node in ast.walk(tree):
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    node.value.value = ""
            text = ast.unparse(tree)
        elif path.suffix == ".md":
            text = " ".join(re.findall(r"```.*?```", text, re.DOTALL))
        found |= set(re.findall(r"[A-Za-z_]\w*", text))
    return frozenset(found)


@cache
def classes() -> dict[str, list[Any]]:
    """Return the classes of the project by name."""
    found = defaultdict(list)
    for name, path in sources():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(getattr(import_module(name), node.name))
    return dict(found)


def has(value: Any, parts: list[str]) -> bool:
    """Tell whether a chain of attributes exists, as far as it can be told without an instance."""
    for i, part in enumerate(parts):
        if hasattr(value, part):
            value = getattr(value, part)
        elif isinstance(value, type):  # a field, or what a method sets
            own = [kind for kind in value.__mro__ if kind.__module__.startswith("relutopo")]
            assigned = re.compile(rf"self\.{part}\b[^=\n]*=[^=]")
            return any(
                part in vars(kind).get("__annotations__", {})
                or assigned.search(inspect.getsource(kind))
                for kind in own
            )
        else:
            return isinstance(value, property) and i > 0  # of a value that only an instance has
    return True


@cache
def exists(name: str, module: str = "relutopo") -> bool:
    """Tell whether a name means something, seen from a module."""
    parts = name.split(".")
    if name.endswith("_..."):  # one of several
        return any(word.startswith(name[:-3]) for word in words())
    if len(parts) == 1:
        return name in words() or find_spec(name) is not None
    if FILES.fullmatch(name):  # of the repository, or one that the code reads or writes
        return (ROOT / name).is_file() or parts[0] in words()
    if parts[0] in HEADS:
        return exists(".".join([HEADS[parts[0]], *parts[1:]]))
    if parts[0] == "relutopo" and parts[1:] and parts[1] in registry.roles() and len(parts) == 2:
        return True  # a group of entry points
    if parts[0] in ("cupy", "cupyx") and find_spec(parts[0]) is None:
        return True
    if any(has(kind, parts[1:]) for kind in classes().get(parts[0], [])):
        return True
    here = import_module(module)
    if hasattr(here, parts[0]) and has(getattr(here, parts[0]), parts[1:]):
        return True
    above = [module.rsplit(".", i)[0] for i in range(module.count(".") + 1)]
    return any(_in_module(".".join(filter(None, [base, name]))) for base in ["", *above])


def _in_module(name: str) -> bool:
    parts = name.split(".")
    for i in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:i]))
        except ImportError:
            continue
        return has(found, parts[i:])
    return False


@pytest.mark.parametrize(("module", "path"), [*sources()], ids=lambda value: str(value)[-60:])
def test_names_in_docstrings_and_comments_exist(module: str, path: Path) -> None:
    assert [name for name in sorted(references(path)) if not exists(name, module)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_names_on_pages_exist(path: Path) -> None:
    assert [name for name in sorted(references(path)) if not exists(name)] == []


def test_full_names_exist_wherever_they_stand() -> None:
    import_module("relutopo.app.resolvers").register()
    resolvers = import_module("omegaconf").OmegaConf
    missing = [
        f"{name} in {path.relative_to(ROOT)}"
        for folder in ("relutopo", "backends", "benchmarks", "conf", "docs")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".pyi", ".md", ".yaml")
        for name in set(FULL_NAME.findall(path.read_text()))
        if not exists(name) and not resolvers.has_resolver(name)
    ]
    assert missing == []


def test_what_does_not_exist_is_found() -> None:
    for name in (
        "relutopo.complex.CellComplx",
        "CellComplex.decompse",
        "complex_.chek",
        "rt.decompse",
        "_maps._Layer",
        "nowhere.md",
        "relutopo.nowhere",
        "no_such_thing_anywhere",
    ):
        assert not exists(name), name
    for name in (
        "CellComplex.check",
        "Device.xp",
        "complex_.record.status",
        "numpy.linalg.norm",
        "relutopo.vertex_weights",
        "README.md",
        "max_cells",
    ):
        assert exists(name), name
