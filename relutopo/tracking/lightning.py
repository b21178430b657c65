"""The tracker as a callback of Lightning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from relutopo.optional import require
from relutopo.tracking.tracker import Tracker

require("lightning", "relutopo.tracking.lightning")

from lightning.pytorch import Callback, LightningModule, Trainer  # noqa: E402

__all__ = ["TrackerCallback"]


class TrackerCallback(Callback):
    """Records signatures while a Lightning trainer trains, in the first of its processes.

    Parameters
    ----------
    tracker : Tracker
    network : callable, optional
        Takes the Lightning module and returns the module to record, for example
        ``lambda module: module.net``; the Lightning module itself unless given.
    """

    def __init__(
        self, tracker: Tracker, network: Callable[[LightningModule], Any] = lambda module: module
    ) -> None:
        self.tracker, self.network = tracker, network

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the initialisation."""
        if trainer.is_global_zero:  # all have the same network, and one folder has one writer
            self.tracker.step(self.network(pl_module), trainer.global_step)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Record the network after an update."""
        if not trainer.is_global_zero:
            return
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if loss is not None:
            loss = loss * trainer.accumulate_grad_batches  # by which Lightning has divided it
        self.tracker.step(self.network(pl_module), trainer.global_step, loss)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wait for the analysis in the background."""
        self.tracker.close()
