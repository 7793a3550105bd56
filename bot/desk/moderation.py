"""What moderators do, in the desk's words: see `corrections.review.facade.Review`.

Whether somebody is a moderator of a place is the adapter's business: it has looked at roles and rights before
it asks for `Moderation.moderator`. From there on the ledger sees to it that nobody reaches another community.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote

from bot.desk.naming import Names
from bot.desk.releases import Nothing, Released, Releases
from bot.desk.rights import Rights
from bot.desk.training import Training
from bot.desk.types import Person, Refused
from corrections.errors import (
    BadLabel,
    LedgerError,
    LedgerLocked,
    NotFound,
    SharedCharacter,
    Stale,
    UnknownLabel,
)
from corrections.ledger import Ledger
from corrections.links import Links
from corrections.review.facade import Review
from corrections.review.types import (
    AgreementReport,
    CaseView,
    CharacterCount,
    DecisionView,
    Filter,
    Labels,
    Moderator,
    Progress,
    Stats,
    Verb,
)
from corrections.types import Address, Character, Community

log = logging.getLogger(__name__)

T = TypeVar("T")
ANYTHING = Filter()
LOGIN = "/review/login?token="


class Moderation:
    """The queue, decisions, characters and figures for whoever the adapter let in; ``desk.moderation``."""

    def __init__(self, ledger: Ledger, names: Names, link_minutes: int = 10) -> None:
        self._ledger = ledger
        self._names = names
        self.link_minutes = link_minutes
        self.console = ""
        """Where the page is reached, without a slash at its end; empty while it is not served."""
        self.rights = Rights()
        """Asks the chats again about who was let in a while ago; their adapters register there."""
        self.releases: Releases | None = None
        """The files that exports are handed over in; None where nobody has set a place for them."""
        self.training: Training | None = None
        """Retraining; None where there is no model of one's own to retrain."""

    @property
    def _review(self) -> Review:
        return self._ledger.review

    @property
    def links(self) -> Links:
        """The links that work once, for the page that they lead to."""
        return self._ledger.links

    async def moderator(self, person: Person, place: Address) -> Moderator:
        """Somebody whose rights the adapter has looked at, for the community that they have them in."""
        return Moderator(person.key, await self._ledger.current_community(place.home))

    async def denied(self, person: Person, place: Address, what: str) -> Refused:
        """Somebody without the rights tried ``what``: a polite no, and a line in the log without names."""
        log.warning("%s: %s was refused to somebody who is no moderator there", place.platform, what)
        return Refused("error-not-moderator")

    def trainer(self, moderator: Moderator, what: str) -> Training | Refused:
        """Retraining, for a moderator who may; the others get a polite no, and the log has a line."""
        if self.training is not None and self.training.may(moderator):
            return self.training
        place = moderator.community[0] if moderator.community else "operator"
        log.warning("%s: %s was refused to a moderator who may not retrain", place, what)
        return Refused("retrain-not-allowed")

    async def named(self, community: Community, language: str) -> Callable[[str], str]:
        """From a slug to the name in that language, as it is known in that community."""
        return await self._names.of(community, language)

    async def communities(self, moderator: Moderator) -> list[Community]:
        """Those that the operator may choose from; a community's moderator has nothing to choose."""
        return [] if moderator.community else await self._ledger.reviewed_communities()

    async def console_link(self, moderator: Moderator) -> str | Refused:
        """A link to this moderator's community in the browser, which works once and not for long."""
        if not self.console:
            return Refused("error-no-console")

        async def make() -> str:
            token = await self._ledger.links.make(
                "login", datetime.now(UTC), self.link_minutes, moderator.person, moderator.community
            )
            return f"{self.console}{LOGIN}{quote(token, safe='')}"

        return await _told(make())

    # -- exports -----------------------------------------------------------------------------------

    async def export(
        self, moderator: Moderator, *, character: str = "", since: datetime | None = None
    ) -> Released | Nothing | Refused:
        """What is approved in their community and may leave, as one zip file; see `Releases.export`."""
        if self.releases is None:
            return Refused("error-export-trouble")
        return await self.releases.export(moderator, character=character, since=since)

    async def export_link(self, moderator: Moderator, released: Released) -> str | Refused:
        """A link that fetches that file once, for `Releases.kept_hours`."""
        if self.releases is None:
            return Refused("error-export-trouble")
        return await self.releases.link(moderator, released, self.console)

    async def exported(self, released: Released) -> None:
        """The file was handed over in the chat: it is not needed any more."""
        if self.releases is not None:
            await self.releases.drop(released)

    # -- the queue ---------------------------------------------------------------------------------

    async def next(
        self,
        moderator: Moderator,
        filter: Filter = ANYTHING,  # noqa: A002
        count: int = 1,
        without: Collection[int] = (),
    ) -> list[CaseView] | Refused:
        """The cases most worth a look, for this moderator alone for two minutes; see `Review.next`."""
        return await _told(self._review.next(moderator, filter, count, without=without))

    async def case(self, moderator: Moderator, case_id: int) -> CaseView | Refused:
        """One case of their community."""
        return await _told(self._review.case(moderator, case_id))

    async def picture(
        self, moderator: Moderator, case_id: int, sha256: str
    ) -> tuple[bytes, str] | Refused | None:
        """The bytes of a picture of one of their cases, and their suffix; None when they are gone."""
        return await _told(self._review.picture(moderator, case_id, sha256))

    async def release(self, moderator: Moderator, case_ids: Collection[int]) -> None:
        """Let others have cases; if that cannot be written, they have them in two minutes anyway."""
        await _told(self._review.release(moderator, case_ids))

    async def progress(self, moderator: Moderator) -> Progress | Refused:
        """How far the review is."""
        return await _told(self._review.progress(moderator))

    # -- decisions ---------------------------------------------------------------------------------

    async def decide(
        self,
        moderator: Moderator,
        case_id: int,
        revision: int,
        verb: Verb,
        labels: Labels | None = None,
        together: datetime | None = None,
    ) -> CaseView | Refused:
        """Approve, reject or skip; "error-stale" when the case is another by now. See `Review.decide`.

        Decisions with the same moment ``together`` are undone as one.
        """
        bulk = together is not None
        return await _told(self._review.decide(moderator, case_id, revision, verb, labels, together, bulk))

    async def undo(self, moderator: Moderator) -> CaseView | Refused | None:
        """Take this moderator's latest decision back; None when there is none."""
        return await _told(self._review.undo(moderator))

    async def approve_agreed(
        self,
        moderator: Moderator,
        filter: Filter = ANYTHING,  # noqa: A002
        progress: Callable[[int, int], None] | None = None,
        without: Collection[int] = (),
    ) -> int | Refused:
        """Approve what many agree on, all but ``without``; how many that were."""
        return await _told(self._review.approve_agreed(moderator, filter, progress=progress, without=without))

    # -- figures -----------------------------------------------------------------------------------

    async def history(
        self, moderator: Moderator, limit: int = 50, before: int | None = None
    ) -> list[DecisionView] | Refused:
        """Every decision, the latest first."""
        return await _told(self._review.history(moderator, limit, before))

    async def stats(self, moderator: Moderator) -> Stats | Refused:
        """Progress, characters, and what the bot takes for what."""
        return await _told(self._review.stats(moderator))

    async def agreement(self, moderator: Moderator) -> AgreementReport | Refused:
        """How much people agree, without names."""
        return await _told(self._review.agreement(moderator))

    # -- characters --------------------------------------------------------------------------------

    async def characters(self, moderator: Moderator) -> list[CharacterCount] | Refused:
        """Everybody who can be named there, proposals among them."""
        return await _told(self._review.characters(moderator))

    async def accept(
        self, moderator: Moderator, slug: str, names: Mapping[str, str] | None = None
    ) -> Character | Refused:
        """Make a proposal known."""
        return await _told(self._review.accept(moderator, slug, names or {}))

    async def refuse(self, moderator: Moderator, slug: str) -> Character | Refused:
        """Let a proposal not be a name."""
        return await _told(self._review.refuse(moderator, slug))

    async def remove(self, moderator: Moderator, slug: str) -> Character | Refused:
        """Let a name that was known be none any more; its pictures wait to be decided again."""
        return await _told(self._review.remove(moderator, slug))

    async def rename(
        self,
        moderator: Moderator,
        slug: str,
        names: Mapping[str, str],
        aliases: Iterable[str] | None = None,
    ) -> Character | Refused:
        """Give a character other names."""
        return await _told(self._review.rename(moderator, slug, names, aliases))

    async def merge(self, moderator: Moderator, slug: str, into: str) -> Character | Refused:
        """Let a character be another one."""
        return await _told(self._review.merge(moderator, slug, into))

    async def add(self, moderator: Moderator, names: Mapping[str, str]) -> Character | Refused:
        """A new character."""
        return await _told(self._review.add(moderator, names))


async def _told(doing: Awaitable[T]) -> T | Refused:
    """What the ledger did, or why it did not, as a key of the catalogue."""
    try:
        return await doing
    except Stale:
        return Refused("error-stale")
    except NotFound:
        return Refused("error-not-found")
    except UnknownLabel as error:
        return Refused("error-unknown-label", {"label": error.label[:64]})
    except BadLabel as error:
        return Refused(f"error-label-{error.reason}")
    except SharedCharacter:
        return Refused("error-shared-character")
    except LedgerLocked:
        return Refused("error-ledger")
    except LedgerError:
        log.exception("a moderator's request was not carried out")
        return Refused("error-ledger")
