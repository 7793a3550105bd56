"""Everything of the bot but its worker: made, joined, and taken down in the right order."""

from __future__ import annotations

import asyncio
import gc
import hmac
import logging
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from bot.console_link import operator_link
from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.releases import Releases
from bot.desk.training import Training
from bot.exporting import policy_of
from bot.memory.following import Memory, MemoryRules
from bot.memory.rebuilding import Rebuilding
from bot.metrics import Metrics
from bot.operators.sweeping import sweep
from bot.retraining.service import Retraining
from bot.retraining.telling import Telling
from bot.settings import Settings
from bot.stopping import GRACE_SECONDS, cancelled, unless
from bot.watchdog import Systemd
from bot.watching import Watch, WatchServer
from bot.web.app import WebAdapter
from bot.web.guard import is_loopback
from bot.wording import discord_training
from bot.words import words
from corrections.duties import SWEEPING
from corrections.ledger import Ledger
from corrections.people import load_secret
from corrections.review.agreement import ReviewRules
from corrections.types import Swept
from model.client import WorkerClient

if TYPE_CHECKING:
    from bot.discord_adapter.adapter import DiscordAdapter
    from bot.telegram_adapter.adapter import TelegramAdapter

log = logging.getLogger(__name__)

PLATFORMS = {
    "discord": ("run-discord-off", "run-discord-connecting"),
    "telegram": ("run-telegram-off", "run-telegram-connecting"),
}
"""What is said of a platform without a token, and of one with it."""


def review_rules(settings: Settings) -> ReviewRules:
    """When people agree, by the settings."""
    chosen = settings.review
    return ReviewRules(chosen.quorum, chosen.certainty, chosen.newcomer_days, chosen.auto_approve)


def memory_rules(settings: Settings) -> MemoryRules:
    """What is remembered of what people said, by the settings."""
    chosen = settings.memory
    return MemoryRules(chosen.most, chosen.shared, settings.discord.allow_training)


async def serve_with(
    worker: asyncio.Task[WorkerClient],
    settings: Settings,
    say: Callable[[str], None],
    stop: asyncio.Event,
    started: float,
) -> None:
    """Open the ledger while the worker starts, then serve until told to stop.

    Args:
        worker: the start of the worker, under way.
        started: when the start began, on the monotonic clock.

    Raises:
        bot.errors.BotError, corrections.errors.LedgerError, model.errors.ModelError: see `bot.app.serve`.
        bot.stopping.Stopped: told to stop before everything had started.
    """
    w = words()
    loop = asyncio.get_running_loop()
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        ledger = await Ledger.open(
            settings.database_url,
            data_dir=settings.data_dir,
            proposals_per_day=settings.limits.proposals_per_day,
            review=review_rules(settings),
        )
        stack.push_async_callback(ledger.close)
        adapters = await asyncio.to_thread(_adapters, settings)
        eyes = await unless(stop, worker)
        if settings.worker.url:
            say(w("run-worker-waiting", url=eyes.address))
        status = await unless(stop, eyes.status())
        if settings.worker.url:
            say(w("run-worker-elsewhere", bundle=status["bundle"], url=eyes.address))
        else:
            seconds = f"{time.monotonic() - started:.1f}"
            way = {each: status[each] for each in ("bundle", "backend", "level", "threads")}
            say(w("run-worker", seconds=seconds, **way))
        memory = Memory(ledger, memory_rules(settings), lambda: eyes.leading) if settings.memory.on else None
        if memory is not None:
            await unless(stop, memory.begin(status["bundle"]))
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
            metrics=metrics,
        )
        if memory is not None:
            rebuilding = Rebuilding(memory, ledger, eyes, settings.memory.per_minute, desk.quiet)
            stack.push_async_callback(cancelled, loop.create_task(memory.keep(), name="memory"))
            stack.push_async_callback(cancelled, loop.create_task(rebuilding.keep(), name="rebuilding"))
        if settings.worker.explain:
            desk.explain_with(eyes)
        keep = settings.export.kept_hours
        releases = Releases(ledger, settings.data_dir / "exports", policy_of(settings), keep)
        desk.moderation.releases = releases
        retraining = Retraining(settings)

        async def serving() -> str:
            return (await eyes.bundle()).id

        desk.moderation.training = Training(retraining, serving)
        stack.push_async_callback(cancelled, loop.create_task(releases.keep_clean(), name="releases"))
        watch = await watching(stack, settings, metrics, ledger, eyes, memory)
        if settings.web.enabled:
            secret = await asyncio.to_thread(_session_key, settings)
            beside = None if settings.metrics.port else watch
            web = await stack.enter_async_context(WebAdapter(desk, settings, secret, beside))
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
        chats: dict[str, DiscordAdapter | TelegramAdapter] = {}
        for platform, (off, connecting) in PLATFORMS.items():
            if platform not in adapters:
                say(w(off))
                continue
            say(w(connecting))
            chats[platform] = await stack.enter_async_context(adapters[platform](desk, settings, say))
            watch.check(platform, chats[platform].trouble)
            if platform == "discord":
                say(discord_training(settings.discord.allow_training, w))
        for chat in chats.values():
            stack.callback(chat.stop_asking)
        announcers = {platform: chat.announcer for platform, chat in chats.items()}
        telling = Telling(retraining, ledger, eyes, announcers, settings.training.replies)
        stack.push_async_callback(cancelled, loop.create_task(telling.keep(), name="telling"))
        stack.push_async_callback(cancelled, loop.create_task(_sweep(ledger, settings), name="sweep"))
        stack.push_async_callback(cancelled, loop.create_task(_rescore(ledger), name="rescore"))
        # What is there by now stays: no later collection has to look through it while everybody waits.
        gc.freeze()
        watch.started()
        Systemd().tell("READY=1")
        say(w("run-ready", seconds=f"{time.monotonic() - started:.1f}"))
        await stop.wait()
        Systemd().tell("STOPPING=1")
        say(w("run-stopping"))
        for chat in chats.values():
            chat.stop_asking()
        await desk.finish(settings.worker.deadline_seconds + GRACE_SECONDS)


