"""``python -m model.worker``: see `model.worker.options` for its flags; the secret comes by its variable."""

import os
import sys
from dataclasses import replace

from model.worker.options import SECRET, parse
from model.worker.process import run_worker

if __name__ == "__main__":
    sys.exit(run_worker(replace(parse(sys.argv[1:]), secret=os.environ.pop(SECRET, ""))))
