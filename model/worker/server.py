"""The worker's HTTP side, see `model.worker.protocol` for statuses and bodies."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import web

from model import tracing
from model.errors import DeadlinePassed, ModelError, PictureError
from model.types import Sight
from model.worker import metrics, protocol, reasons
from model.worker.engine import Engine
from model.worker.explaining import Explaining
from model.worker.guard import admission_of
from model.worker.queue import Ticket

log = logging.getLogger(__name__)

ENGINE: web.AppKey[Engine] = web.AppKey("engine", Engine)
EXPLAINING: web.AppKey[Explaining] = web.AppKey("explaining", Explaining)
_LARGE = 2**18  # bytes; text is made of fewer in less time than it takes to hand them to a thread
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(engine: Engine) -> web.Application:
    """An application around a started engine."""
    app = web.Application(middlewares=[_errors, admission_of(engine.options.secret)])
    app[ENGINE] = engine
    app[EXPLAINING] = Explaining(engine)
    app.router.add_post("/v1/identify", identify, expect_handler=_later)
    app.router.add_post("/v1/why", why, expect_handler=_later)
    app.router.add_post("/v1/sheet", sheet, expect_handler=_later)
    app.router.add_get("/v1/bundle", bundle)
    app.router.add_post("/v1/bundle", swap)
    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", show)
    return app


async def identify(request: web.Request) -> web.Response:
    """``POST /v1/identify``: raw bytes in, who is in the picture out."""
    engine = request.app[ENGINE]
    options = engine.options
    id_ = tracing.current()
    key = request.headers.get(protocol.FAIRNESS_KEY, "")[:256]
    seconds = _seconds(request.headers.get(protocol.DEADLINE), options.deadline, options.longest_deadline)
    began = time.perf_counter()
    outcome = "gone"
    try:
        keep = request.headers.get(protocol.KEEP) == "1"
        if (said := request.headers.get(protocol.SHA256)) and not request.can_read_body:
            known = engine.known(said, keep)
            if known is None:
                outcome = "unknown"
                return web.json_response(protocol.UNKNOWN)
            outcome = str(known.answer.verdict)
            engine.counters[f"verdict {outcome}"] += 1
            return await _told(request, known, id_)
        if (request.content_length or 0) > options.max_bytes:
            raise _too_many(options.max_bytes)
        with engine.admission.enter(key) as ticket:
            try:
                async with asyncio.timeout(seconds):
                    picture, sha256 = await _body(request, options.max_bytes, ticket)
                    sight = await engine.look(picture, sha256, key, keep=keep)
            except TimeoutError:
                raise DeadlinePassed(f"no answer within {seconds:g} s") from None
        outcome = str(sight.answer.verdict)
        engine.counters[f"verdict {outcome}"] += 1
        return await _told(request, sight, id_)
    except ModelError as error:
        outcome = error.reason
        engine.counters[f"refused {error.reason}"] += 1
        raise
    finally:
        seconds = time.perf_counter() - began
        engine.observed.request.observe(seconds)
        # a flood is counted; it shall not fill the log
        level = logging.DEBUG if outcome == "busy" else logging.INFO
        line = partial(log.log, level, "looked: %s in %.0f ms", outcome, seconds * 1000)
        asyncio.get_running_loop().call_soon(line)  # whoever waits for the answer need not wait for the log


async def why(request: web.Request) -> web.Response:
    """``POST /v1/why``: raw bytes in, what a character's probability hangs on out; one at a time."""
    explaining = request.app[EXPLAINING]
    character = reasons.slug_from_header(request.headers.get(reasons.CHARACTER, ""))

    async def explained(picture: bytes) -> dict[str, Any]:
        return reasons.reason_to_json(await explaining.why(picture, character))

    with explaining.turn():
        return await _behind(request, explained)


async def sheet(request: web.Request) -> web.Response:
    """``POST /v1/sheet``: a few pictures in, one picture of them all out."""
    sizes = request.headers.get(reasons.SIZES, "")

    async def drawn(body: bytes) -> dict[str, Any]:
        try:
            pictures = reasons.apart(body, sizes)
        except ValueError as error:
            raise PictureError("damaged", str(error)) from None
        return reasons.sheet_to_json(await request.app[EXPLAINING].sheet(pictures))

    return await _behind(request, drawn)


async def _behind(request: web.Request, work: Callable[[bytes], Awaitable[dict[str, Any]]]) -> web.Response:
    """What is done behind everybody who waits for an answer: admitted, within a deadline, counted."""
    engine = request.app[ENGINE]
    options = engine.options
    seconds = _seconds(request.headers.get(protocol.DEADLINE), options.deadline, options.longest_deadline)
    try:
        if (request.content_length or 0) > options.max_bytes:
            raise _too_many(options.max_bytes)
        with engine.admission.enter(request.path) as ticket:
            try:
                async with asyncio.timeout(seconds):
                    body, _ = await _body(request, options.max_bytes, ticket)
                    return web.json_response(await work(body))
            except TimeoutError:
                raise DeadlinePassed(f"not done within {seconds:g} s") from None
    except ModelError as error:
        engine.counters[f"refused {error.reason}"] += 1
        raise


