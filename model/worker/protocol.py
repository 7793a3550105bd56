"""What travels between worker and client: headers, the reply as JSON, and errors as HTTP statuses.

========  =====================================================================================
status    meaning; the body is ``{"reason": ..., "detail": ...}`` for all but 200
========  =====================================================================================
200       a `model.types.Sight` as JSON, see `sight_to_json`
401       the worker has a secret and was not told it (``Authorization: Bearer``)
413       more bytes than the cap (refused while they come in)
415       no bytes, or no format on the allow-list
422       a picture that does not decode: *truncated*, *damaged*, *too-many-pixels*, *too-slow*
409       the bundle asked for cannot be loaded; the old one stays
500       a fault of the worker
503       full; ``Retry-After`` in whole seconds, ``retry_after`` in the body to the fraction
504       the deadline passed
========  =====================================================================================
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from model.errors import (
    BackendMissing,
    BundleDamaged,
    BundleError,
    BundleMissing,
    DeadlinePassed,
    ModelError,
    PictureError,
    WorkerBusy,
    WorkerError,
    WorkerGone,
)
from model.types import Answer, BundleInfo, Calibration, Ranked, Sight, Verdict

REQUEST_ID = "X-Request-Id"
DEADLINE = "X-Deadline-Ms"
"""How many milliseconds from now on somebody still waits for the reply."""
FAIRNESS_KEY = "X-Fairness-Key"
KEEP = "X-Keep"
"""``1`` asks for the picture re-encoded, in ``stored``."""

APART = "application/vnd.whosthat.sight"
"""Who names this in ``Accept`` is sent ``stored`` as it is, behind the JSON: see `sight_apart`."""

SHA256 = "X-Sha256"
"""With no body: the sha256 of a picture that was asked about before. The reply is a sight, or `UNKNOWN`."""
UNKNOWN = {"unknown": True}
"""It is not known any more: whoever asks sends the picture."""

WARMING = "warming"
"""The reason of a 503 that comes of having no model yet; ``identify`` waits for it instead."""

_UNSUPPORTED = ("empty", "not-a-picture")
_BUNDLE_ERRORS: dict[str, type[BundleError]] = {
    kind.__name__: kind for kind in (BundleError, BundleMissing, BundleDamaged, BackendMissing)
}


def sight_to_json(sight: Sight) -> dict[str, Any]:
    """One reply. The embedding is base64 of little-endian float32, ``stored`` base64 only there if kept."""
    reply: dict[str, Any] = {
        "ranked": [
            {"character": one.character, "probability": one.probability} for one in sight.answer.ranked
        ],
        "verdict": sight.answer.verdict.value,
        "known": sight.answer.known,
        "confidence": sight.answer.confidence,
        "character": sight.answer.character,
        "logits": list(sight.logits),
        "embedding": _base64(np.asarray(sight.embedding, dtype="<f4").tobytes()),
        "near_key": sight.near_key,
        "sha256": sight.sha256,
        "width": sight.width,
        "height": sight.height,
        "bundle": sight.bundle,
        "level": sight.level,
        "milliseconds": round(sight.milliseconds, 3),
        "cached": sight.cached,
        "marks": _base64(sight.marks),
        "calibration": {name: getattr(sight.calibration, name) for name in Calibration.__slots__},
    }
    if sight.stored is not None:
        reply |= {"stored": _base64(sight.stored), "stored_format": sight.stored_format}
    return reply


def sight_apart(sight: Sight) -> bytes:
    """One reply as `APART`: the length of the JSON in four bytes, the JSON, what is stored without base64."""
    said = json.dumps(sight_to_json(replace(sight, stored=None)) | {"stored_format": sight.stored_format})
    return b"".join((len(said).to_bytes(4, "big"), said.encode(), sight.stored or b""))


def content(kind: str, body: bytes) -> Any:
    """What a body of that type says; None when it says nothing that is read here."""
    if kind != APART:
        try:
            return json.loads(body)
        except ValueError:
            return None
    end = 4 + int.from_bytes(body[:4], "big")
    said = content("", body[4:end])
    if isinstance(said, dict) and said.get("stored_format"):
        said["stored"] = body[end:]
    return said


def sight_from_json(reply: Mapping[str, Any]) -> Sight:
    """The other way round; KeyError, TypeError or ValueError when it is none."""
    stored = reply.get("stored")
    return Sight(
        answer=Answer(
            verdict=Verdict(reply["verdict"]),
            character=str(reply["character"]),
            confidence=float(reply["confidence"]),
            known=float(reply["known"]),
            ranked=tuple(Ranked(str(one["character"]), float(one["probability"])) for one in reply["ranked"]),
        ),
        logits=tuple(float(number) for number in reply["logits"]),
        embedding=tuple(np.frombuffer(base64.b64decode(reply["embedding"]), dtype="<f4").tolist()),
        near_key=str(reply["near_key"]),
        sha256=str(reply["sha256"]),
        width=int(reply["width"]),
        height=int(reply["height"]),
        bundle=str(reply["bundle"]),
        level=str(reply["level"]),
        milliseconds=float(reply["milliseconds"]),
        cached=bool(reply["cached"]),
        stored=stored if stored is None or isinstance(stored, bytes) else base64.b64decode(stored),
        stored_format=str(reply.get("stored_format", "")),
        marks=base64.b64decode(reply.get("marks", "")),
        calibration=_calibration(reply.get("calibration", {})),
    )


def info_to_json(info: BundleInfo) -> dict[str, Any]:
    """What everybody may know of a bundle."""
    return {
        "id": info.id,
        "characters": list(info.characters),
        "names": dict(info.names),
        "calibration": asdict(info.calibration),
    }


def info_from_json(reply: Mapping[str, Any]) -> BundleInfo:
    """The other way round."""
    return BundleInfo(
        id=str(reply["id"]),
        characters=tuple(str(slug) for slug in reply["characters"]),
        calibration=_calibration(reply["calibration"]),
        names={str(slug): str(name) for slug, name in reply["names"].items()},
    )


def error_to_http(error: ModelError) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers for an error."""
    body: dict[str, Any] = {"reason": error.reason, "detail": str(error)}
    match error:
        case PictureError(reason="too-many-bytes"):
            return 413, body, {}
        case PictureError():
            return 415 if error.reason in _UNSUPPORTED else 422, body, {}
        case WorkerBusy():
            body["retry_after"] = round(error.retry_after, 3)
            return 503, body, {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
        case DeadlinePassed():
            return 504, body, {}
        case BundleError():
            return 409, body | {"kind": type(error).__name__}, {}
    return 500, body, {}


def error_from_http(status: int, body: Mapping[str, Any]) -> ModelError:
    """The error that a status and its body stand for."""
    reason, detail = str(body.get("reason", "")), str(body.get("detail", ""))
    if status in (413, 415, 422):
        return PictureError(reason if reason in PictureError.REASONS else "damaged", detail)
    if status == 503:
        return WorkerBusy(float(body.get("retry_after", 1.0)))
    if status == 504:
        return DeadlinePassed(detail or "the deadline passed")
    if status == 409:
        return bundle_error(str(body.get("kind", "")), detail)
    if status == 500:
        return WorkerError(detail or "the worker has a fault")
    return WorkerGone(f"what answers at the worker's address is no worker (HTTP {status})")


def bundle_error(kind: str, detail: str) -> BundleError:
    """The error of that class name."""
    return _BUNDLE_ERRORS.get(kind, BundleError)(detail)


def _calibration(said: Mapping[str, Any]) -> Calibration:
    return Calibration(**{name: float(value) for name, value in said.items()})


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
