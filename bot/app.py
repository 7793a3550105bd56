"""The composition root: starts the worker and everything else beside it, and takes all down in order.

What the bot is made of takes about a second to import. The worker is started before that, so that both are
ready at about the same time: this module imports little, and `bot.serving`, which it imports then, the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from bot.settings import Settings
from bot.stopping import Stopped, cancelled, told_to_stop, unless
from bot.uncollected import uncollected
from bot.watchdog import Systemd
from bot.words import words
from corrections.lock import DataDirLock
from model.supervisor import WorkerSupervisor
from model.versions import Versions
from model.worker.ahead import read_authorities, without_authorities
from model.worker.options import WorkerOptions

if TYPE_CHECKING:
    from model.client import WorkerClient

Progress = Callable[[str, float], None]


def worker_options(settings: Settings) -> WorkerOptions:
    """The worker's part of the settings, with the model that is chosen by now."""
    return WorkerOptions(
        use=Versions(settings.models_dir, settings.model.use).serving(),
        backend=settings.worker.backend,
        models_dir=settings.models_dir,
        threads=settings.worker.threads,
        level=settings.worker.level,
        target=settings.worker.target_milliseconds,
        decoders=settings.worker.decoders,
        queue=settings.worker.queue,
        batch=settings.worker.batch,
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
    return replace(worker_options(settings), use=settings.model.use, follow=True, measure=True)


async def open_eyes(
    stack: AsyncExitStack, settings: Settings, progress: Progress | None = None, *, follow: bool = False
) -> WorkerClient:
    """A client of the worker: of our own, which is started here, or of those that ``worker.url`` names.

    Args:
        follow: our own swaps its model when another one is chosen.
    """
    if settings.worker.url:
        from model.client import WorkerClient

        client = WorkerClient(
            settings.worker.url,
            secret=settings.worker.secret.get_secret_value(),
            ca_file=Path(settings.worker.ca_file) if settings.worker.ca_file else None,
        )
        stack.push_async_callback(client.close)
        return client
    options = following(settings) if follow else worker_options(settings)
    supervisor = await stack.enter_async_context(WorkerSupervisor(options, progress=progress))
    client = supervisor.client()
    stack.push_async_callback(client.close)
    return client


def _rest() -> ModuleType:
    """`bot.serving`, imported; the machine's certificates are read beside it, which takes Python no lock."""
    with uncollected():
        with without_authorities() as unread:
            import aiohttp  # noqa: F401
        reading = threading.Thread(target=read_authorities, args=(unread,))
        reading.start()
        serving = importlib.import_module("bot.serving")
        reading.join()
    return serving


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
        loop.add_signal_handler(number, told_to_stop, loop, stop)
    again = asyncio.Event()

    def step_aside() -> None:
        again.set()
        stop.set()

    loop.add_signal_handler(signal.SIGUSR1, step_aside)
    w = words()
    started = time.monotonic()
    with contextlib.suppress(Stopped):
        async with AsyncExitStack() as stack:
            stack.push_async_callback(cancelled, loop.create_task(Systemd().beat(), name="watchdog"))
            lock = DataDirLock(settings.data_dir, steps_aside=True, patience=patience)
            await stack.enter_async_context(lock)
            beneath = await stack.enter_async_context(AsyncExitStack())
            worker = asyncio.create_task(open_eyes(beneath, settings, progress, follow=True), name="worker")
            stack.push_async_callback(cancelled, worker)
            serving = await unless(stop, asyncio.to_thread(_rest))
            await serving.serve_with(worker, settings, say, stop, started)
    say(w("run-again" if again.is_set() else "run-stopped"))
    return again.is_set()
