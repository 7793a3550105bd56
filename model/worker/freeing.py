"""Handing memory that is not used any more back to the system; where the C library is glibc."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_MMAP_THRESHOLD = -3  # mallopt(3)
_LARGE = 2**17  # bytes; glibc's own start value, which it raises to what is freed, up to 32 MiB


def give_back() -> None:
    """What loading a model has left behind, and from now on every large block as soon as it is freed.

    glibc keeps freed blocks for later, and asks for pages of their own only for larger and larger ones, the
    larger the blocks that a process frees: see ``M_MMAP_THRESHOLD`` in mallopt(3). Set by hand it stays.
    """
    with suppress(OSError, AttributeError):  # musl has neither, nor has macOS
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.malloc_trim(ctypes.c_size_t(0))
