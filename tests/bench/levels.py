"""Picture to answer at each level of speed: through the real worker, beside the pipeline, in turns.

Once with a ViT-B/16 of random weights, on which speed does not depend, and once with the embedded model.
Beside the ratios stands how much of what this machine can do at most each level makes use of: the
multiplications that it needs, over the time from picture to answer, over those of one large product of
matrices in ONNX Runtime (``MatMul`` for *exact*, ``MatMulInteger`` for the others). Time also goes into
decoding the picture and carrying the answer, which has no share in that.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from onnx import TensorProto, helper
from rich.progress import track

from model.levels.forms import Form, within
from model.supervisor import WorkerSupervisor
from model.types import LEVELS
from model.worker.options import WorkerOptions
from tests.bench.peer import NAME, Pipeline, made
from tests.bench.rows import ROOT, Bench, Row, environ
from tests.standins.drawings import drawing

BOUNDS = {"exact": 1.4, "fast": 2.2, "turbo": 4.0}
SIDE = 1536  # of the matrices that say what the machine can do
VIT_B = {"width": 768, "layers": 12, "tokens": 197, "patch": 16}
VIT_S = {"width": 384, "layers": 12, "tokens": 257, "patch": 14}


def rows(bench: Bench) -> list[Row]:
    """Both models; pictures as cameras and screens make them."""
    pictures = []
    for seed in range(bench.pictures):
        pictures.append(bench.folder / f"level-{seed}.jpg")
        pictures[-1].write_bytes(drawing("red", seed=seed, size=(1280, 960), kind="JPEG"))
    large = bench.folder / "vit-b16"
    command = [sys.executable, "-m", "tests.bench.levels", str(large)]
    subprocess.run(command, cwd=ROOT, check=True, env=environ())
    from model.builtin import builtin_id, shipped_levels
    from model.bundle import read_json

    models = bench.folder / "models"
    found = []
    for name, use, peer, size in (
        ("ViT-B/16", str(large / "bundle"), large / "peer", VIT_B),
        ("embedded", "builtin", made(bench.folder / "peer"), VIT_S),
    ):
        told = list(track(pictures, f"asking {name}", console=bench.screen, transient=True))
        times = asyncio.run(_answers(use, models, peer, told))
        compiled = shipped_levels()
        if use != "builtin":
            manifest = read_json(large / "bundle" / "manifest.json")["compiled"].values()
            compiled = {each["level"]: each for each in manifest}
        peaks = {"exact": peak(whole=False), "int8": peak(whole=True)}
        for level in LEVELS:
            bound = f"≥ {BOUNDS[level]}×" if use != "builtin" else ""
            row = Row(f"{name}, {level}", times[level], "ms", times[NAME], NAME, bound)
            form = Form.from_json(compiled[level]["form"]) if level != "exact" else Form()
            best = peaks["exact" if level == "exact" else "int8"]
            share = tuple(100 * multiplications(size, form) / (each / 1000) / best for each in row.ours)
            found += [row, Row(f"… of this machine's {'fp32' if level == 'exact' else 'int8'}", share, "%")]
    assert builtin_id()
    return found


def multiplications(size: dict[str, int], form: Form) -> float:
    """How many a picture needs at the form's least merging; the attention's own among them."""
    width, tokens = size["width"], size["tokens"]
    total = float((tokens - 1) * 3 * size["patch"] ** 2 * width)
    merges = within(form.merge, tokens) if form.merge else ()
    for layer in range(size["layers"]):
        total += 4 * tokens * width**2 + 2 * tokens**2 * width
        tokens -= merges[layer].least if merges else 0
        total += 8 * tokens * width**2
    return total


def peak(*, whole: bool) -> float:
    """Multiplications a second of one large product: in whole numbers of 8 bits, or in single precision."""
    types = (TensorProto.UINT8, TensorProto.INT8) if whole else (TensorProto.FLOAT, TensorProto.FLOAT)
    value = helper.make_tensor_value_info
    random = np.random.default_rng(0)
    weight = random.integers(-60, 60, (SIDE, SIDE)).astype(np.int8 if whole else np.float32)
    kind = "MatMulInteger" if whole else "MatMul"
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", "w"], ["y"])],
        "product",
        [value("x", types[0], [SIDE, SIDE])],
        [value("y", TensorProto.INT32 if whole else TensorProto.FLOAT, [SIDE, SIDE])],
        [helper.make_tensor("w", types[1], weight.shape, weight.tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = random.integers(0, 120, (SIDE, SIDE)).astype(np.uint8 if whole else np.float32)
    seconds = []
    for _ in range(8):
        begun = time.perf_counter()
        session.run(None, {"x": x})
        seconds.append(time.perf_counter() - begun)
    return SIDE**3 / min(seconds)


async def _answers(
    use: str, models: Path, peer_folder: Path, pictures: Sequence[Path]
) -> dict[str, tuple[float, ...]]:
    """Milliseconds by level, and of the pipeline, each picture after the other and the levels in turns."""
    async with AsyncExitStack() as stack:
        clients: dict[str, Any] = {}
        for level in LEVELS:
            options = WorkerOptions(use=use, models_dir=models, decoders=1, cache_entries=0, level=level)
            worker = await stack.enter_async_context(WorkerSupervisor(options))
            clients[level] = worker.client()
            stack.push_async_callback(clients[level].close)
        peer = stack.enter_context(Pipeline(peer_folder))
        times: dict[str, list[float]] = {name: [] for name in (*LEVELS, NAME)}
        for picture in pictures:
            data = picture.read_bytes()
            for level, client in clients.items():
                begun = time.perf_counter()
                sight = await client.look(data)
                times[level].append(1000 * (time.perf_counter() - begun))
                assert sight.level == level
            times[NAME].append(peer.milliseconds(picture))
    skip = min(3, len(pictures) // 4)  # all warm up
    return {name: tuple(each[skip:]) for name, each in times.items()}


def make(folder: Path) -> None:
    """A ViT-B/16 of random weights: a folder for the pipeline, and a bundle that admits every level."""
    import warnings

    import torch
    from torch import nn
    from transformers import ViTConfig, ViTForImageClassification

    from model.bundle import CONFIG, ONNX, PREPROCESSOR, seal, write_json
    from model.levels.forms import evenly
    from model.levels.making import add_levels
    from model.preprocess import Preprocess
    from model.types import BundleInfo

    torch.manual_seed(0)
    names = {index: f"somebody {index}" for index in range(12)}
    network = ViTForImageClassification(ViTConfig(id2label=names)).eval()
    how = Preprocess(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resample=2)
    network.save_pretrained(folder / "peer")
    write_json(folder / "peer" / PREPROCESSOR, how.to_config())

    class Both(nn.Module):
        """Logits and embedding."""

        def __init__(self) -> None:
            super().__init__()
            self.last = network.classifier
            network.classifier = nn.Identity()
            self.network = network

        def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            row = self.network(pixel_values).logits
            return self.last(row), nn.functional.normalize(row, dim=1)

    bundle = folder / "bundle"
    bundle.mkdir(parents=True)
    outputs = ["logits", "embedding"]
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Both().eval(),
            (torch.zeros(2, 3, 224, 224),),
            str(bundle / ONNX),
            input_names=["pixel_values"],
            output_names=outputs,
            dynamic_axes={name: {0: "B"} for name in ["pixel_values", *outputs]},
            opset_version=17,
            dynamo=False,
        )
    write_json(
        bundle / CONFIG, {"model_type": "vit", "id2label": {str(i): name for i, name in names.items()}}
    )
    write_json(bundle / PREPROCESSOR, how.to_config())
    characters = tuple(name.replace(" ", "-") for name in names.values())
    seal(bundle, BundleInfo("vit-b16-random", characters), licence="none")
    nothing_lost = {
        "pictures": 1,
        "top1_agreement": 1.0,
        "accuracy_loss": 0.0,
        "calibration_error": 0.0,
        "calibration_error_exact": 0.0,
        "embedding_cosine": 1.0,
        "neighbour_right": 1.0,
        "neighbour_right_exact": 1.0,
        "calibration": {},
    }
    # as the embedded model's; even channels cost nothing
    even = Form(int8=True, floats=("0.down", "2.down"))
    forms = {
        "fast": replace(even, floats=tuple(f"{layer}.down" for layer in range(12))),
        "turbo": replace(even, merge=evenly(12, 12), proportional=True),
    }
    add_levels(bundle, {level: {"form": form.to_json(), **nothing_lost} for level, form in forms.items()})


if __name__ == "__main__":
    make(Path(sys.argv[1]))
