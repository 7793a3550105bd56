"""``whosthat identify``: who is in these files, without any chat and without the ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import typer

from bot.app import Progress, open_eyes
from bot.desk.naming import guesses, in_language, readable
from bot.desk.types import Identified
from bot.errors import BotError, FetchError
from bot.fetching import fetch_public
from bot.settings import Settings
from bot.wording import headline
from bot.words import Words, words
from corrections.characters import vocabulary_file
from model.errors import ModelError, WorkerBusy
from model.types import Eyes, Sight

AT_ONCE = 4
"""Pictures under way at a time: enough to decode one while another is looked at."""


async def identify_all(
    settings: Settings, pictures: Sequence[str], as_json: bool, progress: Progress | None = None
) -> int:
    """Print one line a picture, in the order given; 0 if each could be answered, else 1."""
    async with AsyncExitStack() as stack:
        eyes = await open_eyes(stack, settings, progress)
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> Sight | BotError | ModelError:
            async with gate:
                return await _look(eyes, name, settings)

        failed = False
        tasks = [asyncio.create_task(one(name)) for name in pictures]
        for name, task in zip(pictures, tasks, strict=True):
            seen = await task
            failed |= not isinstance(seen, Sight)
            typer.echo(_json(name, seen, settings) if as_json else _text(name, seen, settings))
    return int(failed)


async def _look(eyes: Eyes, name: str, settings: Settings) -> Sight | BotError | ModelError:
    max_bytes = settings.worker.max_mebibytes << 20
    try:
        if name.lower().startswith(("http://", "https://")):
            picture = await fetch_public(name, max_bytes)
        else:
            picture = await asyncio.to_thread(_read, Path(name), max_bytes)
        return await eyes.look(picture, deadline=settings.worker.deadline_seconds)
    except (BotError, ModelError) as error:
        return error


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe would keep us waiting for ever
            raise BotError("That is no file.")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise BotError(f"{error.strerror}.") from None
    if len(data) > max_bytes:
        raise FetchError("too-many-bytes")
    return data


def _sentence(error: BotError | ModelError, settings: Settings, w: Words) -> str:
    reason = getattr(error, "reason", None)
    if reason is None:
        return str(error)
    seconds = max(1, round(error.retry_after)) if isinstance(error, WorkerBusy) else 1
    worker = settings.worker
    return w(
        f"error-{reason}",
        mebibytes=worker.max_mebibytes,
        megapixels=worker.max_megapixels,
        seconds=seconds,
    )


def _json(name: str, seen: Sight | BotError | ModelError, settings: Settings) -> str:
    if not isinstance(seen, Sight):
        return json.dumps({"file": name, "error": _sentence(seen, settings, words())}, ensure_ascii=False)
    answer = seen.answer
    line = {
        "file": name,
        "verdict": answer.verdict.value,
        "character": answer.character,
        "confidence": round(answer.confidence, 4),
        "known": round(answer.known, 4),
        "ranked": [
            {"character": each.character, "probability": round(each.probability, 4)} for each in answer.ranked
        ],
        "bundle": seen.bundle,
        "milliseconds": round(seen.milliseconds, 1),
    }
    return json.dumps(line, ensure_ascii=False)


def _text(name: str, seen: Sight | BotError | ModelError, settings: Settings) -> str:
    w = words()
    if not isinstance(seen, Sight):
        return f"{name}: {_sentence(seen, settings, w)}"
    names = vocabulary_file()

    def named(slug: str) -> str:
        return in_language(names[slug]["names"], w.language) if slug in names else readable(slug)

    ranked = guesses(seen.answer.ranked, named)
    shown = Identified(0, 0, seen.answer.verdict, ranked, seen.bundle, seen.milliseconds)
    return f"{name}: {headline(shown, w)}"
