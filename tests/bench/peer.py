"""The peer of `make bench`: what a user would write instead, in a process of its own.

``transformers.pipeline("image-classification")`` with a network of the embedded model's size and random
weights (speed does not depend on them), asked one picture at a time. Prints when it is ready, then answers
each line of standard input (a file's name) with the milliseconds that it took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from tests.bench.rows import ROOT, environ

NAME = "pipeline"


def made(folder: Path) -> Path:
    """The network in a folder, written by another process: this one shall not import torch."""
    subprocess.run(
        [sys.executable, "-m", "tests.bench.peer", "--make", str(folder)],
        cwd=ROOT,
        check=True,
        env=environ(),
    )
    return folder


class Pipeline:
    """The peer in a process of its own: ``with Pipeline(folder) as peer: peer.milliseconds(picture)``."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.peer", str(folder)],
            cwd=ROOT,
            env=environ(),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        assert self._process.stdout
        if not any(line.startswith("ready") for line in self._process.stdout):
            raise SystemExit("the pipeline ended without saying that it is ready")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def milliseconds(self, picture: Path) -> float:
        """Have it answer one picture, and say what that took."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{picture}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def make(folder: Path) -> None:
    """Write the network as a folder, as if it had been downloaded."""
    import torch
    from transformers import Dinov2Config, Dinov2ForImageClassification

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=384, num_attention_heads=6, image_size=518, patch_size=14, num_labels=12
    )
    Dinov2ForImageClassification(config).save_pretrained(folder)
    processor = {
        "image_processor_type": "BitImageProcessor",
        "size": {"height": 224, "width": 224},
        "do_resize": True,
        "do_center_crop": False,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "resample": 3,
        "rescale_factor": 1 / 255,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def loaded(folder: Path) -> Any:
    """The pipeline itself."""
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline

    torch.set_grad_enabled(False)
    model = AutoModelForImageClassification.from_pretrained(folder)
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return pipeline("image-classification", model=model, image_processor=processor)


def main(folder: Path) -> None:
    """Load, say so, answer."""
    classify = loaded(folder)
    print("ready", flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        classify(line.strip())
        print(1000 * (time.perf_counter() - begun), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--make":
        make(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]))