async def watching(
    stack: AsyncExitStack,
    settings: Settings,
    metrics: Metrics,
    ledger: Ledger,
    eyes: WorkerClient,
    memory: Memory | None,
) -> Watch:
    """How everything is, seen from outside, on a port of its own if the settings say so.

    Raises:
        StartError: that port cannot be listened on.
    """
    chosen = settings.metrics
    watch = Watch(metrics, chosen.token.get_secret_value(), enabled=chosen.enabled)

    async def ledger_trouble() -> str:
        await ledger.pulse()
        return ""

    async def worker_trouble() -> str:
        return "" if await eyes.ready() else "not ready"

    watch.check("ledger", ledger_trouble)
    watch.check("worker", worker_trouble)
    watch.with_review(ledger.review.waiting)
    if not settings.worker.url or (eyes.address.startswith("unix:") and "," not in eyes.address):
        watch.with_worker(eyes.address)
    metrics.restarts(lambda: eyes.restarts())
    metrics.away(lambda: eyes.away)
    if memory is not None:
        metrics.memory(lambda: len(memory))
    late = asyncio.get_running_loop().create_task(metrics.watch_loop(), name="loop")
    stack.push_async_callback(cancelled, late)
    if chosen.port:
        await stack.enter_async_context(WatchServer(watch, chosen.host, chosen.port))
    return watch


def _adapters(settings: Settings) -> dict[str, type[DiscordAdapter] | type[TelegramAdapter]]:
    """Of the platforms that have a token: the library of another takes 30 MB and a quarter of a second."""
    found: dict[str, type[DiscordAdapter] | type[TelegramAdapter]] = {}
    if settings.discord.token.get_secret_value():
        from bot.discord_adapter.adapter import DiscordAdapter

        found["discord"] = DiscordAdapter
    if settings.telegram.token.get_secret_value():
        from bot.telegram_adapter.adapter import TelegramAdapter

        found["telegram"] = TelegramAdapter
    return found


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
            # One process does it for all that share the ledger; when it ends, another has it within the hour.
            swept = await sweep(ledger, settings) if await ledger.duties.mine(SWEEPING) else Swept(0, 0)
            if swept.count:
                log.info("%d pictures were let go (%d bytes)", swept.count, swept.bytes)
        except Exception:
            log.exception("sweeping failed; it is tried again in an hour")
        await asyncio.sleep(3600)
