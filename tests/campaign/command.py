"""The command with random keys and values: it runs, or ends with an error in plain words."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from commands import Server
from relutopo.errors import InputError
from tests.campaign.cases import without_each
from tests.campaign.framework import Clock, check, kind

Rng = np.random.Generator
SMALL = [
    "trainer.n_steps=2",
    "trainer.n_checkpoints=2",
    "trainer.checkpoint_steps=[1]",
    "data.n=12",
    "network.hidden=[3]",
    "figures=false",
    "hydra.run.dir=run",
]
"""What makes a run short; what a case asks for comes after it."""


@dataclass(frozen=True)
class CommandCase:
    """The arguments of a run of the command."""

    arguments: list[str]

    def tags(self) -> dict[str, Any]:
        """Return the number of arguments."""
        return {"arguments": len(self.arguments)}

    def simpler(self) -> Iterator[CommandCase]:
        """Yield fewer arguments."""
        yield from map(CommandCase, without_each(self.arguments))


@functools.cache
def server() -> Server:
    """Return what starts the command, quickly."""
    folder = Path(tempfile.mkdtemp())
    started = Server(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(started.close)
    return started


@check("an exit in plain words")
def plain_words(case: CommandCase, clock: Clock) -> None:
    """No traceback; what is refused says why; what runs leaves its table."""
    with tempfile.TemporaryDirectory() as folder:
        started = server().start(Path(folder), *SMALL, *case.arguments)
        status = started.wait(120)
        printed = started.printed()
        assert "Traceback" not in printed, printed[-1500:]
        if status == 0:
            ran = any(Path(folder).rglob("*.parquet"))
            told = "--help" in case.arguments or "--cfg" in case.arguments
            assert ran or told, f"it ended well, and left no table: {printed[-500:]}"
            return
        assert status in (1, 2), f"exit status {status}: {printed[-500:]}"
        last = printed.strip().splitlines()
        assert last, "it failed without a word"
        assert not os.path.exists("/tmp/relutopo-was-here"), "a name was used as a path"
    raise InputError(f"`arguments`; {last[-1]}")


CHOICES = {
    "eigensolver": ["auto", "arpack", "amg_lobpcg", "other", "dense"],
    "enumerator": ["cpu", "exact", "cuda", "gpu"],
    "vertex_weights": ["unweighted", "scaled_count", "chung_langlands", "ones"],
    "edge_weights": ["facet_length", "inverse_distance", "unit", "length"],
    "reducer": ["z2", "phat", "z3"],
    "filtration": ["layer_depth", "output", "abs_output", "margin", "random_extension", "height"],
    "analysis": ["partition", "homology", "scale", "nothing"],
    "data": ["two_moons", "two_circles", "peaks", "file", "moons"],
    "domain": ["box", "box_2", "around_data", "slice_principal", "sphere"],
    "experiment": ["two_circles", "regression", "inspect", "three_moons"],
    "signature": ["[n_regions]", "[n_cells,fiedler_value]", "[area]", "n_regions"],
    "trainer": ["adamw", "sgd"],
}
KEYS = [
    "seed",
    "max_cells",
    "figures",
    "objective",
    "training_dir",
    "checkpoints",
    "trainer.n_steps",
    "trainer.learning_rate",
    "trainer.weight_decay",
    "trainer.loss",
    "trainer.checkpoint_every",
    "trainer.checkpoint_steps",
    "trainer.held_out_every",
    "data.n",
    "data.noise",
    "data.seed",
    "data.name",
    "network.hidden",
    "network.init_scale",
    "network.dtype",
    "domain.margin",
    "domain.low",
    "domain.high",
    "analysis.adjacency",
    "analysis.component",
    "analysis.name",
    "eigensolver.tol",
    "eigensolver.max_iterations",
    "eigensolver.name",
    "enumerator.n_threads",
    "vertex_weights.scale",
    "filtration.points",
    "hydra.job.name",
    "no_such_key",
    "data.no_such_key",
    "analysis",
    "data",
]
VALUES = [
    "null", "true", "false", "0", "1", "2", "-1", "0.5", "1e-3", "nan", "inf", "-inf", "1e400",
    "[]", "[1]", "[1,2]", "[0]", "[-1]", "[a]", "[[1]]", "{}", "{a:1}", "''", "x", "'a b'", "é",
    "largest", "hamming", "facet", "mse", "bce", "float32", "two_moons", "/tmp/x", "../x",
    "'${seed}'", "'${no.such}'", "'${oc.env:HOME}'", "'${'", "'\\n'", "0x10", "1_000", "yes",
    "'[red]x[/red]'", "99999999999999999999", "1+1", "~", "'='",
]  # fmt: skip
FORMS = ["{k}={v}", "{k}={v}", "{k}={v}", "{k}={v}", "+{k}={v}", "++{k}={v}", "~{k}", "{k}", "{k}="]


def one(rng: Rng) -> str:
    if rng.random() < 0.3:
        group = str(rng.choice(list(CHOICES)))
        return f"{group}={rng.choice(CHOICES[group])}"
    form, key, value = (str(rng.choice(pool)) for pool in (FORMS, KEYS, VALUES))
    return form.format(k=key, v=value)


@kind(
    "settings of the command",
    "command",
    checks=("an exit in plain words",),
    refusals=(InputError,),
    limit=150.0,
    in_the_gate=0,  # `tests/app` starts the command often enough
)
def settings(rng: Rng) -> CommandCase:
    return CommandCase([one(rng) for _ in range(int(rng.integers(1, 3)))])
