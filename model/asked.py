"""The pictures that a client has asked about: their sha256, found without making it again.

A worker knows a picture by its sha256, which takes a processor longer than all the rest of asking again. Here
pictures are told apart by BLAKE3 with a key that is drawn when the process starts and never leaves it
(O'Connor, Aumasson, Neves and Wilcox-O'Hearn, *BLAKE3*, 2020, section 2.3: a pseudorandom function with 256
bits). Nobody can make two pictures that are the same to it, with or without the key.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict

from blake3 import blake3

MOST = 4096
_LARGE = 2**22  # bytes; from here on a picture is hashed in a thread, so that the event loop is not held


class Asked:
    """The latest ``most`` pictures; those longest not asked about are forgotten first."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._key = secrets.token_bytes(blake3.key_size)
        self._known: OrderedDict[bytes, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    async def tag(self, picture: bytes) -> bytes:
        """What a picture is known by here, and nowhere else."""
        if len(picture) < _LARGE:
            return self._tag(picture)
        return await asyncio.to_thread(self._tag, picture)

    def sha256(self, tag: bytes) -> str | None:
        """That of a picture that was asked about before."""
        found = self._known.get(tag)
        if found is not None:
            self._known.move_to_end(tag)
        return found

    def remember(self, tag: bytes, sha256: str) -> None:
        """A worker has answered, and said its sha256."""
        self._known[tag] = sha256
        self._known.move_to_end(tag)
        if len(self._known) > self.most:
            self._known.popitem(last=False)

    def _tag(self, picture: bytes) -> bytes:
        return blake3(picture, key=self._key).digest()
