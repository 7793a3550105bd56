"""A stand-in for a worker that explains: quick, and as slow, busy or broken as a test wants it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence

from PIL import Image

from model.errors import ModelError
from model.reasons import Reason


class TableExplainer:
    """Explains whom it is asked about, or ``says``; remembers what it was given."""

    def __init__(self, *, says: str = "", without: float = 0.1) -> None:
        self.says = says
        self.without = without
        self.error: ModelError | None = None
        self.asked: list[tuple[bytes, str]] = []
        self.sheets: list[list[bytes]] = []
        self.asking = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def why(self, picture: bytes, *, character: str = "", deadline: float | None = None) -> Reason:
        """See `model.reasons.Explainer`."""
        self.asked.append((picture, character))
        self.asking.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        heat = ((0.0, 1.0), (0.5, 0.0))
        image = Image.open(io.BytesIO(picture)).convert("RGB")
        return Reason(
            self.says or character, 0.93, self.without, heat, jpeg(image), "table", "exact", "occlusion", 5.0
        )

    async def sheet(self, pictures: Sequence[bytes], *, deadline: float | None = None) -> bytes:
        """See `model.reasons.Explainer`."""
        self.sheets.append(list(pictures))
        if self.error is not None:
            raise self.error
        return jpeg(Image.new("RGB", (len(pictures) * 10, 10)))


def jpeg(image: Image.Image) -> bytes:
    """A picture file."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG")
    return encoded.getvalue()
