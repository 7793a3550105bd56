"""Fine-tuning, as *adapter* and *full* do it: transformers' Trainer with what a plain one lacks.

Soft targets, the learning rates that a recipe chooses, a running average that is what gets judged, the best
of it kept, early stopping, and one sentence for numbers that are none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from transformers import EvalPrediction, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from model.preprocess import Floats
from training.augmenting import Augmenting
from training.checkpoints import (
    AVERAGE,
    BEST,
    STATE,
    Average,
    MasterAdamW,
    latest,
    load_tensors,
    put,
    save_state,
    save_tensors,
)
from training.errors import RunError
from training.fitting import log_softmax
from training.job import Job
from training.networks import Network
from training.pictures import Picture
from training.showing import Collator, Shown
from training.thrift import half_pays, halved, side_of, some_patches

SAVE_SECONDS = 300.0
"""What a killed run loses at most, beside the time of one step."""
BETAS = (0.9, 0.99)
"""Of AdamW: a second moment that forgets within a hundred steps, as trainings here have but a thousand."""
KEPT = 2 * 2**30
"""Bytes of decoded pictures that stay in memory where no processes of their own decode: some 6,000."""
POINTS = 200
"""Points in the curve of the loss."""


class Tuning(Protocol):
    """What fine-tuning needs to know of a recipe; the values and their reasons stand in the recipes."""

    @property
    def epochs(self) -> int:
        """How often every picture is shown."""

    @property
    def batch(self) -> int:
        """Pictures in a step."""

    @property
    def warmup(self) -> float:
        """The share of the steps in which learning rates rise."""

    @property
    def clip(self) -> float:
        """Gradients longer than this are shortened."""

    @property
    def average(self) -> float:
        """How much of itself the running average keeps at each step."""

    @property
    def patience(self) -> int:
        """So many epochs without anything better end the training."""

    @property
    def smaller(self) -> float:
        """The side of the pictures in training, of that in service."""

    @property
    def patches(self) -> float:
        """The share of each picture's patches that goes through the layers."""

    @property
    def augmenting(self) -> Augmenting:
        """What may happen to a picture."""


