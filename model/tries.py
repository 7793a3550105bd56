"""How often a request is tried, and where: what one worker does not do, and may not have begun, another does.

A worker that does not listen, or has no model yet, is waited for until the deadline: it may be starting
again. When the connection dies with a request in flight, that request is tried once more and no oftener,
because it may be what the worker died of; before that a worker must be alive again, or the second try may
end in the last moments of the first one. What the worker refuses is refused at once.

Of several, `model.routes` says which. While one of them is well nobody waits for another: one that is away is
passed over, one that dies or falls silent has its requests tried once elsewhere, and so has one that is full
or has a fault.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Collection, Mapping
from typing import Any

from model.errors import DeadlinePassed, WorkerBusy, WorkerError, WorkerGone, WorkerMisconfigured
from model.link import Away, Died, Link
from model.routes import Routes, key_of

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_COMPLAINT = 60.0  # seconds


class Tries:
    """Asks the workers of some routes."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._complained: dict[str, float] = {}

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
        last: Collection[Link] = (),
    ) -> Mapping[str, Any]:
        """The reply of the worker that is next; those in ``last`` are asked only when there is no other."""
        try:
            return await self._try(method, path, body, headers, seconds, last)
        except WorkerGone as gone:
            self._complain(gone)
            raise

    async def _try(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
        last: Collection[Link],
    ) -> Mapping[str, Any]:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        routes = self._routes
        key = (key_of(body) if body else os.urandom(8)) if routes.several else b""
        passed = set(last)
        pause = _FIRST_PAUSE
        died = False  # one of them, with this request in flight
        alive = True  # whoever is asked next, as far as is known
        refused: WorkerError | None = None  # by one that another may do it for
        while True:
            left = max(end - loop.time(), 0.001)
            link = routes.choose(key, passed)
            if link is None:
                if refused is not None:
                    raise refused
                if passed:
                    passed.clear()
                elif isinstance(gone := routes.why(), WorkerMisconfigured) or not await routes.back(left):
                    raise gone
                continue
            try:
                if not alive:
                    await link.ask("GET", "/healthz", None, {}, left, fresh=True)
                    alive = True
                reply = await link.ask(method, path, body, headers, left, fresh=died, watched=routes.several)
            except TimeoutError:
                late = DeadlinePassed(f"the worker did not answer within {seconds:g} s")
                routes.failed(link, late)
                raise late from None
            except WorkerMisconfigured as error:
                if not routes.several:
                    raise
                routes.away(link, error)
                continue
            except WorkerBusy as busy:
                routes.busy(link, busy.retry_after)
                if not routes.several or refused is not None:
                    raise
                refused = busy
            except WorkerError as error:
                routes.failed(link, error)
                if not routes.several or refused is not None or isinstance(error, DeadlinePassed):
                    raise
                refused = error
            except Away as away:
                gone = away.gone
                if isinstance(away, Died):
                    if died and alive:
                        raise WorkerGone("the worker died twice with this picture") from away
                    died, alive = True, False
                routes.away(link, gone)
                if not routes.several:
                    if loop.time() + pause >= end:
                        raise gone from away
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            else:
                routes.answered(link)
                return reply
            passed.add(link)

    def _complain(self, gone: WorkerGone) -> None:
        """Say it in the log, the same once a minute."""
        now, sentence = time.monotonic(), str(gone)
        if now - self._complained.get(sentence, -_COMPLAINT) >= _COMPLAINT:
            self._complained = {said: at for said, at in self._complained.items() if now - at < _COMPLAINT}
            self._complained[sentence] = now
            log.error("%s", sentence)
