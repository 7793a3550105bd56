"""Level files are made from a folder's ``model.onnx``, and its manifest says what they are."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from model.bundle import LEVEL_FILES, MANIFEST, ONNX, read_json, sha256_of, write_json
from model.errors import LevelRefused
from model.levels.forms import Form, evenly
from model.levels.reading import NotRead, Vit, read_vit
from model.levels.writing import write

CLOSE = 1e-3
"""How far outputs may be from the original's when only the way of writing has changed."""


def opened(path: Path) -> Vit:
    """Read a graph and its layers, and try whether they mean what was read.

    Raises:
        LevelRefused: it is no vision transformer as these are known here.
    """
    try:
        vit = read_vit(onnx.load(str(path)))
        plain = write(vit, Form())
    except (NotRead, onnx.checker.ValidationError) as error:
        raise LevelRefused(f"{path} is no vision transformer that has faster levels: {error}") from error
    theirs, ours = _outputs(path.read_bytes(), vit), _outputs(plain.SerializeToString(), vit)
    for one, other in zip(theirs, ours, strict=True):
        if one.shape != other.shape or not np.allclose(
            one, other, atol=CLOSE * max(1.0, float(np.abs(one).max()))
        ):
            raise LevelRefused(f"{path} says something else when its layers are written anew")
    return vit


def add_levels(folder: Path, levels: Mapping[str, Mapping[str, Any]], vit: Vit | None = None) -> None:
    """Write level files beside ``model.onnx`` and their entries into the manifest, which comes last.

    The same folder and levels give the same bytes.

    Args:
        levels: by level what was measured: ``form``, figures, ``calibration``, ``targets``, and ``refused``,
            with which no file is written.
        vit: the folder's own, if it is read already.

    Raises:
        LevelRefused: it is no vision transformer as these are known here.
    """
    manifest = read_json(folder / MANIFEST)
    compiled = {
        name: each for name, each in manifest.get("compiled", {}).items() if name not in LEVEL_FILES.values()
    }
    for level, about in levels.items():
        path, entry = folder / LEVEL_FILES[level], {"backend": "onnx", "level": level, **about}
        if about.get("refused"):
            path.unlink(missing_ok=True)
        else:
            vit = vit or _read(folder)
            _replace(path, write(vit, Form.from_json(about["form"])).SerializeToString())
            entry |= {"size": path.stat().st_size, "sha256": sha256_of(path)}
        compiled[path.name] = entry
    files = {
        name: each for name, each in manifest.get("files", {}).items() if name not in LEVEL_FILES.values()
    }
    draft = folder / f".{MANIFEST}.{secrets.token_hex(4)}"
    write_json(draft, manifest | {"compiled": compiled, "files": files})
    draft.replace(folder / MANIFEST)


def usual(
    level: str, vit: Vit, floats: tuple[str, ...] = (), smooth: Mapping[str, str] | None = None
) -> tuple[Form, ...]:
    """Forms to try for a level, the fastest first.

    Args:
        floats: layers of this bundle that are delicate.
        smooth: what its normalisations are divided by; both of `model.levels.forms.Form`.
    """
    layers = len(vit.layers)
    form = Form(int8=True, floats=floats, smooth=smooth or {})
    if level == "fast":
        return form, replace(form, floats=tuple(f"{number}.down" for number in range(layers)))
    return tuple(replace(form, merge=evenly(pairs, layers), proportional=True) for pairs in (16, 12, 8))


def _read(folder: Path) -> Vit:
    try:
        return read_vit(onnx.load(str(folder / ONNX)))
    except NotRead as error:
        raise LevelRefused(f"{folder} holds no vision transformer with faster levels: {error}") from error


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _outputs(content: bytes, vit: Vit) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    import onnxruntime as ort  # type: ignore[import-untyped]

    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (value,) = vit.model.graph.input
    height, width = (side.dim_value for side in value.type.tensor_type.shape.dim[2:])
    pixels = np.random.default_rng(0).normal(size=(1, 3, height, width)).astype(np.float32)
    return [np.asarray(each) for each in session.run(["logits", "embedding"], {value.name: pixels})]
