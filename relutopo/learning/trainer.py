"""Train small multi-layer perceptrons by full-batch AdamW, and keep checkpoints.

Conventions: step t is the network after t updates; step 0 is the initialisation. Weight decay is
decoupled (Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019). The same
settings, data and seed give the same run, interrupted or not.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from relutopo.checks import (
    check_choice,
    check_flag,
    check_integer,
    check_integers,
    check_number,
    check_seed,
)
from relutopo.errors import InputError
from relutopo.interfaces import Progress, check_progress
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import (
    Checkpoint,
    History,
    TrainingRun,
    load_tensors,
    planned_steps,
    save_checkpoint,
    save_tensors,
)
from relutopo.learning.spikes import find_spikes, steps_around
from relutopo.optional import require

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn, optim

__all__ = ["MlpSettings", "TrainerSettings", "build_mlp", "checkpoint_steps", "train"]

_LOSSES = ("mse", "one_hot", "bce", "cross_entropy")


@dataclass(frozen=True)
class MlpSettings:
    """A multi-layer perceptron.

    Attributes
    ----------
    hidden : sequence of int
        Neurons in each hidden layer.
    init_scale : float
        α: torch's default initialisation of weights and biases is multiplied by it. A large α
        delays generalisation.
    dtype : {"float32", "float64"}
        Precision of the parameters and of training.
    n_outputs : int or None
        None: one output for values or two classes, and one for each class if there are more.
    """

    hidden: Sequence[int] = (8, 8, 8, 8, 8)
    init_scale: float = 1.0
    dtype: Literal["float32", "float64"] = "float64"
    n_outputs: int | None = None

    def __post_init__(self) -> None:
        hidden = check_integers(
            "hidden", self.hidden, 1, at_least=1, remedy="pass for example [8, 8]"
        )
        object.__setattr__(self, "hidden", hidden)
        if self.n_outputs is not None:
            remedy = "leave it out to have as many as the data ask for"
            check_integer("n_outputs", self.n_outputs, 1, remedy=remedy)
        scale = check_number(
            "init_scale", self.init_scale, above=0, remedy="1 is torch's default initialisation"
        )
        object.__setattr__(self, "init_scale", scale)
        remedy = "the default is 'float64'"
        check_choice("dtype", self.dtype, ("float32", "float64"), remedy=remedy)


@dataclass(frozen=True)
class TrainerSettings:
    """How to train.

    Attributes
    ----------
    n_steps : int
        Number of updates.
    learning_rate : float
    weight_decay : float
        Decoupled decay, ≥ 0.
    decay_biases : bool
        Whether biases decay too.
    loss : {"mse", "one_hot", "bce", "cross_entropy"}
        "mse": mean squared error, of one output against the targets, or of several outputs against
        +1 for the right class and -1 for the others. "one_hot": the same of several outputs against
        1 for the right class and 0 for the others. "bce": binary cross entropy with one output as
        logit. "cross_entropy": cross entropy with the softmax of several outputs.
    label_smoothing : float
        For the cross entropies: the target probability of the right class is 1 minus this, and the
        other classes share the rest; in [0, 0.5).
    n_checkpoints : int
        Approximate number of checkpoints, evenly spaced in log(step), besides the first and last.
    checkpoint_every : int or None
        Every multiple of this gets a checkpoint, too.
    checkpoint_steps : sequence of int
        Steps that always get a checkpoint; those after the last step are left out.
    checkpoint_spikes : bool
        Whether the step before each spike of the training loss, its peak and the step after it
        get a checkpoint, too. Spikes are found afterwards (`relutopo.learning.spikes`), so training
        is then repeated once for these steps.
    held_out_every : int
        The held-out set is evaluated at every step up to 100, then at multiples of this, and at
        checkpoints.
    """

    n_steps: int = 5000
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    decay_biases: bool = False
    loss: Literal["mse", "one_hot", "bce", "cross_entropy"] = "mse"
    label_smoothing: float = 0.0
    n_checkpoints: int = 30
    checkpoint_every: int | None = None
    checkpoint_steps: Sequence[int] = ()
    checkpoint_spikes: bool = False
    held_out_every: int = 10

    def __post_init__(self) -> None:
        defaults = {field.name: field.default for field in fields(self)}
        least = {"n_steps": 1, "n_checkpoints": 0, "held_out_every": 1}
        if self.checkpoint_every is not None:
            least["checkpoint_every"] = 1
        checked: dict[str, Any] = {
            name: check_integer(
                name, getattr(self, name), lowest, remedy=f"the default is {defaults[name]}"
            )
            for name, lowest in least.items()
        }
        checked["checkpoint_steps"] = check_integers(
            "checkpoint_steps", self.checkpoint_steps, remedy="step 0 is the initialisation"
        )
        checked["learning_rate"] = check_number(
            "learning_rate", self.learning_rate, above=0, remedy="5e-3 is usual"
        )
        checked["weight_decay"] = check_number(
            "weight_decay", self.weight_decay, least=0, remedy="0 means none"
        )
        checked["label_smoothing"] = check_number(
            "label_smoothing", self.label_smoothing, least=0, below=0.5, remedy="0 means none"
        )
        for name in ("decay_biases", "checkpoint_spikes"):
            checked[name] = check_flag(name, getattr(self, name))
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        check_choice("loss", self.loss, _LOSSES, remedy="the default is 'mse'")
        if self.loss in ("mse", "one_hot") and self.label_smoothing:
            raise InputError(
                f"`label_smoothing` must be 0 for the loss {self.loss!r}, got "
                f"{self.label_smoothing}; "
                "choose 'bce' or 'cross_entropy'"
            )


def checkpoint_steps(settings: TrainerSettings) -> list[int]:
    """Return the steps that get a checkpoint independently of the loss, ascending.

    Parameters
    ----------
    settings : TrainerSettings

    Returns
    -------
    list of int
        0, the last step, the named ones, multiples of `checkpoint_every`, and steps evenly spaced
        on a log axis (rounding makes early ones coincide, so there are somewhat fewer).

    Examples
    --------
    >>> checkpoint_steps(TrainerSettings(n_steps=1000, n_checkpoints=4, checkpoint_steps=[30]))
    [0, 1, 10, 30, 100, 1000]
    """
    return planned_steps(
        settings.n_steps,
        settings.n_checkpoints,
        settings.checkpoint_steps,
        settings.checkpoint_every,
    )


def build_mlp(
    input_dim: int, settings: MlpSettings, seed: int = 0, n_outputs: int = 1
) -> nn.Sequential:
    """Return a freshly initialised network; torch's global random state does not change.

    Parameters
    ----------
    input_dim : int
    settings : MlpSettings
    seed : int
        It is hashed before use, so that the weights are independent of data drawn with the same
        seed.
    n_outputs : int
        Used unless the settings have a number of outputs.

    Returns
    -------
    torch.nn.Sequential
        Linear and ReLU layers in turn, a Linear layer at the end.
    """
    torch = require("torch", "training")
    widths = (input_dim, *settings.hidden, settings.n_outputs or n_outputs)
    dtype = getattr(torch, settings.dtype)
    layers: list[Any] = []
    # A separate generator: the global one is shared by all threads.
    generator = torch.Generator()
    generator.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    for fan_in, fan_out in pairwise(widths):
        layer = torch.nn.utils.skip_init(torch.nn.Linear, fan_in, fan_out, dtype=dtype)
        # Torch's default initialisation of such a layer.
        bound = 1 / math.sqrt(fan_in)
        torch.nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
        torch.nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        layers += [layer, torch.nn.ReLU()]
    model: nn.Sequential = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(settings.init_scale)
    return model


def train(
    dataset: Dataset,
    network: MlpSettings,
    trainer: TrainerSettings,
    *,
    seed: int = 0,
    directory: str | os.PathLike[str],
    progress: Progress | None = None,
) -> TrainingRun:
    """Train a network, or continue an interrupted run where it stopped.

    Parameters
    ----------
    dataset : Dataset
    network : MlpSettings
    trainer : TrainerSettings
    seed : int
        Seed of the initialisation; nothing else in training is random.
    directory : path-like
        Folder of the run; see `relutopo.learning.runs`. A complete run in it is returned unchanged.
    progress : Progress, optional
        Called at intervals with (steps done, steps, message).

    Returns
    -------
    TrainingRun

    Raises
    ------
    InputError
        If the folder has a run with other settings or data, the loss does not suit the targets, or
        it becomes NaN or infinite.
    MissingExtraError
        If torch is not installed.
    """
    seed = check_seed(seed)
    check_progress(progress)
    task = _Task.of(dataset, network, trainer)
    run = TrainingRun(directory)
    run.claim({"network": asdict(network), "trainer": asdict(trainer), "seed": seed}, dataset)
    if not run.is_complete:
        with _one_thread():
            history = _train(run, dataset, task, network, trainer, seed, progress)
            if trainer.checkpoint_spikes:
                steps = steps_around(find_spikes(history.train_loss), trainer.n_steps)
                missing = set(steps) - set(run.steps)
                _repeat(run, dataset, task, network, trainer, seed, history, missing)
            run.finish(history)
    return run


@dataclass(frozen=True)
class _Task:
    """What a network learns, and how its outputs are evaluated.

    Attributes
    ----------
    loss : str
    smoothing : float
    n_outputs : int
    """

    loss: str
    smoothing: float
    n_outputs: int

    @classmethod
    def of(cls, dataset: Dataset, network: MlpSettings, trainer: TrainerSettings) -> _Task:
        """Return the task, or refuse targets that do not suit the loss and the outputs."""
        classes = dataset.classes or ()
        n_classes = len(classes)
        are_numbers = not any(isinstance(label, str) for label in classes)
        fitting = {
            "bce": {1} if n_classes == 2 else set(),
            "one_hot": {n_classes} if n_classes >= 2 else set(),
            "cross_entropy": {n_classes} if n_classes >= 2 else set(),
            "mse": ({1} if n_classes <= 2 or are_numbers else set()) | {n_classes} - {0, 1},
        }[trainer.loss]
        kind = f"{n_classes} classes" if n_classes else "values"
        if not fitting:
            needed = "two classes" if trainer.loss == "bce" else "two classes or more"
            other = "'cross_entropy'" if n_classes > 2 else "'mse'"
            raise InputError(
                f"`loss` {trainer.loss!r} needs data of {needed}, got {dataset.name!r} with {kind}"
                f"; choose {other}, or other data"
            )
        usual = n_classes if n_classes > 2 or fitting == {n_classes} else 1
        n_outputs = network.n_outputs or usual
        if n_outputs not in fitting:
            listed = " or ".join(map(str, sorted(fitting)))
            raise InputError(
                f"`n_outputs` must be {listed} for the loss {trainer.loss!r} and {dataset.name!r} "
                f"with {kind}, got {n_outputs}; leave it out"
            )
        return cls(trainer.loss, trainer.label_smoothing, n_outputs)

    def targets(self, dataset: Dataset, targets: NDArray[np.float64], dtype: Any) -> Tensor:
        """Return targets in the form that the loss takes: numbers, or classes."""
        torch = require("torch", "training")
        if self.n_outputs == 1:
            tensor: Tensor = torch.as_tensor(targets, dtype=dtype)
            return tensor
        classes: Tensor = torch.as_tensor(dataset.class_numbers(targets))
        return classes

    def evaluate(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, float]:
        """Return the loss and the accuracy."""
        functional = require("torch", "training").nn.functional
        if self.n_outputs == 1:
            outputs = outputs[:, 0]
            if self.loss == "mse":
                value = functional.mse_loss(outputs, targets)
            else:
                chances = (targets + 1) / 2
                if self.smoothing:
                    chances = self.smoothing + (1 - 2 * self.smoothing) * chances
                value = functional.binary_cross_entropy_with_logits(outputs, chances)
            return value, float(((outputs > 0) == (targets > 0)).double().mean())
        right = functional.one_hot(targets, self.n_outputs).to(outputs.dtype)
        if self.loss == "mse":
            value = functional.mse_loss(outputs, 2 * right - 1)
        elif self.loss == "one_hot":
            value = functional.mse_loss(outputs, right)
        else:
            others = self.smoothing / (self.n_outputs - 1)
            chances = others + (1 - self.smoothing - others) * right
            value = functional.cross_entropy(outputs, chances)
        return value, float((outputs.argmax(dim=1) == targets).double().mean())


def _train(
    run: TrainingRun,
    dataset: Dataset,
    task: _Task,
    network: MlpSettings,
    trainer: TrainerSettings,
    seed: int,
    progress: Progress | None,
) -> History:
    torch = require("torch", "training")
    model = build_mlp(dataset.dim, network, seed, task.n_outputs)
    optimizer = _optimizer(model, trainer)
    dtype = getattr(torch, network.dtype)
    x, held_out_x = (
        torch.as_tensor(points, dtype=dtype) for points in (dataset.points, dataset.held_out_points)
    )
    y, held_out_y = (
        task.targets(dataset, targets, dtype)
        for targets in (dataset.targets, dataset.held_out_targets)
    )
    saved_at = set(checkpoint_steps(trainer))
    losses, accuracies = np.empty((2, trainer.n_steps + 1))
    held_out: list[tuple[int, float, float]] = []
    first = 0
    if run.unfinished_path.is_file():
        state = load_tensors(run.unfinished_path)
        first = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        losses[: first + 1], accuracies[: first + 1] = state["losses"], state["accuracies"]
        held_out = [tuple(entry) for entry in state["held_out"]]

    for step in range(first, trainer.n_steps + 1):
        loss, accuracy = task.evaluate(model(x), y)
        losses[step], accuracies[step] = loss.item(), accuracy
        if not np.isfinite(losses[step]):
            raise InputError(
                f"the training loss is {losses[step]} at step {step}; lower `learning_rate` "
                f"(now {trainer.learning_rate}) or `init_scale` (now {network.init_scale})"
            )
        is_saved = step in saved_at
        if (not held_out or held_out[-1][0] < step) and (
            is_saved or step <= 100 or step % trainer.held_out_every == 0
        ):
            with torch.no_grad():
                value, accuracy = task.evaluate(model(held_out_x), held_out_y)
            held_out.append((step, value.item(), accuracy))
        if is_saved:
            save_checkpoint(run.checkpoint_path(step), Checkpoint(step, model.state_dict()))
            save_tensors(
                run.unfinished_path,
                {
                    "step": step,
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "losses": torch.from_numpy(losses[: step + 1]),
                    "accuracies": torch.from_numpy(accuracies[: step + 1]),
                    "held_out": held_out,
                },
            )
        if progress is not None and (is_saved or step % 50 == 0):
            progress(step, trainer.n_steps, f"loss {losses[step]:.2g}")
        if step < trainer.n_steps:
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    steps, held_out_losses, held_out_accuracies = zip(*held_out, strict=True)
    return History(
        train_steps=np.arange(trainer.n_steps + 1, dtype=np.int64),
        train_loss=losses,
        train_accuracy=accuracies,
        held_out_steps=np.array(steps, dtype=np.int64),
        held_out_loss=np.array(held_out_losses),
        held_out_accuracy=np.array(held_out_accuracies),
    )


def _repeat(
    run: TrainingRun,
    dataset: Dataset,
    task: _Task,
    network: MlpSettings,
    trainer: TrainerSettings,
    seed: int,
    history: History,
    steps: set[int],
) -> None:
    """Train once more from the start, to save checkpoints at some steps."""
    torch = require("torch", "training")
    model = build_mlp(dataset.dim, network, seed, task.n_outputs)
    optimizer = _optimizer(model, trainer)
    dtype = getattr(torch, network.dtype)
    x, y = (
        torch.as_tensor(dataset.points, dtype=dtype),
        task.targets(dataset, dataset.targets, dtype),
    )
    for step in range(max(steps, default=-1) + 1):
        loss, _ = task.evaluate(model(x), y)
        if loss.item() != history.train_loss[step]:
            raise InputError(
                f"repeating the training run in {str(run.directory)!r} gives a loss of "
                f"{loss.item()} at step {step} where it was {history.train_loss[step]}: it was "
                "begun on another machine or with other versions; delete it and train again"
            )
        if step in steps:
            save_checkpoint(run.checkpoint_path(step), Checkpoint(step, model.state_dict()))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _optimizer(model: nn.Module, trainer: TrainerSettings) -> optim.Optimizer:
    torch = require("torch", "training")
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
    optimizer: optim.Optimizer = torch.optim.AdamW(
        [
            {"params": weights, "weight_decay": trainer.weight_decay},
            {"params": biases, "weight_decay": trainer.weight_decay * trainer.decay_biases},
        ],
        lr=trainer.learning_rate,
        fused=True,
    )
    return optimizer


_in_one_thread: list[int] = []
"""For each running call that trains: how many threads torch had before the first of them."""
_lock = Lock()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread: faster for tiny networks, and sums are reproducible.

    The setting belongs to the current thread, and to threads that start later.
    """
    torch = require("torch", "training")
    with _lock:
        _in_one_thread.append(_in_one_thread[0] if _in_one_thread else torch.get_num_threads())
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            torch.set_num_threads(_in_one_thread.pop())
