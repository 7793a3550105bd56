"""Counting what Discord answers to our requests: `counting`."""

from __future__ import annotations

from types import SimpleNamespace

import aiohttp

from bot.discord_adapter.asking import PLATFORM
from bot.metrics import Metrics


def counting(metrics: Metrics) -> aiohttp.TraceConfig:
    """For ``discord.Client(http_trace=…)``, which hands it to its session."""

    async def ended(
        session: aiohttp.ClientSession, context: SimpleNamespace, answer: aiohttp.TraceRequestEndParams
    ) -> None:
        metrics.called(PLATFORM, answer.response.status)

    async def failed(
        session: aiohttp.ClientSession, context: SimpleNamespace, what: aiohttp.TraceRequestExceptionParams
    ) -> None:
        metrics.called(PLATFORM, 0)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(ended)
    trace.on_request_exception.append(failed)
    return trace
