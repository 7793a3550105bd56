"""How gateway messages are packed: plain, zlib-stream or zstd-stream, one context a connection."""

from __future__ import annotations

import zlib
from typing import Any, Protocol


class Packer(Protocol):
    def pack(self, text: str) -> str | bytes: ...


class Plain:
    def pack(self, text: str) -> str:
        return text


class ZlibStream:
    """Each message ends on a sync flush (00 00 FF FF), as the gateway documentation asks."""

    def __init__(self) -> None:
        self._context = zlib.compressobj()

    def pack(self, text: str) -> bytes:
        return self._context.compress(text.encode()) + self._context.flush(zlib.Z_SYNC_FLUSH)


class ZstdStream:
    """What discord.py asks for where Python or a package brings zstd."""

    def __init__(self) -> None:
        self._context: Any
        try:
            from compression.zstd import ZstdCompressor  # type: ignore[import-not-found]  # Python 3.14

            self._context, self._flush = ZstdCompressor(), ZstdCompressor.FLUSH_BLOCK
        except ImportError:
            import zstandard  # type: ignore[import-not-found]

            self._context = zstandard.ZstdCompressor().compressobj()
            self._flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK

    def pack(self, text: str) -> bytes:
        packed: bytes = self._context.compress(text.encode()) + self._context.flush(self._flush)
        return packed


def packer(asked: str | None) -> Packer:
    match asked:
        case "zlib-stream":
            return ZlibStream()
        case "zstd-stream":
            return ZstdStream()
        case _:
            return Plain()