async def bundle(request: web.Request) -> web.Response:
    """``GET /v1/bundle``: what is looked with."""
    seat = request.app[ENGINE].seat
    if seat is None:
        return _warming()
    return web.json_response(protocol.info_to_json(seat.info))


async def swap(request: web.Request) -> web.Response:
    """``POST /v1/bundle`` with ``{"use": ...}``: another bundle, from this machine only."""
    # a page in somebody's browser is on this machine too: it cannot send JSON here without asking first
    if not _local(request) or request.content_type != "application/json" or "Origin" in request.headers:
        return _refused(403, "forbidden", "bundles are swapped from this machine, with a JSON body")
    try:
        use = (await request.json())["use"]
    except (ValueError, TypeError, KeyError):
        use = None
    if not isinstance(use, str) or not use:
        return _refused(400, "request", 'the body is {"use": "builtin, a folder, or hub:OWNER/NAME"}')
    # a swap that has begun is finished even when whoever asked has gone
    info = await asyncio.shield(asyncio.ensure_future(request.app[ENGINE].load(use)))
    return web.json_response(protocol.info_to_json(info))


async def alive(_: web.Request) -> web.Response:
    """``GET /healthz``: the event loop runs."""
    return web.json_response({"alive": True})


async def ready(request: web.Request) -> web.Response:
    """``GET /readyz``: bundle, level and backend, and what was counted so far; 503 while warming up."""
    engine = request.app[ENGINE]
    if engine.seat is None:
        return _warming()
    classifier = engine.seat.classifier
    counters = dict(engine.counters) | {
        "inside": len(engine.admission),
        "cache hits": engine.cache.hits,
        "cache misses": engine.cache.misses,
        "cache entries": len(engine.cache),
    }
    return web.json_response(
        {
            "bundle": classifier.info.id,
            "level": classifier.level,
            "backend": classifier.backend,
            "threads": getattr(classifier, "threads", 0),
            "counters": counters,
        }
    )


async def show(request: web.Request) -> web.Response:
    """``GET /metrics``: what was counted so far, for Prometheus."""
    engine = request.app[ENGINE]
    if not engine.options.secret and not _local(request):
        return _refused(403, "forbidden", "metrics are for this machine, or for who has the worker's secret")
    body = await asyncio.to_thread(metrics.text, engine)
    return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE})


async def _later(_: web.Request) -> None:
    """``Expect: 100-continue`` is answered by who reads the body: what is refused is refused before."""


async def _body(request: web.Request, most: int, ticket: Ticket) -> tuple[bytes, str]:
    """The bytes and their sha256; never more than the cap is held."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # of the reply itself nothing is sent yet
    digest = hashlib.sha256()
    body = bytearray()
    async for chunk in request.content.iter_any():
        if len(body) + len(chunk) > most:
            raise _too_many(most)
        ticket.hold(len(chunk))
        digest.update(chunk)
        body += chunk
    return bytes(body), digest.hexdigest()


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    tracing.trace(tracing.cleaned(request.headers.get(protocol.REQUEST_ID, "")))
    try:
        return await handler(request)
    except ModelError as error:
        status, body, headers = protocol.error_to_http(error)
        return web.json_response(body, status=status, headers=headers)
    except web.HTTPException as error:
        return _refused(error.status, "request", error.reason)
    except web.RequestPayloadError:
        return _refused(400, "request", "the body of the request does not read")
    except Exception as error:  # a fault of ours is said in the protocol's own form
        log.exception("%s %s failed", request.method, request.path)
        return _refused(500, "trouble", f"the worker has a fault: {type(error).__name__}")


async def _told(request: web.Request, sight: Sight, id_: str) -> web.Response:
    headers = {protocol.REQUEST_ID: id_}
    if sight.stored is not None and protocol.APART in request.headers.get("Accept", ""):
        body = protocol.sight_apart(sight)
        return web.Response(body=body, content_type=protocol.APART, headers=headers)
    # the reply may hold a picture: turning it to text is not for the event loop
    text = await asyncio.to_thread(_text, sight) if len(sight.stored or b"") > _LARGE else _text(sight)
    return web.Response(text=text, content_type="application/json", headers=headers)


def _text(sight: Sight) -> str:
    return json.dumps(protocol.sight_to_json(sight))


def _too_many(most: int) -> PictureError:
    return PictureError("too-many-bytes", f"the picture has more than {most:,} bytes")


def _refused(status: int, reason: str, detail: str) -> web.Response:
    return web.json_response({"reason": reason, "detail": detail}, status=status)


def _warming() -> web.Response:
    response = _refused(503, protocol.WARMING, "the model is being loaded")
    response.headers["Retry-After"] = "1"
    return response


def _seconds(header: str | None, default: float, longest: float) -> float:
    try:
        seconds = float(header or "nan") / 1000
    except ValueError:
        seconds = default
    return max(0.0, min(seconds if seconds == seconds else default, longest))


def _local(request: web.Request) -> bool:
    """Whether the other end is a unix socket or on loopback, and speaks for itself."""
    if any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "Via")):  # a proxy's words
        return False
    peer = request.transport.get_extra_info("peername") if request.transport else None
    if not peer:
        return request.transport is not None
    try:
        return ipaddress.ip_address(peer[0]).is_loopback
    except ValueError:
        return False
