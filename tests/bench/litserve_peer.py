"""The stub of `tests.bench.stub` in LitServe, on loopback, in several ways.

    python -m tests.bench.litserve_peer blind 20 16 PORT

*blind*: batching on, else its defaults. A picture comes in (in JSON, as LitServe takes it), logits and an
embedding go out; nothing is decoded. *blind-fast*: the same over its other queue, ZeroMQ (``fast_queue``).

*documented*: the classifier of pictures that its documentation shows ("Speed up serving by 200x"): base64 in
JSON, ``decode_request`` opens the picture with Pillow and prepares it.

*tuned*: what we could find for it: its ZeroMQ queue; two inference workers, so that one decodes while the
other looks (a lock stands for the one device that they share); Pillow's ``draft``, as our worker decodes; and
the pictures of a batch in threads. A second HTTP process gained nothing.

Of none are hash, near key, verdict or log asked.
"""

import base64
import fcntl
import io
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import litserve  # type: ignore[import-untyped]
import numpy as np
from fastapi import Request
from PIL import Image

NAME = "LitServe"
WAYS = ("blind", "blind-fast", "documented", "tuned")
TIMEOUT = 0.005
"""Seconds that a batch may wait: our worker's own bound."""
EMBEDDING = np.zeros(384, np.float32)
SIDE = 224
MEAN, DEVIATION = (np.array(each, np.float32) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


class Sleeping(litserve.LitAPI):  # type: ignore[misc]
    """Takes its time, whatever the batch."""

    seconds = 0.0

    def setup(self, device: str) -> None:
        """Nothing to load."""

    def decode_request(self, request: Request) -> Any:
        """The picture's size: LitServe has read the JSON of a request that is declared so."""
        return len(base64.b64decode(request["image"]))

    def batch(self, inputs: list[Any]) -> list[Any]:
        """As they came."""
        return inputs

    def predict(self, inputs: Any) -> Any:
        """Zeros, later."""
        time.sleep(self.seconds)
        return [EMBEDDING] * len(inputs) if isinstance(inputs, list) else EMBEDDING

    def unbatch(self, output: list[Any]) -> list[Any]:
        """One by one."""
        return output

    def encode_response(self, output: Any) -> dict[str, Any]:
        """As our protocol has it."""
        return {"logits": [0.0] * 3, "embedding": base64.b64encode(output.tobytes()).decode("ascii")}


class Opening(Sleeping):
    """Opens each picture when its turn comes, and prepares it for a network."""

    def decode_request(self, request: Request) -> Any:
        """Pixels, float32 [224, 224, 3]."""
        return prepared(Image.open(io.BytesIO(base64.b64decode(request["image"]))))


class Tuned(Sleeping):
    """Opens the pictures of a batch in threads, smaller where that does; one batch at a time is looked at."""

    lock = ""

    def setup(self, device: str) -> None:
        """The threads, and what stands for the device."""
        self.threads = ThreadPoolExecutor(os.cpu_count())
        self.device_lock = Path(self.lock).open("w")  # noqa: SIM115

    def decode_request(self, request: Request) -> Any:
        """What `batch` takes."""
        return request["image"]

    def batch(self, inputs: list[Any]) -> list[Any]:
        """Pixels of each."""
        return list(self.threads.map(_opened, inputs))

    def predict(self, inputs: Any) -> Any:
        """As above, when the other worker has done."""
        pixels = inputs if isinstance(inputs, list) else _opened(inputs)
        fcntl.flock(self.device_lock, fcntl.LOCK_EX)
        try:
            return super().predict(pixels)
        finally:
            fcntl.flock(self.device_lock, fcntl.LOCK_UN)


def _opened(encoded: str) -> Any:
    image = Image.open(io.BytesIO(base64.b64decode(encoded)))
    image.draft("RGB", (2 * SIDE, 2 * SIDE))
    return prepared(image)


def prepared(image: Image.Image) -> Any:
    """Resized and normalised, as the networks' processors have it."""
    resized = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return (np.asarray(resized, np.float32) / 255 - MEAN) / DEVIATION


def main(way: str, milliseconds: float, batch: int, port: int) -> None:
    """Serve until killed."""
    kind = {"documented": Opening, "tuned": Tuned}.get(way, Sleeping)
    api = kind(max_batch_size=batch, batch_timeout=TIMEOUT if batch > 1 else 0.0)
    api.seconds = milliseconds / 1000
    with tempfile.NamedTemporaryFile() as lock:
        if isinstance(api, Tuned):
            api.lock = lock.name
        server = litserve.LitServer(
            api,
            accelerator="cpu",
            timeout=60,
            workers_per_device=2 if way == "tuned" else 1,
            fast_queue=way in ("blind-fast", "tuned"),
        )
        server.run(
            host="127.0.0.1", port=port, num_api_servers=1, log_level="error", generate_client_file=False
        )


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
