"""What travels about *Why?* between worker and client, see `model.worker.protocol` for statuses and errors.

``POST /v1/why`` takes a picture, and in ``X-Character`` the slug (percent-encoded) of who is to be explained.
``POST /v1/sheet`` takes several pictures one after the other, and in ``X-Sizes`` how many bytes each has.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import accumulate
from typing import Any
from urllib.parse import quote, unquote

from model.reasons import SHEET, Reason

CHARACTER = "X-Character"
SIZES = "X-Sizes"
LONGEST = 600


def reason_to_json(reason: Reason) -> dict[str, Any]:
    """One reply; the picture is a base64 JPEG."""
    return asdict(reason) | {"picture": base64.b64encode(reason.picture).decode("ascii")}


def reason_from_json(reply: Mapping[str, Any]) -> Reason:
    """The other way round; KeyError, TypeError or ValueError when it is none."""
    return Reason(
        character=str(reply["character"]),
        probability=float(reply["probability"]),
        without=float(reply["without"]),
        heat=tuple(tuple(float(each) for each in row) for row in reply["heat"]),
        picture=base64.b64decode(reply["picture"], validate=True),
        bundle=str(reply["bundle"]),
        level=str(reply["level"]),
        method=str(reply["method"]),
        milliseconds=float(reply["milliseconds"]),
    )


def sheet_to_json(sheet: bytes) -> dict[str, Any]:
    """One sheet, a base64 JPEG."""
    return {"picture": base64.b64encode(sheet).decode("ascii")}


def sheet_from_json(reply: Mapping[str, Any]) -> bytes:
    """The other way round; KeyError, TypeError or ValueError when it is none."""
    return base64.b64decode(reply["picture"], validate=True)


def slug_to_header(slug: str) -> str:
    """A slug as a header takes it, whatever script it is in."""
    return quote(slug, safe="")[:LONGEST]


def slug_from_header(text: str) -> str:
    """The other way round."""
    return unquote(text[:LONGEST])


def sizes_to_header(pictures: Sequence[bytes]) -> str:
    """How many bytes each has."""
    return ",".join(str(len(each)) for each in pictures)


def apart(body: bytes, sizes: str) -> list[bytes]:
    """The pictures of a sheet; ValueError when the sizes do not say which."""
    numbers = [int(each) for each in sizes[:LONGEST].split(",")]
    if not 1 <= len(numbers) <= SHEET or min(numbers) < 1 or sum(numbers) != len(body):
        raise ValueError("X-Sizes does not fit the pictures")
    ends = list(accumulate(numbers))
    return [body[end - size : end] for end, size in zip(ends, numbers, strict=True)]
