"""The bot's own process stays light: no model runtime in it, nothing done at import."""

from __future__ import annotations

import json
import subprocess
import sys

import certifi

from model.supervisor import environment

PARTS = ("app", "serving", "discord_adapter.adapter", "telegram_adapter.adapter", "commands", "identify")
EVERYTHING = ", ".join(f"bot.{part}" for part in PARTS)
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
    code = f"import sys, bot.commands, bot.app; print(sorted(set(sys.modules) & set({later!r})))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


STARTED = """
import gc, json

seen = [0]
gc.callbacks.append(lambda phase, about: seen.append(len(gc.get_objects())))
from bot import app, cli

with cli.uncollected():
    import bot.commands
app._rest()
import aiohttp.connector as asks

contexts = asks._SSL_CONTEXT_VERIFIED, asks._SSL_CONTEXT_UNVERIFIED
trusted = [len(each.get_ca_certs()) for each in contexts]
print(json.dumps([max(seen), gc.isenabled(), gc.get_freeze_count(), trusted]))
"""


def test_importing_looks_for_no_garbage_and_leaves_out_no_authority() -> None:
    """A collection has to look through all that has been imported by then, and finds nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STARTED],
        capture_output=True,
        text=True,
        check=True,
        env=environment() | {"SSL_CERT_FILE": certifi.where()},
    )
    looked_through, enabled, frozen, (trusted, unverified) = json.loads(done.stdout)
    assert enabled and looked_through < 50_000 < frozen
    assert trusted > 10 and unverified == 0
