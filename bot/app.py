"""The composition root: makes every part, joins them, and takes them down in the right order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hmac
import logging
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TypeVar

from bot.console_link import operator_link
from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.releases import Releases
from bot.desk.training import Training
from bot.discord_adapter.adapter import DiscordAdapter
from bot.exporting import policy_of
from bot.memory.following import Memory, MemoryRules
from bot.memory.rebuilding import Rebuilding
from bot.operators.sweeping import sweep
from bot.retraining.service import Retraining
from bot.retraining.telling import Telling
from bot.settings import Settings
from bot.telegram_adapter.adapter import TelegramAdapter
from bot.web.app import WebAdapter
from bot.web.guard import is_loopback
from bot.wording import discord_training
from bot.words import words
from corrections.ledger import Ledger
from corrections.lock import DataDirLock
from corrections.people import load_secret
from corrections.review.agreement import ReviewRules
from model.client import WorkerClient
from model.supervisor import WorkerSupervisor
from model.versions import Versions
from model.worker.options import WorkerOptions

log = logging.getLogger(__name__)
T = TypeVar("T")

GRACE_SECONDS = 2
"""How much longer than a picture may take answers in flight are waited for once we are told to stop."""

PLATFORMS: dict[type, str] = {DiscordAdapter: "discord", TelegramAdapter: "telegram"}

Progress = Callable[[str, float], None]


class Stopped(Exception):  # not an error
    """Told to stop before everything had started."""


def worker_options(settings: Settings) -> WorkerOptions:
    """The worker's part of the settings, with the model that is chosen by now."""
    return WorkerOptions(
        use=Versions(settings.models_dir, settings.model.use).serving(),
        backend=settings.worker.backend,
        models_dir=settings.models_dir,
        threads=settings.worker.threads,
        decoders=settings.worker.decoders,
        queue=settings.worker.queue,
        max_bytes=settings.worker.max_mebibytes << 20,
        max_pixels=settings.worker.max_megapixels * 1_000_000,
        decode_seconds=settings.worker.decode_seconds,
        cache_entries=settings.worker.cache_entries,
        sure_right=settings.answers.sure_right,
        characters_kept=settings.answers.characters_kept,
        json_log=settings.log.as_json,
    )


def following(settings: Settings) -> WorkerOptions:
    """The same for a worker that looks with whatever is chosen, now and later."""
    return replace(worker_options(settings), use=settings.model.use, follow=True)


def review_rules(settings: Settings) -> ReviewRules:
    """When people agree, by the settings."""
    chosen = settings.review
    return ReviewRules(chosen.quorum, chosen.certainty, chosen.newcomer_days, chosen.auto_approve)


def memory_rules(settings: Settings) -> MemoryRules:
    """What is remembered of what people said, by the settings."""
    chosen = settings.memory
    return MemoryRules(chosen.most, chosen.shared, settings.discord.allow_training)


async def open_eyes(
    stack: AsyncExitStack, settings: Settings, progress: Progress | None = None, *, follow: bool = False
) -> WorkerClient:
    """A client of the worker: of our own, which is started here, or of the one that ``worker.url`` names.

    Args:
        follow: our own swaps its model when another one is chosen.
    """
    if settings.worker.url:
        client = WorkerClient(settings.worker.url)
        stack.push_async_callback(client.close)
        return client
    options = following(settings) if follow else worker_options(settings)
    supervisor = await stack.enter_async_context(WorkerSupervisor(options, progress=progress))
    client = supervisor.client()
    stack.push_async_callback(client.close)
    return client


