"""Links that work once: to sign in to the moderators' console, or to fetch an export.

Of a token the ledger keeps the SHA-256 alone, so whoever reads the database or a backup of it can open
nothing. The token also carries whose it is (the ledger itself knows people by their keys only); since the
hash covers the whole token, nobody can write another name into one.

The row of a login outlives its redemption: it is the session. Signing out, or forgetting the person,
removes it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import people
from corrections.opening import Parts
from corrections.tables import CommunityRow, LinkRow
from corrections.types import Community, Person

Kind = Literal["login", "download"]

TOKEN_BYTES = 32
LONGEST_TOKEN = 400
KEPT = timedelta(days=31)
"""How long a row is kept after its link has expired: no session lasts longer (``review.session_hours``)."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}(?:\.([A-Za-z0-9_-]+))?")


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is for. ``person`` None: the operator at the terminal; ``community`` None: all of them.

    ``session`` names the link without being able to open it; see `Links.alive`.
    """

    person: Person | None
    community: Community | None
    subject: str | None
    session: str


class Links:
    """The links of one ledger."""

    def __init__(self, parts: Parts) -> None:
        self._work = parts.work
        self._names = parts.names

    async def make(
        self,
        kind: Kind,
        at: datetime,
        minutes: float,
        person: Person | None = None,
        community: Community | None = None,
        subject: str | None = None,
    ) -> str:
        """A new link's token.

        Args:
            kind: what it opens.
            at: now, with a time zone.
            minutes: how long it may be redeemed.
            person: whose it is; None for the operator at the terminal.
            community: the only one that it opens; None for all.
            subject: what it is about, such as an export's name; 256 characters at most.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        if person is not None:
            token += "." + base64.urlsafe_b64encode(":".join(person).encode()).decode().rstrip("=")
        if len(token) > LONGEST_TOKEN:
            raise ValueError("nobody's id is as long as that")
        key = None if person is None else self._names.person(person)

        async def work(session: AsyncSession) -> None:
            await session.execute(delete(LinkRow).where(LinkRow.expires_at < at - KEPT))
            session.add(
                LinkRow(
                    kind=kind,
                    token_sha256=_digest(token),
                    person_id=None if key is None else await people.person_id(session, key, at),
                    community_id=community and await people.community_id(session, community, at),
                    subject=subject,
                    created_at=at,
                    expires_at=at + timedelta(minutes=minutes),
                )
            )

        await self._work.write(work)
        return token

    async def peek(self, kind: Kind, token: str, at: datetime) -> Link | None:
        """What a link would open, without using it up; None when it opens nothing (any more)."""
        if not _well_formed(token):
            return None
        async with self._work.read() as session:
            return await self._find(session, kind, token, at)

    async def redeem(self, kind: Kind, token: str, at: datetime) -> Link | None:
        """Use a link up. None when there is no such link, it has expired, or somebody was faster."""
        if not _well_formed(token):
            return None

        async def work(session: AsyncSession) -> Link | None:
            found = await self._find(session, kind, token, at)
            if found is None:
                return None
            used = await session.execute(
                update(LinkRow)
                .where(LinkRow.token_sha256 == found.session, LinkRow.used_at.is_(None))
                .values(used_at=at)
                .returning(LinkRow.id)
            )
            return None if used.first() is None else found

        return await self._work.write(work)

    async def alive(self, session: str) -> bool:
        """Whether the session that a login began still goes on, as far as the ledger knows."""
        async with self._work.read() as reading:
            begun = select(LinkRow.id).where(
                LinkRow.token_sha256 == session, LinkRow.kind == "login", LinkRow.used_at.is_not(None)
            )
            return await reading.scalar(begun) is not None

    async def end(self, session: str) -> None:
        """Sign out: the session goes on nowhere, whoever kept its cookie. Twice is fine."""
        await self._work.write(
            lambda writing: writing.execute(delete(LinkRow).where(LinkRow.token_sha256 == session))
        )

    async def _find(self, session: AsyncSession, kind: Kind, token: str, at: datetime) -> Link | None:
        found = (
            await session.execute(
                select(LinkRow, CommunityRow)
                .outerjoin(CommunityRow, CommunityRow.id == LinkRow.community_id)
                .where(
                    LinkRow.token_sha256 == _digest(token),
                    LinkRow.kind == kind,
                    LinkRow.used_at.is_(None),
                    LinkRow.expires_at > at,
                )
            )
        ).first()
        if found is None:
            return None
        row, place = found
        community = None if place is None else (place.platform, place.native)
        return Link(_person(token), community, row.subject, row.token_sha256)


def _well_formed(token: str) -> bool:
    return len(token) <= LONGEST_TOKEN and _TOKEN.fullmatch(token) is not None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _person(token: str) -> Person | None:
    _, _, whose = token.partition(".")
    if not whose:
        return None
    platform, _, native = base64.urlsafe_b64decode(whose + "=" * (-len(whose) % 4)).decode().partition(":")
    return platform, native
