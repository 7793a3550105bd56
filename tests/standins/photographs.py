"""Pictures as large and as rich as a telephone takes them, drawn by code, and files that mean ill."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw

TWELVE_MEGAPIXELS = (4032, 3024)


def photograph(
    seed: int = 0, *, size: tuple[int, int] = TWELVE_MEGAPIXELS, texture: float = 0.6, grain: float = 3.0
) -> Image.Image:
    """A picture with what a photograph has: structure at every scale, edges, grain of the sensor.

    Noise of every octave is added up, each ``texture`` times as strong as the one before (1 would be the
    spectrum of a photograph without lens and sensor, Field, *Relations between the statistics of natural
    images*, 1987); ``grain`` is a standard deviation in levels. 0.5 and 1 make an easy file (1.3 MB at
    quality 92), 0.62 and 5 a rich one (3.4 MB).
    """
    width, height = size
    dice = np.random.default_rng(seed)
    octaves = max(1, int(np.log2(max(size) / 4)))
    levels, strength = np.zeros((1, 1, 3), np.float32), 1.0
    for octave in range(octaves, -1, -1):
        down, across = max(1, height >> octave), max(1, width >> octave)
        channels = [Image.fromarray(levels[..., channel]) for channel in range(3)]
        larger = [np.asarray(each.resize((across, down), Image.Resampling.BICUBIC)) for each in channels]
        noise = dice.standard_normal((down, across, 1), np.float32)
        if across < 200:  # colours change slowly
            noise = 0.7 * noise + 0.3 * dice.standard_normal((down, across, 3), np.float32)
        levels = np.stack(larger, 2) + strength * noise
        strength *= texture
    levels *= 50 / levels.std()
    levels += 120 + _things(dice, size)
    levels += grain * dice.standard_normal((height, width, 1), np.float32)
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def _things(dice: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Lighter and darker shapes with sharp edges, [H, W, 1]."""
    image = Image.new("L", size, 128)
    draw = ImageDraw.Draw(image)
    for number in range(12):
        x, y = dice.uniform(0, 0.9, 2) * size
        wide, high = dice.uniform(0.02, 0.3, 2) * size
        kind = draw.ellipse if number % 2 else draw.rectangle
        kind((x, y, x + wide, y + high), fill=int(dice.integers(88, 168)))
    return np.asarray(image, np.float32)[..., None] - 128


def jpeg(image: Image.Image, **options: object) -> bytes:
    """As a telephone's camera writes it: quality 92, colours at half the resolution."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **({"quality": 92} | options))
    return buffer.getvalue()


def hostile() -> dict[str, bytes]:
    """Small files that ask for much, by what they are."""
    ground = Image.linear_gradient("L").resize((8000, 8000), Image.Resampling.NEAREST)
    colours = Image.merge("RGB", [ground] * 3)
    progressive = jpeg(colours, progressive=True, subsampling=0, quality=50)
    return {
        "64 MP JPEG": jpeg(colours),
        "64 MP progressive JPEG": progressive,
        "64 MP progressive JPEG of 20,000 scans": with_scans(progressive, 20_000),
        "64 MP CMYK JPEG": jpeg(Image.merge("CMYK", [ground] * 4)),
        "1 x 60,000 JPEG": jpeg(Image.new("RGB", (1, 60_000), "red")),
        "60,000 x 1,000 PNG": png(60_000, 1_000, 3),
        "64 MP PNG with alpha": png(8000, 8000, 4),
        "64 MP PNG of 16 bits": png(8000, 8000, 3, depth=16),
        "900 MP PNG": png(30_000, 30_000, 1, rows=2000),
        "64 MP WebP": _saved(colours, "WEBP", quality=20, method=0),
        "64 MP GIF": _saved(ground, "GIF"),
        "WebP of 1,000 frames": _animated(1000),
    }


def png(width: int, height: int, channels: int, *, depth: int = 8, rows: int | None = None) -> bytes:
    """One colour; ``rows`` of the ``height`` that the header claims are there."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    packer = zlib.compressobj(1)
    row = bytes(1 + width * channels * depth // 8)
    body = b"".join(packer.compress(row) for _ in range(height if rows is None else rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def with_scans(progressive: bytes, count: int) -> bytes:
    """A progressive JPEG whose first refinement of the light is said again and again, a few bytes each."""
    scan = bytes((0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 63, 0x10))  # component 1, coefficients 1 to 63, bit 0
    return progressive[:-2] + (scan + b"\x00") * count + progressive[-2:]


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _animated(frames: int) -> bytes:
    images = [Image.new("RGB", (640, 480), (n % 256, n // 4, 90)) for n in range(frames)]
    return _saved(images[0], "WEBP", save_all=True, append_images=images[1:], method=0)