def fine_tune(
    job: Job,
    network: Network,
    groups: list[dict[str, Any]],
    pictures: Sequence[Picture],
    targets: Floats,
    how: Tuning,
) -> dict[str, list[tuple[float, float]]]:
    """Train in place; at the end the network has the best average of its weights.

    Args:
        groups: parameters with their learning rates, as optimizers of torch take them.
        pictures: those that are learned from.
        targets: ``[N, C]``, how likely each picture shows each character.
        how: judged is at the size of the service and with all patches, whatever this says.

    Returns:
        the curves: points (step, value) by name.

    Raises:
        RunError: the loss is no number any more.
    """
    cuda, half = torch.cuda.is_available(), half_pays()
    world = int(os.environ.get("WORLD_SIZE", "1"))
    batch = min(how.batch, max(2, len(pictures) // world))
    side = side_of(job.base.preprocess, network, how.smaller)
    room = 0 if cuda else KEPT
    shown = Shown(pictures, targets, job.base.preprocess, job.seed, side=side, how=how.augmenting, room=room)
    truth = np.eye(len(job.characters), dtype=np.float32)[job.parts.labels(job.validation)]
    judged = Shown(job.validation, truth, job.base.preprocess, job.seed, room=room // 4)
    steps = max(1, len(pictures) // (batch * world)) * how.epochs
    with (
        halved(network, half and not cuda) as originals,
        some_patches(network, how.patches),
        job.progress.phase("training", steps) as step,
    ):
        optimizer = MasterAdamW(groups, originals, betas=BETAS)
        average = Average(network, how.average, optimizer.masters)
        keeper = Keeper(job.run, average, shown, how.patience, step)
        trainer = Tuner(
            model=network,
            args=TrainingArguments(
                output_dir=str(job.run),
                per_device_train_batch_size=batch,
                per_device_eval_batch_size=32,
                num_train_epochs=how.epochs,
                lr_scheduler_type="cosine",
                warmup_steps=min(how.warmup, 0.99),
                max_grad_norm=how.clip,
                bf16=half and cuda,
                use_cpu=not cuda,
                eval_strategy="epoch",
                save_strategy="epoch",
                save_total_limit=2,
                logging_steps=max(1, steps // POINTS),
                logging_nan_inf_filter=False,
                dataloader_drop_last=True,
                dataloader_num_workers=min(8, os.cpu_count() or 1) if cuda else 0,
                dataloader_pin_memory=cuda,
                remove_unused_columns=False,
                label_names=["targets"],
                ddp_find_unused_parameters=world > 1,  # a last norm whose output no head reads
                report_to="none",
                disable_tqdm=True,
                seed=job.seed,
            ),
            data_collator=Collator(job.base.preprocess, how.augmenting, job.seed),
            train_dataset=shown,
            eval_dataset=judged,
            compute_metrics=_figures,
            callbacks=[keeper],
            optimizers=(optimizer, None),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.average = average
        found = latest(job.run)
        if found is not None:
            keeper.load(found)
        trainer.train(resume_from_checkpoint=None if found is None else str(found))
    if (job.run / BEST).is_file():
        put(network, load_tensors(job.run / BEST, average.values))
    history = trainer.state.log_history
    return {
        "loss in training": [(h["step"], h["loss"]) for h in history if "loss" in h],
        "right on the validation part": [(h["step"], h["eval_right"]) for h in history if "eval_right" in h],
    }


class Tuner(Trainer):
    """Trainer, but that averaged weights are judged, and that a loss that is no number ends it."""

    average: Average

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """See `Network.forward`."""
        outputs = model(**inputs)
        loss = outputs["loss"]
        if model.training and not bool(loss.isfinite()):
            raise RunError(
                f"the loss is no number any more at step {self.state.global_step + 1}, so no model is "
                "written; a smaller learning rate may help (--set lr=…)"
            )
        return (loss, outputs) if return_outputs else loss

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """With the last, smaller batch, which only training leaves out."""
        self.args.dataloader_drop_last = False
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.args.dataloader_drop_last = True

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        """Judge the average."""
        with self.average.in_place():
            return super().evaluate(*args, **options)


class Keeper(TrainerCallback):
    """Averages, keeps the best, stops when nothing gets better, saves every few minutes, tells how far."""

    def __init__(
        self, run: Path, average: Average, shown: Shown, patience: int, step: Callable[[int], None]
    ) -> None:
        self._run, self._average, self._shown, self._patience = run, average, shown, patience
        self._step, self._told, self._saved = step, 0, time.monotonic()
        self._best = float("inf")
        self._worse = 0

    def load(self, checkpoint: Path) -> None:
        """Go on as when this checkpoint was written."""
        import json

        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        self._best, self._worse, self._average.steps = state["best"], state["worse"], state["steps"]
        self._average.values = load_tensors(checkpoint / AVERAGE, self._average.values)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The pictures change."""
        self._shown.epoch = int((state.epoch or 0) + 1e-6)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """One step is done."""
        self._average.update()
        self._step(state.global_step - self._told)
        self._told = state.global_step
        if time.monotonic() - self._saved > SAVE_SECONDS:
            control.should_save = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """An epoch was judged: by its surprise, as one picture more or less that is right says little."""
        surprise = float(more["metrics"]["eval_surprise"])
        if surprise < self._best:
            self._best, self._worse = surprise, 0
            if state.is_world_process_zero:
                save_tensors(self._run / BEST, self._average.values)
        else:
            self._worse += 1
            if self._worse >= self._patience:
                control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The Trainer wrote its part of a checkpoint; ours makes it whole."""
        self._saved = time.monotonic()
        if not state.is_world_process_zero:
            return
        checkpoint = self._run / f"checkpoint-{state.global_step}"
        save_tensors(checkpoint / AVERAGE, self._average.values)
        kept = {"best": self._best, "worse": self._worse, "steps": self._average.steps}
        save_state(checkpoint / STATE, kept)


def _figures(found: EvalPrediction) -> dict[str, float]:
    """``right``, a share, and ``surprise``, the mean of -log p."""
    logits, truth = np.asarray(found.predictions, np.float32), np.asarray(found.label_ids).argmax(axis=1)
    surprise = -log_softmax(logits)[np.arange(len(truth)), truth].mean()
    return {"right": float((logits.argmax(axis=1) == truth).mean()), "surprise": float(surprise)}
