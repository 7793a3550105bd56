"""A ViT-B/16 with random weights, as a bundle with every level, for figures that do not depend on weights.

Its levels are declared admitted: what is measured is how long they take and what they hold, never whether
they are right. ``python -m tests.bench.vit FOLDER`` writes it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

from tests.bench.rows import ROOT, environ

NAME = "ViT-B/16"
CLASSES = 12
ADMITTED = {
    "pictures": 1,
    "top1_agreement": 1.0,
    "accuracy_loss": 0.0,
    "calibration_error": 0.0,
    "calibration_error_exact": 0.0,
    "embedding_cosine": 1.0,
    "neighbour_right": 1.0,
    "neighbour_right_exact": 1.0,
}


def vit(folder: Path) -> Path:
    """The bundle in a folder, written by another process: this one shall not import torch."""
    command = [sys.executable, "-m", "tests.bench.vit", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, env=environ(), stdout=subprocess.DEVNULL)
    return folder


def write(folder: Path) -> None:
    """Write the folder in Hugging Face's format, its ONNX form, its levels, and the manifest."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    from model.backends.torch import WithFeatures
    from model.bundle import ONNX, PREPROCESSOR, bundle_id, seal
    from model.levels.making import add_levels, opened, usual
    from model.preprocess import Preprocess
    from model.types import BundleInfo, Calibration

    torch.manual_seed(0)
    names = {index: f"Somebody {index}" for index in range(CLASSES)}
    network = ViTForImageClassification(ViTConfig(id2label=names)).eval()  # type: ignore[no-untyped-call]
    network.save_pretrained(folder)
    preprocess = Preprocess(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    (folder / PREPROCESSOR).write_text(json.dumps(preprocess.to_config()))

    class Both(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = WithFeatures(network, network.classifier)

        def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            logits, features = self.inner(pixel_values)
            return logits, torch.nn.functional.normalize(features, dim=1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Both().eval(),
            (torch.zeros(1, 3, preprocess.height, preprocess.width),),
            str(folder / ONNX),
            input_names=["pixel_values"],
            output_names=["logits", "embedding"],
            dynamic_axes={name: {0: "B"} for name in ("pixel_values", "logits", "embedding")},
            opset_version=17,
            dynamo=False,
        )
    slugs = tuple(f"somebody-{index}" for index in range(CLASSES))
    info = BundleInfo(bundle_id("vit", b"random"), slugs, names=dict(zip(slugs, names.values(), strict=True)))
    seal(folder, info, licence="none")
    graph = opened(folder / ONNX)
    levels = {
        level: {"form": usual(level, graph)[0].to_json(), "calibration": asdict(Calibration()), **ADMITTED}
        for level in ("fast", "turbo")
    }
    add_levels(folder, levels, graph)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
