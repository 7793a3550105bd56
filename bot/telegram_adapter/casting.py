"""``/characters``: the names that people proposed, and what the group's moderators make of them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from telegram import ForceReply, Message

from bot.desk.desk import Desk
from bot.desk.types import Person, Refused
from bot.ids import CastSlot, mark
from bot.telegram_adapter.asking import place_of
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.marks import Mark
from bot.telegram_adapter.moderators import Moderators, group_of, home_of
from bot.telegram_adapter.review_boards import (
    cast_page,
    character_page,
    merge_sure,
    merging_page,
    ordered,
    remove_sure,
)
from bot.telegram_adapter.toasts import Alert
from bot.telegram_adapter.voices import Speaker
from bot.wording import refusal
from bot.wording_review import Named
from bot.words import Words
from corrections.review.types import CharacterCount, Moderator
from corrections.types import Address

_HAN = re.compile(r"[\u3400-\u9fff]")
_BETWEEN = re.compile(r"[/／\n]")


@dataclass(frozen=True, slots=True)
class _Cast:
    """The characters of a group, as a moderator sees them."""

    moderator: Moderator
    everybody: Sequence[CharacterCount]
    named: Named
    w: Words

    def find(self, text: str) -> CharacterCount | None:
        """By slug or by its mark, whichever a button has room for."""
        return next((each for each in self.everybody if text in (each.slug, mark(each.slug))), None)


class Casting:
    """Shows the characters in pages, and does what is pressed below them."""

    def __init__(self, desk: Desk, speaker: Speaker, moderators: Moderators, background: Background) -> None:
        self._desk = desk
        self._speaker = speaker
        self._moderators = moderators
        self._background = background

    async def open(self, moderator: Moderator, place: Address, w: Words) -> None:
        """The list, below what somebody wrote."""
        cast = await self._cast(moderator, w)
        if isinstance(cast, Refused):
            await self._speaker.say(place, html.escape(refusal(cast, w)))
            return
        text, board = cast_page(0, cast.everybody, cast.named, w)
        await self._speaker.say(place, self._mark(moderator) + text, board)

    async def press(
        self, message: Message, about: Mark, page: int, slot: CastSlot, who: Person, w: Words
    ) -> str:
        """A button below the list; what the person reads at once.

        Raises:
            telegram.error.TelegramError: Telegram does not say whether they may.
        """
        moderator = await self._moderators.let_in(who, about.group, "characters")
        if isinstance(moderator, Refused):
            return Alert(refusal(moderator, w))
        cast = await self._cast(moderator, w)
        if isinstance(cast, Refused):
            return refusal(cast, w)
        each, into = cast.find(slot.slug), cast.find(slot.into)
        here = place_of(message)
        match slot.verb:
            case "l" if each is not None:
                self._draw(here, moderator, character_page(page, each, cast.named, w))
                return ""
            case "l":
                self._draw(here, moderator, cast_page(page, cast.everybody, cast.named, w))
                return ""
            case "n" if each is not None or not slot.slug:
                work = self._ask(here, moderator, slot.slug, w)
                self._background.start(work, f"question-{here.message}")
                return ""
            case "d" if each is not None:
                self._draw(here, moderator, remove_sure(each.slug, cast.named, w))
                return ""
            case "m" if each is not None and into is not None:
                self._draw(here, moderator, merge_sure(each.slug, into.slug, cast.named, w))
                return ""
            case "m" if each is not None:
                self._draw(here, moderator, merging_page(page, each, cast.everybody, cast.named, w))
                return ""
        if each is None:
            return w("error-old-button")
        said = await self._change(slot.verb, cast, each, into)
        await self._redraw(here, moderator, page, w)
        return said

    async def _change(self, verb: str, cast: _Cast, each: CharacterCount, into: CharacterCount | None) -> str:
        moderation, w, name = self._desk.moderation, cast.w, cast.named(each.slug)
        match verb:
            case "a":
                outcome = await moderation.accept(cast.moderator, each.slug, each.names)
                return _said(outcome, w("cast-accepted", name=name), w)
            case "r":
                outcome = await moderation.refuse(cast.moderator, each.slug)
                return _said(outcome, w("cast-refused", name=name), w)
            case "x":
                outcome = await moderation.remove(cast.moderator, each.slug)
                return _said(outcome, w("cast-removed", name=name), w)
            case "y" if into is not None:
                outcome = await moderation.merge(cast.moderator, each.slug, into.slug)
                done = w("cast-merged", name=name, second=cast.named(into.slug))
                return _said(outcome, done, w)
        return w("error-old-button")

    # -- names that are typed

    async def _ask(self, place: Address, moderator: Moderator, slug: str, w: Words) -> None:
        rest = (place.message, mark(slug)) if slug else (place.message,)
        hidden = Mark("cast", group_of(moderator), rest).html(self._speaker.bot.username)
        field = ForceReply(input_field_placeholder=w("search-placeholder")[:64])
        await self._speaker.say(place, hidden + html.escape(w("telegram-cast-name")), field)

    async def answer(self, message: Message, about: Mark, who: Person, w: Words) -> None:
        """Somebody replied with a name: it is written, or a sentence says why not."""
        place = place_of(message)
        moderator = await self._moderators.let_in(who, about.group, "characters")
        said = (
            refusal(moderator, w)
            if isinstance(moderator, Refused)
            else await self._write(moderator, about.rest, names_in(message.text or ""), w)
        )
        await self._speaker.say(place, html.escape(said))
        if isinstance(moderator, Refused) or not about.rest:
            return
        board = Address(place.platform, place.community, place.channel, about.rest[0])
        self._background.start(self._redraw(board, moderator, 0, w), f"characters-{board.message}")

    async def _write(
        self, moderator: Moderator, rest: tuple[str, ...], names: Mapping[str, str], w: Words
    ) -> str:
        name = next(iter(names.values()), "")
        if not name:
            return w("error-label-empty")
        if len(rest) < 2:
            outcome = await self._desk.moderation.add(moderator, names)
            return _said(outcome, w("cast-added", name=name), w)
        cast = await self._cast(moderator, w)
        if isinstance(cast, Refused):
            return refusal(cast, w)
        each = cast.find(rest[1])
        if each is None:
            return w("error-old-button")
        after = {**each.names, **names}
        outcome = await self._desk.moderation.rename(moderator, each.slug, after, each.aliases)
        return _said(outcome, w("cast-renamed", name=name), w)

    # -- showing

    async def _cast(self, moderator: Moderator, w: Words) -> _Cast | Refused:
        found = await self._desk.moderation.characters(moderator)
        if isinstance(found, Refused):
            return found
        home = home_of(group_of(moderator)).home
        named = await self._desk.moderation.named(home, w.language)
        return _Cast(moderator, ordered(found), named, w)

    async def _redraw(self, place: Address, moderator: Moderator, page: int, w: Words) -> None:
        cast = await self._cast(moderator, w)
        if not isinstance(cast, Refused):
            self._draw(place, moderator, cast_page(page, cast.everybody, cast.named, w))

    def _draw(self, place: Address, moderator: Moderator, shown: tuple[str, object]) -> None:
        text, board = shown
        work = self._speaker.change(place, self._mark(moderator) + text, board)
        self._background.start(work, f"characters-{place.message}")

    def _mark(self, moderator: Moderator) -> str:
        return Mark("of", group_of(moderator)).html(self._speaker.bot.username)


def names_in(text: str) -> dict[str, str]:
    """Names by language: what has Chinese characters is Chinese; several are parted by a slash or a line."""
    found: dict[str, str] = {}
    for each in _BETWEEN.split(text):
        if name := each.strip():
            found.setdefault("zh-CN" if _HAN.search(name) else "en", name)
    return found


def _said(outcome: object, done: str, w: Words) -> str:
    return refusal(outcome, w) if isinstance(outcome, Refused) else done
