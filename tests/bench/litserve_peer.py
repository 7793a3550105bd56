"""The stub of `tests.bench.stub` in LitServe, as its documentation has it: batching on, on loopback.

    python -m tests.bench.litserve_peer 20 16 PORT

It is spared what our worker does: its requests hold a few bytes of JSON and its answers one number.
"""

import sys
import time
from typing import Any

import litserve
from fastapi import Request

NAME = "LitServe"
TIMEOUT = 0.005
"""Seconds that a batch may wait: our worker's own bound."""


class Sleeping(litserve.LitAPI):
    """Takes its time, whatever the batch."""

    seconds = 0.0

    def setup(self, device: str) -> None:
        """Nothing to load."""

    def decode_request(self, request: Request) -> Any:
        """What was sent: LitServe has read the JSON of a request that is declared so."""
        return request["n"]  # type: ignore[index]

    def batch(self, inputs: list[Any]) -> list[Any]:
        """As they came."""
        return inputs

    def predict(self, inputs: Any) -> Any:
        """The same, later."""
        time.sleep(self.seconds)
        return inputs

    def unbatch(self, output: list[Any]) -> list[Any]:
        """One by one."""
        return output

    def encode_response(self, output: Any) -> dict[str, Any]:
        """One number."""
        return {"n": output}


def main(milliseconds: float, batch: int, port: int) -> None:
    """Serve until killed."""
    api = Sleeping(max_batch_size=batch, batch_timeout=TIMEOUT if batch > 1 else 0.0)
    api.seconds = milliseconds / 1000
    server = litserve.LitServer(api, accelerator="cpu", timeout=60, fast_queue=True)
    server.run(host="127.0.0.1", port=port, num_api_servers=1, log_level="error", generate_client_file=False)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
