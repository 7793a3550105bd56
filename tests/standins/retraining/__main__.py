import os
import sys

if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    os.setsid()
    from bot.retraining import process, steps

    steps.TRAIN = steps.GATE = "tests.standins.retraining.program"
    steps.WITHDRAWN_SECONDS = 0.3
    sys.exit(process.main())
