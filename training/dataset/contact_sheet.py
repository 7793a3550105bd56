"""Many pictures on one sheet, each with a few words below: for looking through suspects or mistakes."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from model.decode import DecodeLimits
from model.decoders import DecoderOptions, Decoders
from model.errors import PictureError
from model.preprocess import Preprocess
from training.errors import DatasetWriteError

MOST = 200
"""Pictures on a sheet; of more the first ones are drawn."""

_LINE, _GAP, _INK, _PAPER = 14, 6, (30, 30, 30), (250, 250, 250)


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture and the lines below it."""

    path: Path
    lines: tuple[str, ...] = ()


def draw_sheet(cells: Sequence[Cell], out: Path, *, columns: int = 10, side: int = 160) -> None:
    """Write a PNG, row by row in the order given; a picture that does not decode leaves its place empty.

    Raises:
        DatasetWriteError: it cannot be written; what was at ``out`` is as it was.
    """
    cells = cells[:MOST]
    thumbnails = asyncio.run(_thumbnails([cell.path for cell in cells], side))
    lines = max((len(cell.lines) for cell in cells), default=0)
    columns = max(1, min(columns, len(cells)))
    width, height = side + _GAP, side + _LINE * lines + 2 * _GAP
    rows = max(1, -(-len(cells) // columns))
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for place, (cell, thumbnail) in enumerate(zip(cells, thumbnails, strict=True)):
        x, y = _GAP + place % columns * width, _GAP + place // columns * height
        if thumbnail is not None:
            thumbnail.thumbnail((side, side))
            sheet.paste(thumbnail, (x + (side - thumbnail.width) // 2, y + (side - thumbnail.height) // 2))
        for number, line in enumerate(cell.lines):
            draw.text((x, y + side + number * _LINE), _fitted(line, font, side), _INK, font)
    draft = out.with_name(f".{out.name}.draft")
    try:
        with draft.open("wb") as file:
            sheet.save(file, "PNG", optimize=True)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(out)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise DatasetWriteError(f"{out} cannot be written: {error.strerror or error}") from error


async def _thumbnails(paths: Sequence[Path], side: int) -> list[Image.Image | None]:
    limits = DecodeLimits(stored_side=side)
    how = Preprocess(height=32, width=32)
    found: list[Image.Image | None] = []
    async with Decoders(DecoderOptions(limits=limits)) as decoders:
        for path in paths:
            try:
                decoded = await decoders.decode(await asyncio.to_thread(path.read_bytes), how, keep=True)
            except (PictureError, OSError):
                found.append(None)
                continue
            assert decoded.stored is not None
            found.append(Image.open(io.BytesIO(decoded.stored), formats=("WEBP",)))
    return found


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    text = " ".join(text.split())[:80]
    while text and font.getlength(text) > width:
        text = text[:-2] + "…" if len(text) > 2 else ""
    return text
