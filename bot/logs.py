"""Logging: one line an event on standard error, as text or as JSON, without secrets, links or names.

What is said of one post has one id in all lines, those of the worker among them: see `model.tracing`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Collection
from datetime import UTC, datetime

from model.tracing import Traced

_LINK = re.compile(r"(?P<host>\b(?:https?|wss?|ftp)://[^\s/?#'\"<>)\]]+)(?P<rest>[/?#][^\s'\"<>)\]]*)")
"""An address; what follows the host may be somebody's picture, or hold a token."""
_LOGIN = re.compile(r"(?<=://)[^\s/@'\"]+@")

LIBRARIES = ("discord", "aiohttp", "asyncio", "alembic", "sqlalchemy", "httpx")
"""Heard from *warning* on, unless debugging."""
TALKATIVE = ("discord", "telegram", "httpx", "httpcore", "aiosqlite", "sqlalchemy", "asyncpg", "PIL")
"""Heard from *info* on even then: below it they say whole events, with everybody's names and words."""


class _Formatter(logging.Formatter):
    def __init__(self, as_json: bool, secrets: Collection[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s:%(traced)s %(message)s", datefmt="%H:%M:%S")
        self._as_json = as_json
        self._secrets = tuple(filter(None, secrets))

    def format(self, record: logging.LogRecord) -> str:
        trace = getattr(record, "trace", "")
        if self._as_json:
            return self._json(record, trace)
        record.traced = f" [{trace}]" if trace else ""
        return self._cleaned(super().format(record))

    def _json(self, record: logging.LogRecord, trace: str) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
        }
        if trace:
            line["id"] = trace
        line["message"] = self._cleaned(record.getMessage())
        if record.exc_info:
            line["trouble"] = self._cleaned(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)

    def _cleaned(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return _LINK.sub(r"\g<host>/…", _LOGIN.sub("", text))


def set_up(level: str, as_json: bool, secrets: Collection[str] = ()) -> None:
    """Send the root logger to standard error; libraries are heard from *warning* on unless debugging."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(as_json, secrets))
    handler.addFilter(Traced())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))
    logging.getLogger("sqlalchemy").setLevel(max(logging.WARNING, root.level))  # its *info* is statements
    if level != "debug":
        for name in LIBRARIES:
            logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
        # It warns that voice is missing, which nobody here wants.
        logging.getLogger("discord.client").setLevel(logging.ERROR)
        # Malformed requests are answered with 400; a traceback of each would let strangers fill the log.
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
