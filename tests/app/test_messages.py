"""The library's remedies, in words of the command."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import relutopo
from relutopo import Box, GraphNetwork, ReluNetwork, decompose
from relutopo.app import messages
from relutopo.app.messages import explain, in_words_of_the_command
from relutopo.errors import FloatRangeError, InputError
from relutopo.networks.perceptron import relu_nodes

ROOT = Path(relutopo.__file__).parent


@cache
def texts() -> tuple[tuple[Path, str], ...]:
    """Return all text of the library that a person can come to see, docstrings left out."""
    return tuple(_texts())


def _texts() -> Iterator[tuple[Path, str]]:
    for path in ROOT.rglob("*.py"):
        if path.is_relative_to(ROOT / "app"):
            continue
        tree = ast.parse(path.read_text())
        comments = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in comments:
                yield path, str(node.value)


@pytest.mark.slow
def test_what_is_translated_is_what_the_library_says() -> None:
    said = " ".join(text for _, text in texts())
    for python in messages._REMEDIES:
        assert python in said


@pytest.mark.parametrize(
    "command",
    [
        r"--help",
        r"command line",
        r"\bto the command\b",
        r"\b[a-z]+\.[a-z_]+=[\w\[]",
        r"\b(domain|filtration|eigensolver|reducer|analysis|sweep)[=.][a-z_]+\b",
    ],
)
def test_the_library_says_nothing_in_words_of_the_command(command: str) -> None:
    assert not [f"{path}: {text}" for path, text in texts() if re.search(command, text)]


def test_a_plane_is_cut_out_of_many_dimensions() -> None:
    network = ([np.eye(13), np.ones((1, 13))], [np.zeros(13), [0.0]])
    with pytest.raises(InputError, match=r"at most 12 dimensions .* pass an AffineSlice") as caught:
        decompose(network, Box(-1, 1, dim=13))
    told = explain(caught.value)
    assert told.endswith("; cut out a plane, by domain=slice_through or domain=slice_principal")


@pytest.mark.parametrize("is_graph", [False, True])
def test_numbers_beyond_floats_are_left_to_integers(is_graph: bool) -> None:
    weights = [[[1e200, 0.0], [0.0, 1e200]], [[1e200, 1e200]], [[1.0]]]
    perceptron = ReluNetwork(weights, [[0.0, 0.0], [1e-3], [0.0]])
    network = GraphNetwork(2, relu_nodes(perceptron)) if is_graph else perceptron
    domain = Box(-1, 1, dim=2)
    message = r"; scale its layers down, or choose the enumerator 'exact'$"
    with pytest.raises(FloatRangeError, match=message) as caught:
        decompose(network, domain)
    assert explain(caught.value).endswith("; scale its layers down, or add enumerator=exact")
    assert decompose(network, domain, enumerator="exact").n_regions >= 2


def test_other_words_stay() -> None:
    assert in_words_of_the_command("`seed` must be 0") == "`seed` must be 0"


def test_missing_files_are_sought_in_a_folder_only_if_their_path_is_relative() -> None:
    with pytest.raises(
        InputError, match=r"the file '/none\.pt', which does not exist; check the path"
    ):
        messages.refuse_missing_files({"network": {"path": "/none.pt"}})
    with pytest.raises(
        InputError, match=r"the file 'none\.pt', which does not exist in '/.*'; check"
    ):
        messages.refuse_missing_files({"network": {"path": "none.pt"}})
