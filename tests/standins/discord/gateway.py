"""The gateway: sessions with sequence numbers and a replay buffer, over connections that can be cut."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import discord
from aiohttp import WSMsgType, web
from simcord import intents as sim_intents
from simcord.backend import serializers

from .connection import Connection, Connections, Session
from .waiting import Changes
from .wire import packer
from .world import World

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME = 0, 1, 2, 3, 4, 6
RECONNECT, MEMBERS, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 7, 8, 9, 10, 11
GUILD_ITSELF = ("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE")
SESSIONS_KEPT = 8
IDENTIFY_SECONDS = 4.9  # between two of a bucket; Discord says 5


class Gateway:
    """Sends the world's events to whoever identified, as far as their intents allow."""

    def __init__(
        self, world: World, changes: Changes, *, token: str, allowed: discord.Intents, interval_ms: int
    ) -> None:
        self.url = ""
        self.resume_url = ""
        """What READY names for resuming, if that is not ``url``."""
        self.connections = Connections()
        self.refusing = False
        self.live: set[Connection] = set()
        self._world = world
        self._changes = changes
        self._token = token
        self._allowed = allowed
        self._interval_ms = interval_ms
        self._sessions: dict[str, Session] = {}
        self._identified: dict[int, float] = {}  # when, in which bucket
        world.subscribers.append(self.emit)

    # -- events out

    def emit(self, event: str, payload: Mapping[str, Any]) -> None:
        for session in self._sessions.values():
            self._emit_to(session, event, payload)

    def _emit_to(self, session: Session, event: str, payload: Mapping[str, Any]) -> None:
        intent = sim_intents.required_intent(event, payload)
        if intent is not None and not getattr(session.intents, intent):
            return
        if not self._on_shard(session, event, payload):
            return
        shaped = deepcopy(dict(payload))
        self._withhold_content(session, event, shaped)
        if event == "GUILD_CREATE":
            sim_intents.prune_guild_create(shaped, session.intents, self._world.bot_user.id)
        session.seq += 1
        text = json.dumps({"op": DISPATCH, "t": event, "s": session.seq, "d": shaped})
        session.events.append((session.seq, text))
        if session.connection is not None:
            session.connection.send(text)

    @staticmethod
    def _on_shard(session: Session, event: str, payload: Mapping[str, Any]) -> bool:
        index, count = session.shard
        guild_id = payload.get("id" if event in GUILD_ITSELF else "guild_id")
        if event in ("READY", "RESUMED"):
            return True
        return (int(guild_id) >> 22) % count == index if guild_id is not None else index == 0

    def _withhold_content(self, session: Session, event: str, payload: dict[str, Any]) -> None:
        """Empty what needs the message-content intent, except in own messages, DMs, mentions and targets."""
        if session.intents.message_content:
            return
        bot_id = self._world.bot_user.id
        if event in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
            sim_intents.censor_message(payload, bot_id, backend=self._world)
        elif event == "INTERACTION_CREATE":
            if isinstance(payload.get("message"), dict):
                sim_intents.censor_message(payload["message"], bot_id, backend=self._world, exempt_root=True)
            data = payload.get("data") or {}
            for message_id, message in ((data.get("resolved") or {}).get("messages") or {}).items():
                target = str(data.get("target_id")) == str(message_id)
                sim_intents.censor_message(message, bot_id, backend=self._world, exempt_root=target)

    async def round_trip(self) -> None:
        """Return when every live bot has read all events sent so far."""
        live = [c for c in self.live if c.session is not None]
        await asyncio.gather(*(c.round_trip() for c in live))

    # -- connections in

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.refusing:
            self.connections.refused += 1
            return web.Response(status=503, text="upstream connect error")
        ws = web.WebSocketResponse(autoping=False, max_msg_size=0, compress=False, timeout=1.0)
        await ws.prepare(request)
        transport = request.transport
        connection = Connection(ws, transport, packer(request.query.get("compress")))
        self.live.add(connection)
        self.connections.opened += 1
        writer = asyncio.create_task(connection.write())
        connection.send_op(HELLO, {"heartbeat_interval": self._interval_ms, "_trace": []})
        try:
            await self._listen(connection)
        finally:
            writer.cancel()
            self.live.discard(connection)
            if connection.session is not None and connection.session.connection is connection:
                connection.session.connection = None
            connection.ended()
            code = connection.closed_with or ws.close_code
            if code is not None:
                self.connections.close_codes.append(code)
            self._changes.notify()
        return ws

    async def _listen(self, connection: Connection) -> None:
        ws = connection.ws
        while not ws.closed:
            message = await ws.receive()
            if message.type is WSMsgType.PING:
                await ws.pong(message.data)
            elif message.type is WSMsgType.PONG:
                connection.pong(bytes(message.data))
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                try:
                    frame = json.loads(message.data)
                    code = self._receive(connection, int(frame["op"]), frame.get("d"))
                except (ValueError, KeyError, TypeError):
                    code = 4002
                self._changes.notify()
                if code:
                    await connection.close(code)
            else:
                return

    def _receive(self, connection: Connection, op: int, d: Any) -> int:
        """Take one frame; a number other than 0 is the code to close with."""
        if op == HEARTBEAT:
            self.connections.heartbeats += 1
            connection.send_op(HEARTBEAT_ACK)
            return 0
        if op == IDENTIFY:
            return 4005 if connection.session is not None else self._identify(connection, d)
        if op == RESUME:
            return self._resume(connection, d)
        if connection.session is None:
            return 4003
        if op == PRESENCE:
            self.connections.presence = d
            return 0
        if op == MEMBERS:
            self._chunk(connection.session, d)
            return 0
        return 0 if op == VOICE else 4001

    def _identify(self, connection: Connection, d: dict[str, Any]) -> int:
        if d["token"].removeprefix("Bot ") != self._token:
            return 4004
        asked = discord.Intents()
        asked.value = int(d["intents"])
        self.connections.intents.append(asked)
        if sim_intents.missing_privileged_intents(asked, self._allowed):
            return 4014
        index, count = d.get("shard") or (0, 1)
        if not 0 <= index < count:
            return 4010
        if count < self._world.shards:
            return 4011
        bucket, now = index % self._world.max_concurrency, asyncio.get_running_loop().time()
        if count > 1 and now - self._identified.get(bucket, -IDENTIFY_SECONDS) < IDENTIFY_SECONDS:
            connection.send_op(INVALID_SESSION, False)
            return 0
        self._identified[bucket] = now
        session = Session(secrets.token_hex(16), asked, (int(index), int(count)), connection=connection)
        connection.session = session
        self.connections.identifies += 1
        world = self._world
        guilds = [g for g in world.guilds.values() if (g.id >> 22) % count == index]
        ready = {
            "v": 10,
            "user": dict(serializers.user_payload(world.bot_user)),
            "guilds": [{"id": str(g.id), "unavailable": True} for g in guilds],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.resume_url or self.url,
            "shard": [index, count],
            "application": {"id": str(world.application_id), "flags": self.application_flags},
            "private_channels": [],
            "relationships": [],
            "presences": [],
        }
        self._emit_to(session, "READY", ready)
        for guild in guilds:
            self._emit_to(session, "GUILD_CREATE", serializers.guild_create_payload(world, guild))
        self._sessions[session.id] = session
        idle = [s for s in self._sessions.values() if s.connection is None]
        for old in idle[: max(0, len(self._sessions) - SESSIONS_KEPT)]:
            del self._sessions[old.id]
        return 0

    def _resume(self, connection: Connection, d: dict[str, Any]) -> int:
        if d["token"].removeprefix("Bot ") != self._token:
            return 4004
        session = self._sessions.get(d["session_id"])
        seq = int(d["seq"] or 0)
        missed = [text for number, text in session.events if number > seq] if session else []
        if session is None or seq > session.seq or len(missed) != session.seq - seq:
            connection.send_op(INVALID_SESSION, False)
            return 0
        if session.connection is not None:
            session.connection.abort()
        session.connection = connection
        connection.session = session
        self.connections.resumes += 1
        for text in missed:
            connection.send(text)
        self._emit_to(session, "RESUMED", {"_trace": []})
        return 0

    def _chunk(self, session: Session, d: dict[str, Any]) -> None:
        """Answer REQUEST_GUILD_MEMBERS in one chunk; only to the session that asked."""
        guild = self._world.guilds[int(d["guild_id"])]
        wanted = d.get("user_ids")
        ids = {int(u) for u in (wanted if isinstance(wanted, list) else [wanted])} if wanted else None
        query = str(d.get("query") or "").lower()
        members = [
            m
            for m in guild.members.values()
            if (ids is None or m.user_id in ids)
            and self._world.users[m.user_id].name.lower().startswith(query)
        ]
        payload = {
            "guild_id": str(guild.id),
            "members": [serializers.member_payload(self._world, guild, m) for m in members],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [str(i) for i in (ids or set()) - {m.user_id for m in members}],
        }
        if d.get("nonce"):
            payload["nonce"] = d["nonce"]
        self._emit_to(session, "GUILD_MEMBERS_CHUNK", payload)

    @property
    def application_flags(self) -> int:
        """GATEWAY_MESSAGE_CONTENT_LIMITED (1 << 19) when the portal's switch is on."""
        return 1 << 19 if self._allowed.message_content else 0

    # -- trouble

    async def drop(self, code: int | None) -> None:
        """End every connection: abruptly without a code, else with a close frame. Sessions stay."""
        for connection in list(self.live):
            if code is None:
                connection.abort()
            else:
                await connection.close(code)

    def ask_to_reconnect(self) -> None:
        for connection in self.live:
            connection.send_op(RECONNECT)

    def invalidate(self, *, resumable: bool) -> None:
        for connection in self.live:
            connection.send_op(INVALID_SESSION, resumable)
        if not resumable:
            self._sessions.clear()

    def forget_sessions(self) -> None:
        """As after a long outage: the next RESUME is refused."""
        for session in list(self._sessions.values()):
            if session.connection is None:
                del self._sessions[session.id]

    async def close(self) -> None:
        for connection in list(self.live):
            await connection.close(1001)
