"""The stub of `tests.bench.stub` in LitServe, as its documentation has it: batching on, on loopback.

    python -m tests.bench.litserve_peer 20 16 PORT

The same job as our worker's: a picture comes in (in JSON, as LitServe takes it), logits and an embedding go
out. Nothing is decoded, and neither hash nor near key, verdict or log is asked of it.
"""

import base64
import sys
import time
from typing import Any

import litserve  # type: ignore[import-untyped]
import numpy as np
from fastapi import Request

NAME = "LitServe"
TIMEOUT = 0.005
"""Seconds that a batch may wait: our worker's own bound."""
EMBEDDING = np.zeros(384, np.float32)


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


def main(milliseconds: float, batch: int, port: int) -> None:
    """Serve until killed."""
    api = Sleeping(max_batch_size=batch, batch_timeout=TIMEOUT if batch > 1 else 0.0)
    api.seconds = milliseconds / 1000
    server = litserve.LitServer(api, accelerator="cpu", timeout=60)
    server.run(host="127.0.0.1", port=port, num_api_servers=1, log_level="error", generate_client_file=False)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