async def serve(
    settings: Settings, say: Callable[[str], None], progress: Progress, patience: float = 0.0
) -> bool:
    """Run until SIGINT or SIGTERM; ``say`` gets the lines that the operator reads.

    Args:
        patience: seconds to wait for whoever holds ``data_dir``.

    Returns:
        Whether to start again: SIGUSR1 came, because somebody wants ``data_dir`` for a moment.

    Raises:
        bot.errors.BotError, corrections.errors.LedgerError, model.errors.ModelError: a part that cannot
            start, said in one sentence; whatever had started is stopped again.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _told_to_stop, loop, stop)
    again = asyncio.Event()

    def step_aside() -> None:
        again.set()
        stop.set()

    loop.add_signal_handler(signal.SIGUSR1, step_aside)
    w = words()
    started = time.monotonic()
    with contextlib.suppress(Stopped):
        async with AsyncExitStack() as stack:
            lock = DataDirLock(settings.data_dir, steps_aside=True, patience=patience)
            await stack.enter_async_context(lock)
            ledger = await Ledger.open(
                settings.database_url,
                data_dir=settings.data_dir,
                proposals_per_day=settings.limits.proposals_per_day,
                review=review_rules(settings),
            )
            stack.push_async_callback(ledger.close)
            eyes = await _unless(stop, open_eyes(stack, settings, progress, follow=True))
            if settings.worker.url:
                say(w("run-worker-waiting", url=settings.worker.url))
            status = await _unless(stop, eyes.status())
            if settings.worker.url:
                say(w("run-worker-elsewhere", bundle=status["bundle"], url=settings.worker.url))
            else:
                seconds = f"{time.monotonic() - started:.1f}"
                say(w("run-worker", bundle=status["bundle"], backend=status["backend"], seconds=seconds))
            memory = Memory(ledger, memory_rules(settings)) if settings.memory.on else None
            if memory is not None:
                await _unless(stop, memory.begin(status["bundle"]))
            desk = Desk(
                eyes,
                ledger,
                RateLimits(settings.limits.person_per_minute, settings.limits.community_per_minute),
                deadline=settings.worker.deadline_seconds,
                caps={
                    "mebibytes": settings.worker.max_mebibytes,
                    "megapixels": settings.worker.max_megapixels,
                },
                discord_training=settings.discord.allow_training,
                memory=memory,
            )
            if memory is not None:
                rebuilding = Rebuilding(memory, ledger, eyes, settings.memory.per_minute, desk.quiet)
                stack.push_async_callback(_cancel, loop.create_task(memory.keep(), name="memory"))
                stack.push_async_callback(_cancel, loop.create_task(rebuilding.keep(), name="rebuilding"))
            if settings.worker.explain:
                desk.explain_with(eyes)
            keep = settings.export.kept_hours
            releases = Releases(ledger, settings.data_dir / "exports", policy_of(settings), keep)
            desk.moderation.releases = releases
            retraining = Retraining(settings)

            async def serving() -> str:
                return (await eyes.bundle()).id

            desk.moderation.training = Training(retraining, serving)
            stack.push_async_callback(_cancel, loop.create_task(releases.keep_clean(), name="releases"))
            if settings.web.enabled:
                secret = await asyncio.to_thread(_session_key, settings)
                web = await stack.enter_async_context(WebAdapter(desk, settings, secret))
                say(w("run-web", url=web.url))
                loopback = is_loopback(settings.web.host)
                if loopback and sys.stdout.isatty():  # a journal keeps what it gets, and others read it
                    minutes = settings.review.link_minutes
                    url = await operator_link(ledger, web.url, minutes)
                    say(w("run-console", url=url, minutes=minutes))
                elif loopback or settings.web.public_url:
                    say(w("run-console-asked"))
            else:
                say(w("run-web-off"))
            chats: list[DiscordAdapter | TelegramAdapter] = []
            if settings.discord.token.get_secret_value():
                say(w("run-discord-connecting"))
                chats.append(await stack.enter_async_context(DiscordAdapter(desk, settings, say)))
                say(discord_training(settings.discord.allow_training, w))
            else:
                say(w("run-discord-off"))
            if settings.telegram.token.get_secret_value():
                say(w("run-telegram-connecting"))
                chats.append(await stack.enter_async_context(TelegramAdapter(desk, settings, say)))
            else:
                say(w("run-telegram-off"))
            for chat in chats:
                stack.callback(chat.stop_asking)
            announcers = {PLATFORMS[type(chat)]: chat.announcer for chat in chats}
            telling = Telling(retraining, ledger, eyes, announcers, settings.training.replies)
            stack.push_async_callback(_cancel, loop.create_task(telling.keep(), name="telling"))
            stack.push_async_callback(_cancel, loop.create_task(_sweep(ledger, settings), name="sweep"))
            stack.push_async_callback(_cancel, loop.create_task(_rescore(ledger), name="rescore"))
            # What is there by now stays: no later collection has to look through it while everybody waits.
            gc.freeze()
            say(w("run-ready", seconds=f"{time.monotonic() - started:.1f}"))
            await stop.wait()
            say(w("run-stopping"))
            for chat in chats:
                chat.stop_asking()
            await desk.finish(settings.worker.deadline_seconds + GRACE_SECONDS)
    say(w("run-again" if again.is_set() else "run-stopped"))
    return again.is_set()


def _told_to_stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Once: finish what has begun. Whoever says it again is not made to wait: the worker sees us end."""
    stop.set()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)


async def _unless(stop: asyncio.Event, starting: Coroutine[None, None, T]) -> T:
    """Await ``starting``, but give it up when told to stop."""
    task = asyncio.create_task(starting)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await _cancel(stopping)
    if not task.done():
        await _cancel(task)
        raise Stopped
    return task.result()


async def _cancel(task: asyncio.Task[T]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _session_key(settings: Settings) -> bytes:
    """What the page's session cookies are signed with: derived, so that there is one secret to keep."""
    return hmac.digest(load_secret(settings.data_dir, make=False), b"web session", "sha256")


async def _rescore(ledger: Ledger) -> None:
    """Let decisions count in the cases that are still open, soon after they are made."""
    while True:
        try:
            await ledger.review.keep_fresh()
        except Exception:
            log.exception("cases were not brought up to date; that is tried again in a minute")
        await asyncio.sleep(60)


async def _sweep(ledger: Ledger, settings: Settings) -> None:
    """Remove what is not to be kept any longer, at start and then every hour."""
    while True:
        try:
            swept = await sweep(ledger, settings)
            if swept.count:
                log.info("%d pictures were let go (%d bytes)", swept.count, swept.bytes)
        except Exception:
            log.exception("sweeping failed; it is tried again in an hour")
        await asyncio.sleep(3600)
