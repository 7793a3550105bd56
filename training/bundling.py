"""A trained network becomes a bundle folder: whole, checked, or not at all."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from model.backends.torch import HEAD
from model.bundle import (
    CONFIG,
    ONNX,
    PREPROCESSOR,
    WEIGHTS,
    bundle_id,
    read_json,
    seal,
    sha256_of,
    write_json,
)
from model.classifier import load_classifier
from model.folders import new_folder
from model.preprocess import Preprocess
from model.types import BundleInfo, Targets
from training.card import card
from training.drawing import CONFUSION, CURVES, draw_confusion, draw_curves
from training.errors import RunError
from training.looking import Step, pixels_of
from training.networks import Finished
from training.pictures import Picture

AGREE = 0.99
"""The share of pictures for which ONNX and torch must give the same first answer."""
OPSET = 17


def write_bundle(
    out: Path,
    network: Finished,
    info: BundleInfo,
    preprocess: Preprocess,
    *,
    recipe: Mapping[str, Any],
    metrics: Mapping[str, Any],
    parent: str,
    licence: str,
    data: str,
    compare: Sequence[Picture] = (),
    curves: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    confusion: tuple[Any, Any] | None = None,
    about: Mapping[str, Any] | None = None,
    name: str = "",
    step: Step = lambda _: None,
    beside: Callable[[Path], None] = lambda _: None,
) -> BundleInfo:
    """Write weights, configs, ONNX, card, drawings and manifest to a new folder ``out``.

    Args:
        info: its id may be empty: then it follows from the weights, and ``name`` begins it.
        recipe: ``kind``, ``seed``, ``versions`` and every value, as they go into the manifest.
        metrics: figures by part of the data.
        parent: the id of what was trained.
        data: see `training.pictures.data_hash`.
        compare: on these pictures ONNX and torch must agree.
        curves: by name, points of (step, value).
        confusion: labels and answers, as classes.
        about: what else the card says, see `training.card.card`.
        step: called with a number of compared pictures.
        beside: called with the whole folder before it takes its place: what else belongs beside the bundle.

    Returns:
        the info with its id.

    Raises:
        RunError: the two forms do not agree; nothing is left.
    """
    with new_folder(out) as draft:
        _save(draft, network, info)
        write_json(draft / PREPROCESSOR, preprocess.to_config())
        export(draft / ONNX, network, preprocess)
        calibration = str(sorted(asdict(info.calibration).items()))
        calibration += str(info.targets) if info.targets != Targets() else ""
        parts = [sha256_of(draft / WEIGHTS).encode(), repr(info.characters).encode(), calibration.encode()]
        identity = info.id or bundle_id(name or str(recipe.get("kind", "model")), *parts)
        info = replace(info, id=identity)
        agreement = compare_forms(draft, compare, step)
        if agreement["top1_agreement"] < AGREE:
            raise RunError(
                f"the ONNX form gives another answer than torch for {1 - agreement['top1_agreement']:.0%} of "
                f"{len(compare)} pictures, so no model is written"
            )
        if curves:
            draw_curves(draft / CURVES, curves, "step")
        if confusion is not None:
            draw_confusion(draft / CONFUSION, *confusion, [info.names.get(s, s) for s in info.characters])
        if about is not None:
            facts: dict[str, Any] = {
                "id": identity,
                "base": parent,
                "licence": licence,
                "data": data,
                "agreement": agreement,
            }
            facts |= {"calibration": asdict(info.calibration), "recipe": recipe, "metrics": metrics}
            facts["names"] = [(slug, info.names.get(slug, slug)) for slug in info.characters]
            (draft / "README.md").write_text(card({**facts, **about}), encoding="utf-8")
        seal(
            draft,
            info,
            licence=licence,
            parent=parent,
            data=data,
            recipe=_json(recipe),
            metrics=_json(metrics),
            compiled={ONNX: {"backend": "onnx", "level": "exact", **agreement}},
        )
        beside(draft)
    return info


def export(path: Path, network: Finished, preprocess: Preprocess) -> None:
    """``pixel_values`` [B, 3, H, W] to ``logits`` [B, C] and ``embedding`` [B, D], float32."""
    network.eval()
    pixels = torch.zeros(2, 3, preprocess.height, preprocess.width)
    _fix_positions(network, preprocess)
    batch = {0: "B"}
    with warnings.catch_warnings(), torch.inference_mode():
        # the exporter that traces is older than the one that torch advises, and needs no further package
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (pixels,),
            str(path),
            input_names=["pixel_values"],
            output_names=["logits", "embedding"],
            dynamic_axes={"pixel_values": batch, "logits": batch, "embedding": batch},
            opset_version=OPSET,
            dynamo=False,
        )


def compare_forms(folder: Path, pictures: Sequence[Picture], step: Step = lambda _: None) -> dict[str, Any]:
    """Ask both forms in a folder about every picture.

    Returns:
        what goes into the manifest: ``pictures``, ``top1_agreement`` (0 to 1),
        ``max_abs_logit_difference`` and ``min_embedding_cosine``.
    """
    onnx = load_classifier(str(folder), backend="onnx", models_dir=folder)
    reference = load_classifier(str(folder), backend="torch", models_dir=folder)
    same, logit, cosine = 0, 0.0, 1.0
    for picture in pictures:
        pixels = pixels_of(picture, onnx.preprocess)[None]
        ours, theirs = onnx(pixels), reference(pixels)
        same += int(ours.logits.argmax() == theirs.logits.argmax())
        logit = max(logit, float(np.abs(ours.logits - theirs.logits).max()))
        cosine = min(cosine, float((ours.embedding * theirs.embedding).sum()))
        step(1)
    return {
        "pictures": len(pictures),
        "top1_agreement": same / len(pictures) if pictures else 1.0,
        "max_abs_logit_difference": float(f"{logit:.3g}"),
        "min_embedding_cosine": round(cosine, 6),
    }


def _save(folder: Path, network: Finished, info: BundleInfo) -> None:
    """Weights and config under transformers' own names, our head beside them."""
    body = network.backbone
    body.config.id2label = {i: info.names.get(slug, slug) for i, slug in enumerate(info.characters)}
    body.config.label2id = {name: index for index, name in body.config.id2label.items()}
    if not network.layers:
        body.set_submodule(network.last, network.linear)
        body.save_pretrained(folder)
        body.set_submodule(network.last, nn.Identity())
        return
    assert network.own is not None
    body.save_pretrained(folder)
    tensors = load_file(folder / WEIGHTS)
    for name in ("weight", "bias", "projection", "shift"):
        tensors[f"{HEAD}{name}"] = getattr(network.own, name).contiguous()
    save_file({name: tensors[name] for name in sorted(tensors)}, folder / WEIGHTS, {"format": "pt"})
    config = read_json(folder / CONFIG)
    config["whosthat"] = {"layers": list(network.layers), "embedding": len(network.own.get_buffer("shift"))}
    write_json(folder / CONFIG, config)


def _fix_positions(network: Finished, preprocess: Preprocess) -> None:
    """Position embeddings of Dinov2 are interpolated once and for all: the size of the input is fixed."""
    if not network.layers:
        return
    embeddings: Any = network.backbone.embeddings
    patch, width = int(network.backbone.config.patch_size), int(network.backbone.config.hidden_size)
    tokens = (preprocess.height // patch) * (preprocess.width // patch) + 1
    with torch.inference_mode():
        blank = torch.zeros(1, tokens, width)
        fixed = embeddings.interpolate_pos_encoding(blank, preprocess.height, preprocess.width).clone()
    embeddings.interpolate_pos_encoding = lambda *_: fixed


def _json(value: Any) -> Any:
    """Without numbers that JSON does not have: a share of no pictures is null."""
    if isinstance(value, Mapping):
        return {key: _json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
