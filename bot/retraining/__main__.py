"""``python -m bot.retraining``: leave whoever started this, then retrain; see `bot.retraining.process`."""

import os
import sys

if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    os.setsid()
    from bot.retraining.process import main

    sys.exit(main())
