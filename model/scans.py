"""What of a progressive JPEG is worth reading when it is decoded at a fraction of its size.

Its coefficients come in scans: rough ones first, then refinements by one bit each (ITU-T T.81, annex G). Of
the refinements of the light's higher frequencies hardly anything is left when 4 x 4 pixels and more become
one, but they are most of the bytes and of the time. Those of the colours stay: they cost little, and without
them pixels are up to 6 of 255 levels off at low qualities (2 with them, as with the whole file).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_SCANS = 64
"""A file with more is left as it is; encoders write 10."""

_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))  # TEM and RSTn, which have no length
_SOF, _SOS, _END = 0xC2, 0xDA, b"\xff\xd9"


def rough(data: bytes) -> bytes:
    """The same JPEG without those refinements of its light; ``data`` itself where anything is unusual."""
    markers = _markers(data)
    kept, at, scans, light = [data[:2]], 2, 0, b""
    while data[at : at + 2] != _END:
        if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] in _ALONE:
            return data
        marker, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SOF:
            light = data[at + 10 : at + 11]  # the first component's number
        if marker == _SOS:
            scans += 1
            header, next_ = data[at:end], int(np.searchsorted(markers, end))
            if next_ == len(markers) or scans > MOST_SCANS or len(header) < 10:
                return data
            end = int(markers[next_])
            first, precision = header[-3], header[-1]
            # one bit more, of more than the mean, of the light alone
            if precision >> 4 and first and header[4:6] == b"\x01" + light:
                at = end
                continue
        kept.append(data[at:end])
        at = end
    kept.append(data[at:])
    return b"".join(kept)


def _markers(data: bytes) -> NDArray[np.intp]:
    """Where there is one, if it is within a scan; anything in between may look like one too."""
    octets = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(octets[:-1] == 0xFF)
    following = octets[places + 1]
    found = (following > 0) & (following < 0xFF) & ((following < 0xD0) | (following > 0xD7))
    return np.asarray(places[found])
