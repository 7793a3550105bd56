"""What the tests of training share: drawings with their table, tiny bases, and the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from model.preprocess import Preprocess
from tests.training.test_head import write

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}

__all__ = ["SMALL", "command", "environment", "invoke", "tiny_base", "write"]


def tiny_base(folder: Path, kind: str = "Dinov2Model", **changes: Any) -> Path:
    """A random model of transformers in a folder; ``kind`` is its class."""
    import torch
    import transformers

    torch.manual_seed(0)
    family = kind.removesuffix("ForImageClassification").removesuffix("Model")
    config = getattr(transformers, f"{family}Config")(**{**SMALL, **changes})
    network = getattr(transformers, kind)(config)
    # random models see little difference between pictures; larger weights do
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1 and "layer" in name:
                parameter.mul_(3)
    network.save_pretrained(folder)
    pixels = Preprocess(32, 32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels.to_config()))
    return folder


def arguments(place: Path, *more: str, base: Path | str = "base", out: str = "out") -> list[str]:
    """The options of ``whosthat train`` for the folders in ``place``."""
    return [
        f"--data={place / 'pictures'}",
        f"--base={place / base}",
        f"--out={place / out}",
        f"--cache={place / 'cache'}",
        f"--models={place / 'models'}",
        *more,
    ]


def invoke(place: Path, *more: str, base: Path | str = "base", out: str = "out") -> tuple[int, str]:
    """Run the command in this process: exit code and what it said, on one line."""
    import torch
    from typer.testing import CliRunner

    from training.cli import app

    torch.set_num_threads(1)  # as `environment` has it for processes: the weights' hash depends on it
    run = CliRunner().invoke(app, arguments(place, *more, base=base, out=out))
    if run.exception is not None and not isinstance(run.exception, SystemExit):
        raise run.exception
    return run.exit_code, " ".join(run.output.split())


def command(place: Path, *more: str, base: Path | str = "base", out: str = "out") -> list[str]:
    """The same as a process of its own."""
    return [sys.executable, "-m", "training.cli", *arguments(place, *more, base=base, out=out)]


def environment(**changes: str) -> dict[str, str]:
    """For such a process: one thread, so that several tests get along."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **changes}


def said(run: subprocess.CompletedProcess[str]) -> str:
    """Everything on one line."""
    return " ".join((run.stdout + run.stderr).split())
