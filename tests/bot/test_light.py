"""The bot's own process stays light: no model runtime in it, nothing done at import."""

from __future__ import annotations

import subprocess
import sys

EVERYTHING = (
    "bot.app, bot.serving, bot.discord_adapter.adapter, bot.telegram_adapter.adapter, bot.cli, bot.identify"
)
HEAVY = ("torch", "transformers", "onnxruntime", "onnx", "PIL", "sklearn", "safetensors")


def test_the_bot_imports_no_model_runtime() -> None:
    code = f"import sys, {EVERYTHING}; print(sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_the_worker_is_started_before_the_rest_is_imported() -> None:
    """What only the rest needs would keep the worker waiting: seconds, on a busy machine."""
    later = ("sqlalchemy", "alembic", "discord", "telegram", "numpy", "aiohttp", "httpx", "jinja2")
    code = f"import sys, bot.cli, bot.app; print(sorted(set(sys.modules) & set({later!r})))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
