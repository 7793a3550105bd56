"""The embedded model: a backbone from a wheel on PyPI, what training changed of it, and a head of ours.

They are joined on the user's machine.
`prepare` writes a bundle folder once (a few seconds); every later start finds it there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.builtin.head import Head
    from model.preprocess import Floats

log = logging.getLogger(__name__)

EDITION = 1
"""Counts up when the way of joining changes what comes out, so that older folders are left behind."""

LEVELS = "levels.json"


def prepare(models_dir: Path, progress: Callable[[str, float], None] | None = None) -> Path:
    """The folder of the embedded model, built first if it is not there.

    Args:
        models_dir: the folder is made in it, named by the bundle's id.
        progress: called with what is being done and how much of it is (0 to 1).

    Raises:
        BundleMissing: the wheel with the backbone is not installed.
        BundleDamaged: the wheel's file or our own is not as it should be.
    """
    from model.bundle import MANIFEST, read_bundle
    from model.errors import BundleError

    place = models_dir / builtin_id()
    if (place / MANIFEST).is_file():
        try:
            read_bundle(place)
        except BundleError:
            pass  # half of it was deleted or changed: build it again
        else:
            _with_levels(place)
            return place
    from model.builtin.difference import read_difference  # takes the onnx package along
    from model.builtin.head import read_head

    build(place, read_head(), read_difference(), progress=progress)
    _with_levels(place)
    return place


def shipped_levels() -> dict[str, dict[str, Any]]:
    """What the embedded model's levels were measured to do, by level; none for another head than this.

    ``levels.json`` is written by ``whosthat train levels builtin --out``.
    """
    from model.builtin.head import HERE
    from model.bundle import read_json

    path = HERE / LEVELS
    content = read_json(path) if path.is_file() else {}
    return dict(content["levels"]) if content.get("bundle") == builtin_id() else {}


def _with_levels(place: Path) -> None:
    """Add the levels that were measured, if they are not there yet: a second for each."""
    from model.errors import BundleError
    from model.levels import has_levels

    try:
        levels = shipped_levels()
        if not has_levels(place, levels):
            from model.levels.making import add_levels  # takes the onnx package along

            add_levels(place, levels)
    except (BundleError, OSError, KeyError, TypeError, ValueError) as error:
        log.warning("the embedded model has no faster levels here: %s", error)  # it serves without


def builtin_id() -> str:
    """The id of the embedded model's bundle, without building it: it follows from what goes in."""
    from model.builtin.head import ABOUT, CHANGES, HERE, TENSORS

    paths = [path for name in (TENSORS, ABOUT, CHANGES) if (path := HERE / name).is_file()]
    parts = tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
    return _id_of(EDITION, parts)


@cache
def _id_of(edition: int, files: tuple[tuple[Path, int, int], ...]) -> str:
    """By the bytes of 18 MB of files, which a start asks for twice."""
    from model.builtin.wheel import SHA256
    from model.bundle import bundle_id

    parts = [path.read_bytes() for path, _, _ in files]
    return bundle_id("builtin", SHA256.encode(), str(edition).encode(), *parts)


def build(
    place: Path,
    head: Head,
    difference: Mapping[str, Floats] | None = None,
    *,
    identity: str = "",
    progress: Callable[[str, float], None] | None = None,
) -> None:
    """Join the wheel's backbone and a head into a bundle folder at ``place``.

    Args:
        difference: what is added to the backbone's tensors, see `model.builtin.difference`.
        identity: the bundle's id; empty: that of the shipped head.
    """
    import onnx
    from safetensors.numpy import save_file

    from model.builtin import graph
    from model.builtin.card import card
    from model.builtin.difference import change
    from model.builtin.wheel import LICENCE, VERSION, WHEEL, backbone_file
    from model.bundle import CONFIG, ONNX, PREPROCESSOR, WEIGHTS, seal, write_json
    from model.folders import new_folder
    from model.preprocess import Preprocess
    from model.types import BundleInfo

    def tell(share: float) -> None:
        if progress is not None:
            progress("preparing the embedded model", share)

    tell(0.0)
    path = backbone_file()
    tell(0.1)
    source = onnx.load(str(path))
    change(source, difference or {})
    tell(0.25)
    labels = {str(index): name for index, name in enumerate(head.names)}
    config = {
        **graph.dinov2_config(),
        "id2label": labels,
        "label2id": {name: int(index) for index, name in labels.items()},
        "whosthat": {"layers": list(head.layers), "embedding": len(head.shift)},
    }
    info = BundleInfo(identity or builtin_id(), head.characters, head.calibration, targets=head.targets)
    with new_folder(place) as draft:
        save_file(graph.weights(source, head), draft / WEIGHTS, {"format": "pt"})
        tell(0.5)
        (draft / ONNX).write_bytes(graph.join(source, head).SerializeToString())
        tell(0.8)
        write_json(draft / CONFIG, config)
        write_json(draft / PREPROCESSOR, Preprocess().to_config())
        if "test" in head.about.get("metrics", {}):
            (draft / "README.md").write_text(card(head.about), encoding="utf-8")
        seal(
            draft,
            info,
            licence=f"backbone {LICENCE} ({WHEEL} {VERSION}), head {LICENCE}",
            parent=f"{WHEEL}=={VERSION}",
            data=str(head.about.get("data", "")),
            recipe=head.about.get("recipe", {}),
            metrics=head.about.get("metrics", {}),
            compiled={ONNX: {"backend": "onnx", "level": "exact", **head.about.get("agreement", {})}},
        )
    tell(1.0)
