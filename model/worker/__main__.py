"""``python -m model.worker``: see `model.worker.options` for its flags; the secret comes by its variable."""

import gc
import os
import sys
from dataclasses import replace

from model.worker.options import SECRET, parse


def main() -> int:
    """Parse, begin with what takes longest, then import the rest and serve."""
    options = replace(parse(sys.argv[1:]), secret=os.environ.pop(SECRET, ""))
    gc.disable()  # hardly anything that is made during a start goes again
    from model.errors import ModelError
    from model.worker.ahead import begin, without_authorities
    from model.worker.saying import log_to_stderr, say_progress

    log_to_stderr(json_lines=options.json_log)
    try:
        ahead = begin(options, say_progress)
    except ModelError:
        ahead = None  # it is said below
    with without_authorities():
        from model.worker.process import run_worker
    return run_worker(options, ahead=ahead)


if __name__ == "__main__":
    sys.exit(main())
