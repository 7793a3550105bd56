"""What a person reads when the spinner on a button stops."""

from __future__ import annotations


class Alert(str):
    """Said in a window of its own, which is closed by whoever reads it; a plain text passes by."""

    __slots__ = ()
