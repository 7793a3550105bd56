"""Logging: one line an event on standard error, as text or as JSON, without secrets."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Collection
from datetime import UTC, datetime


class _Formatter(logging.Formatter):
    def __init__(self, as_json: bool, secrets: Collection[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%H:%M:%S")
        self._as_json = as_json
        self._secrets = tuple(filter(None, secrets))

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record) if not self._as_json else self._json(record)
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text

    def _json(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trouble"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str, as_json: bool, secrets: Collection[str] = ()) -> None:
    """Send the root logger to standard error; libraries are heard from *warning* on unless debugging."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(as_json, secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    if level != "debug":
        for name in ("discord", "aiohttp", "asyncio", "alembic", "sqlalchemy", "httpx"):
            logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
        # It warns that voice is missing, which nobody here wants.
        logging.getLogger("discord.client").setLevel(logging.ERROR)
        # Malformed requests are answered with 400; a traceback of each would let strangers fill the log.
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
