"""With this folder on ``PYTHONPATH``, a real bot's retraining has the stand-in for training and gate."""

import os
import sys

if "STANDIN_RETRAINING" in os.environ and sys.orig_argv[-1] == "bot.retraining":
    from bot.retraining import steps

    steps.TRAIN = steps.GATE = "tests.standins.retraining.program"
