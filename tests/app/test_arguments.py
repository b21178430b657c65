"""The command line as people write it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from relutopo.app.arguments import for_hydra
from relutopo.app.resolvers import choices
from relutopo.errors import InputError

GROUPS = {"eigensolver": ["amg_lobpcg", "arpack", "auto", "other"], "reducer": ["phat", "z2"]}


def value(argument: str) -> object:
    return OverridesParser.create().parse_override(argument).value()


@pytest.mark.parametrize(
    "path",
    [
        "epoch=3-step=400.ckpt",
        "my model (1).pt",
        "a[1].pt",
        "it's.pt",
        "runs/epoch=*/[0-9]*.ckpt",
        "a,b.pt",
        "a:b@c.pt",
        "{a}.pt",
        "~.pt",
        "model~.pt",
        "3",
        "true",
        "1e5",
        "a\\b.pt",
        "größe.pt",
        "-x.pt",
        "a#b%c&d.pt",
    ],
)
@pytest.mark.parametrize("key", ["network.path", "data.path", "checkpoints", "+training_dir"])
def test_paths_arrive_as_they_are(path: str, key: str) -> None:
    (argument,) = for_hydra([f"{key}={path}"], GROUPS)
    assert value(argument) == path


def test_the_home_folder_is_known() -> None:
    (argument,) = for_hydra(["network.path=~/runs/epoch=3.ckpt"], GROUPS)
    assert value(argument) == os.path.expanduser("~/runs/epoch=3.ckpt")


@pytest.mark.parametrize(
    "argument",
    [
        "network.path=null", "network.path='a=b.pt'", 'checkpoints="a b"', "training_dir=${seed}",
        "seed=range(4)", "network.hidden=[4,4]", "trainer.loss=a=b", "eigensolver=arpack",
        "~signature", "eigensolver=glob(", "network.path=",
    ],
)  # fmt: skip
def test_what_is_in_the_grammar_of_hydra_stays(argument: str) -> None:
    assert for_hydra([argument], GROUPS) == [argument]


def test_several_paths_are_swept() -> None:
    flag, argument = for_hydra(["network.path=a=1.pt,b=2.pt", "-m"], GROUPS)
    assert (flag, argument) == ("-m", "network.path='a=1.pt','b=2.pt'")
    assert list(OverridesParser.create().parse_override(argument).sweep_string_iterator()) == [
        "'a=1.pt'",
        "'b=2.pt'",
    ]


def test_options_may_stand_anywhere() -> None:
    given = ["seed=0", "--multirun", "a=1", "-cn", "mine", "b=2", "--cfg", "job", "-p", "trainer"]
    assert for_hydra(given, GROUPS) == [
        "--multirun", "-cn", "mine", "--cfg", "job", "-p", "trainer", "seed=0", "a=1", "b=2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("glob(*)", "amg_lobpcg,arpack,auto"),
        ("glob(a*)", "amg_lobpcg,arpack,auto"),
        ("glob([ar*,au*])", "arpack,auto"),
        ("glob(*,exclude=au*)", "amg_lobpcg,arpack"),
    ],
)
def test_patterns_match_what_can_be_chosen_by_name(pattern: str, names: str) -> None:
    assert for_hydra([f"eigensolver={pattern}"], GROUPS) == [f"eigensolver={names}"]


def test_every_group_can_be_matched() -> None:
    for group, names in choices().items():
        (argument,) = for_hydra([f"{group}=glob(*)"], choices())
        assert set(argument.partition("=")[2].split(",")) == set(names) - {"other"}


def test_a_pattern_without_a_match_is_refused() -> None:
    with pytest.raises(InputError, match=r"`reducer` must match a choice, got glob\(x\*\)"):
        for_hydra(["reducer=glob(x*)"], GROUPS)


def test_completion_says_how_it_is_installed() -> None:
    with pytest.raises(InputError, match=r"must be told what to do, .*install=bash"):
        for_hydra(["--shell-completion"], GROUPS)
    given = ["--shell-completion", "install=bash"]
    assert for_hydra(given, GROUPS) == given


WITHOUT = """
import sys
sys.modules["hydra"] = None
sys.argv = ["relutopo", {argument!r}]
from relutopo.app.entry import main
main()
"""


@pytest.mark.parametrize("argument", ["--help", "seed=1", "summarize", "plugins"])
def test_a_bare_installation_says_what_to_install(argument: str, tmp_path: Path) -> None:
    source = WITHOUT.format(argument=argument)
    run = [sys.executable, "-c", source]
    ended = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("the command 'relutopo' needs the package 'hydra'")
    assert 'pip install "relutopo[app]"' in line


def test_the_version_is_ours(tmp_path: Path) -> None:
    run = [sys.executable, "-c", WITHOUT.format(argument="--version")]
    ended = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("relutopo ")
