"""The bot's own process stays light: no model runtime in it, nothing done at import."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "transformers", "onnxruntime", "onnx", "PIL", "sklearn", "safetensors")


def test_the_bot_imports_no_model_runtime() -> None:
    code = f"import sys, bot.app, bot.cli, bot.identify; print(sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    assert done.stderr == ""
