"""What the first and last bytes of a picture say of it, before and after a decoder has had it."""

from __future__ import annotations

import struct

_AVIF_BRANDS = {b"avif", b"avis"}
_HEVC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
"""ISO/IEC 23008-12, annex B: what is in a HEIF file whose pictures are HEVC."""


def claimed(data: bytes) -> str | None:
    """Which of Pillow's formats the first bytes claim, whatever follows; None for no format."""
    if data.startswith(b"\xff\xd8"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data.startswith(b"RIFF") and (len(data) < 12 or data[8:12] == b"WEBP"):
        return "WEBP"
    if data[4:8] == b"ftyp":
        brands = {data[at : at + 4] for at in (8, *range(16, min(int.from_bytes(data[:4], "big"), 128), 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEVC_BRANDS:
            return "HEIF"
    return None


def breaks_off(data: bytes) -> bool:
    """Whether the end that the format wants is missing."""
    match claimed(data):
        case "JPEG":
            return b"\xff\xd9" not in data[-65536:]  # phones append things after the end
        case "PNG":
            return b"IEND" not in data[-65536:]
        case "GIF":
            return not data.rstrip(b"\0").endswith(b";")
        case "WEBP":
            return len(data) < 12 or len(data) < 8 + int.from_bytes(data[4:8], "little")
        case "AVIF" | "HEIF":
            return _boxes_break_off(data)
    return False


def _boxes_break_off(data: bytes) -> bool:
    """Whether an ISO base media file (ISO/IEC 14496-12, section 4.2) ends inside a box."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size == 0:  # the last box, up to the end
            return False
        at += max(size, 8)
    return at != len(data)


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height that a WebP file's first chunk claims (RFC 9649, section 2); (0, 0) for all others."""
    if claimed(data) != "WEBP" or len(data) < 30:
        return 0, 0
    chunk = data[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF
