"""What can go wrong with a picture or a model.

ModelError
├── PictureError            the picture is at fault; ``reason`` says how (HTTP 415, 422 or 413)
├── WorkerError             the picture may be fine
│   ├── WorkerBusy          the queue is full; ``retry_after`` in seconds (HTTP 503)
│   ├── DeadlinePassed      the time that was given ran out (HTTP 504)
│   ├── DeviceLost          a GPU that does nothing any more in this process: only another one mends it
│   └── WorkerGone          no worker answers, or it died twice with this picture
│       └── WorkerMisconfigured  one answers and cannot be asked as it is set up: secret, certificate, address
└── BundleError             a model that cannot be loaded, said in one sentence
    ├── BundleMissing       there is nothing at that place
    ├── BundleDamaged       its files do not match its manifest, or do not parse
    ├── BackendMissing      what would run it is not installed
    └── LevelRefused        a level of speed that this bundle does not admit, or whose file is not as it was
"""

from __future__ import annotations


class ModelError(Exception):
    """Root of the tree. ``str()`` is one sentence for a log or a terminal."""

    reason: str = "trouble"


class PictureError(ModelError):
    """A picture that is not read. ``reason`` is one of `REASONS`."""

    REASONS = (
        "empty",  # no bytes at all
        "not-a-picture",  # no format on the allow-list
        "truncated",  # it begins as a picture and breaks off
        "damaged",  # it begins as a picture and does not decode
        "too-many-bytes",  # larger than the cap, undecoded
        "too-many-pixels",  # larger than the cap, decoded
        "too-slow",  # decoding did not end in time
    )

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


class WorkerError(ModelError):
    """The worker did not answer."""

    reason = "worker-gone"


class WorkerBusy(WorkerError):
    """The queue is full."""

    reason = "busy"

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the worker is busy, try again in {retry_after:.0f} s")
        self.retry_after = retry_after


class DeadlinePassed(WorkerError):
    """Nobody waits for this answer any more."""

    reason = "too-late"


class DeviceLost(WorkerError):
    """A GPU does nothing any more in this process."""


class WorkerGone(WorkerError):
    """No worker answers."""


class WorkerMisconfigured(WorkerGone):
    """Waiting does not mend it: the secret, the certificate or the address is wrong."""


class BundleError(ModelError):
    """A model that cannot be loaded."""

    reason = "bundle"


class BundleMissing(BundleError):
    """There is nothing at that place."""


class BundleDamaged(BundleError):
    """Its files do not match its manifest, or do not parse."""


class BackendMissing(BundleError):
    """What would run it is not installed."""


class LevelRefused(BundleError):
    """A level of speed that this bundle does not admit, or whose file is not as it was."""
