"""``python -m model.worker``: see `model.worker.options` for its flags."""

import sys

from model.worker.options import parse
from model.worker.process import run_worker

if __name__ == "__main__":
    sys.exit(run_worker(parse(sys.argv[1:])))
