"""The program that stands in for training and gate."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["STANDIN_RETRAINING"])
SECONDS = 60


def main(arguments: list[str]) -> int:
    """Train or judge, as the orders say."""
    orders = json.loads((FOLDER / "orders.json").read_text())
    step = "gate" if arguments[0] == "gate" else "train"
    with (FOLDER / "began").open("a") as file:
        file.write(f"{step} {os.getpid()} {os.nice(0)}\n")
    (FOLDER / f"{step}.argv").write_text(json.dumps(arguments))
    if step == "train":
        print(json.dumps({"what": "looking", "done": 1, "of": 2}), flush=True)
    if orders.get("hold") == step:
        child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({SECONDS})"])
        with (FOLDER / "began").open("a") as file:
            file.write(f"child {child.pid} 0\n")
        end = time.monotonic() + SECONDS
        while (FOLDER / "hold").exists() and time.monotonic() < end:
            time.sleep(0.02)
        child.kill()
        child.wait()
    if orders.get("fail") == step:
        print("a warning\nthere is too little to learn from", file=sys.stderr)
        return 1
    if orders.get("die") == step:
        os.kill(os.getpid(), signal.SIGKILL)
    if step == "train":
        shutil.copytree(orders["candidate"], arguments[arguments.index("--out") + 1])
        print(json.dumps({"what": "fitting", "done": 3, "of": 3}), flush=True)
        return 0
    promoted = orders.get("promoted", True)
    overall = {
        "check": "overall",
        "passed": promoted,
        "sentence": "right 95.0% instead of 90.0%",
        "figures": {},
    }
    each = {
        "check": "per character",
        "passed": True,
        "sentence": "no character",
        "figures": {"worse": ["loki"]},
    }
    worse = [] if promoted else ["/somewhere/loki/1.webp"]
    print(json.dumps({"promoted": promoted, "reasons": [overall, each], "worse": worse}, indent=2))
    return 0 if promoted else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
