"""``/review``: one case at a time, in one message that becomes the next; only in private chats."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from telegram import ForceReply, Message

from bot.desk.desk import Desk
from bot.desk.types import Choice, Person, Refused
from bot.ids import CaseSlot
from bot.telegram_adapter.asking import chat_of, place_of
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.frames import Frame, as_jpeg, show
from bot.telegram_adapter.marks import Mark
from bot.telegram_adapter.moderators import Moderators, group_of, home_of
from bot.telegram_adapter.rendering import plain
from bot.telegram_adapter.review_boards import (
    BACK,
    case_board,
    case_caption,
    found_board,
    labels_mark,
    names_board,
    undo_board,
)
from bot.telegram_adapter.toasts import Alert
from bot.telegram_adapter.voices import Speaker
from bot.wording import refusal
from bot.wording_review import Named, finished_text, likeliest, not_decided, offered, people_in
from bot.words import Words
from corrections.review.types import CaseView, Labels, Moderator, Verb
from corrections.types import Address
from model.types import NOBODY

NAMES = 500
"""Characters that the pages of all names show at most."""
FOUND = 8
"""Characters that a typed name may mean."""


@dataclass(frozen=True, slots=True)
class Desktop:
    """A moderator at work: who, in which frame, in which language."""

    moderator: Moderator
    who: Person
    frame: Frame
    named: Named
    w: Words

    @property
    def home(self) -> Address:
        """The group whose cases these are."""
        return home_of(group_of(self.moderator))


class Reviewing:
    """Shows cases and does what is pressed below them.

    The case and the revision that was seen are in the buttons, the group in a link that nobody sees: a
    restart is no matter, and an old button decides nothing.
    """

    def __init__(self, desk: Desk, speaker: Speaker, moderators: Moderators, background: Background) -> None:
        self._desk = desk
        self._speaker = speaker
        self._moderators = moderators
        self._background = background
        self._chats: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def open(self, moderator: Moderator, who: Person, place: Address, w: Words) -> None:
        """The case that is worth a look first, below what somebody wrote."""
        await self._next(await self._at(moderator, who, Frame(place, below=True), w))

    async def press(
        self, message: Message, about: Mark, case_id: int, slot: CaseSlot, who: Person, w: Words
    ) -> str:
        """A button below a case; what the person reads at once.

        Raises:
            telegram.error.TelegramError: Telegram does not say whether they may.
        """
        moderator = await self._moderators.let_in(who, about.group, "review")
        here = place_of(message)
        if isinstance(moderator, Refused):  # what was shown to an admin goes with the right to see it
            self._background.start(self._speaker.delete(here), f"unseen-{message.message_id}")
            return Alert(refusal(moderator, w))
        if about.kind == "case":  # a name was looked up, which is done with once one is picked
            here = Address(here.platform, here.community, here.channel, about.rest[-1])
        at = await self._at(moderator, who, Frame(here), w)
        said = await self._act(at, case_id, slot)
        if about.kind == "case" and slot.verb == "i":
            self._background.start(self._speaker.delete(place_of(message)), f"unasked-{message.message_id}")
        return said

    async def _at(self, moderator: Moderator, who: Person, frame: Frame, w: Words) -> Desktop:
        home = home_of(group_of(moderator))
        named = await self._desk.moderation.named(home.home, w.language)
        return Desktop(moderator, who, frame, named, w)

    async def _act(self, at: Desktop, case_id: int, slot: CaseSlot) -> str:
        match slot.verb:
            case "a":
                return await self._approve(at, case_id, slot)
            case "i" if slot.what:
                return await self._decide(at, case_id, slot.revision, (slot.what,))
            case "n":
                return await self._decide(at, case_id, slot.revision, ())
            case "r":
                return await self._put_away(at, case_id, slot.revision, "reject", "review-rejected")
            case "s":
                return await self._put_away(at, case_id, slot.revision, "skip", "review-skipped")
            case "u":
                return await self._undo(at)
            case "o" if slot.what:
                return await self._turn(at, case_id, slot.what)
            case "o":
                self._background.start(self._ask(at, case_id, slot.revision), f"question-{case_id}")
                return ""
        return at.w("error-old-button")

    # -- deciding

    async def _approve(self, at: Desktop, case_id: int, slot: CaseSlot) -> str:
        case = await self._desk.moderation.case(at.moderator, case_id)
        if isinstance(case, Refused):
            return self._after(at, case)
        labels = offered(case)
        if case.status == "open" and (labels is None or labels_mark(labels) != slot.what):
            self._later(at, case)  # people voted since it was shown
            return at.w("review-changed")
        return await self._decide(at, case_id, slot.revision, labels or ())

    async def _decide(self, at: Desktop, case_id: int, revision: int, labels: Labels) -> str:
        said = await self._decided(at, case_id, revision, labels)
        self._later(at)
        return said

    async def _decided(self, at: Desktop, case_id: int, revision: int, labels: Labels) -> str:
        decide = self._desk.moderation.decide
        outcome = await decide(at.moderator, case_id, revision, "approve", labels)
        if isinstance(outcome, Refused):
            return not_decided(outcome, at.w)
        return at.w("review-approved", name=people_in(labels, at.named, at.w))

    async def _put_away(self, at: Desktop, case_id: int, revision: int, verb: Verb, key: str) -> str:
        decide = self._desk.moderation.decide
        return self._after(at, await decide(at.moderator, case_id, revision, verb, None), at.w(key))

    async def _undo(self, at: Desktop) -> str:
        outcome = await self._desk.moderation.undo(at.moderator)
        if isinstance(outcome, Refused):
            return self._after(at, outcome)
        if outcome is None:
            return at.w("review-undo-nothing")
        self._later(at, outcome)
        return at.w("review-undone")

    def _after(self, at: Desktop, outcome: CaseView | Refused, said: str = "") -> str:
        """What came of it is read at once; the next case follows, whatever came of it."""
        self._later(at)
        return not_decided(outcome, at.w) if isinstance(outcome, Refused) else said

    # -- showing

    def _later(self, at: Desktop, case: CaseView | None = None, said: str = "") -> None:
        work = self._next(at, said) if case is None else self._show(at, case, said)
        self._background.start(self._alone(at, work), f"case-{at.frame.place.message}")

    async def _alone(self, at: Desktop, work: Coroutine[Any, Any, None]) -> None:
        """One at a time in a chat, so that the last click is what is seen in the end."""
        async with self._chats.setdefault(chat_of(at.frame.place)[0], asyncio.Lock()):
            await work

    async def _next(self, at: Desktop, said: str = "") -> None:
        cases = await self._desk.moderation.next(at.moderator)
        if isinstance(cases, Refused):
            await self._put(at, html.escape(refusal(cases, at.w)))
        elif cases:
            await self._show(at, cases[0], said)
        else:
            progress = await self._desk.moderation.progress(at.moderator)
            done = refusal(progress, at.w) if isinstance(progress, Refused) else finished_text(progress, at.w)
            text = f"{said}\n{done}" if said else done
            await self._put(at, html.escape(text), markup=undo_board(at.w))

    async def _show(self, at: Desktop, case: CaseView, said: str = "") -> None:
        progress = await self._desk.moderation.progress(at.moderator)
        counted = None if isinstance(progress, Refused) else progress
        title = await self._moderators.title(group_of(at.moderator))
        caption = case_caption(title, case, counted, at.named, at.w, said)
        await self._put(at, caption, await self._photo(at, case), case_board(case, at.named, at.w))

    async def _photo(self, at: Desktop, case: CaseView) -> bytes | None:
        there = next((each for each in case.pictures if each.there), None)
        if there is None:
            return None
        got = await self._desk.moderation.picture(at.moderator, case.case_id, there.sha256)
        return None if got is None or isinstance(got, Refused) else await as_jpeg(*got)

    async def _put(self, at: Desktop, text: str, photo: bytes | None = None, markup: object = None) -> None:
        mark = Mark("of", group_of(at.moderator)).html(self._speaker.bot.username)
        await show(self._speaker, at.frame, mark + text, photo, markup)

    # -- names

    async def _turn(self, at: Desktop, case_id: int, page: str) -> str:
        """Show a page of names below the case, or what was there before."""
        case = await self._desk.moderation.case(at.moderator, case_id)
        if isinstance(case, Refused):
            return self._after(at, case)
        if page == BACK or not page.isdecimal():
            board = case_board(case, at.named, at.w)
        else:
            board = names_board(case, int(page), await self._choices(at, case), at.w)
        self._background.start(self._speaker.redraw(at.frame.place, board), f"names-{case_id}")
        return ""

    async def _choices(self, at: Desktop, case: CaseView) -> list[Choice]:
        """The likeliest first, then everybody."""
        first = [each[0] for each in likeliest(case) if len(each) == 1]
        everybody = await self._desk.suggest(at.who, at.home, "", NAMES)
        names = {slug: at.named(slug) for slug in first} | {each.slug: each.name for each in everybody}
        return [Choice(slug, name) for slug, name in names.items() if slug != NOBODY]

    async def _ask(self, at: Desktop, case_id: int, revision: int) -> None:
        rest = (str(case_id), str(revision), at.frame.place.message)
        mark = Mark("case", group_of(at.moderator), rest).html(self._speaker.bot.username)
        field = ForceReply(input_field_placeholder=at.w("search-placeholder")[:64])
        await self._speaker.say(at.frame.place, mark + html.escape(at.w("telegram-who")), field)

    async def answer(self, message: Message, about: Mark, who: Person, w: Words) -> None:
        """Somebody replied with a name: that is who it is, or else whom it may mean, to be clicked."""
        place = place_of(message)
        moderator = await self._moderators.let_in(who, about.group, "review")
        if isinstance(moderator, Refused) or len(about.rest) != 3:
            text = refusal(moderator, w) if isinstance(moderator, Refused) else w("error-old-button")
            await self._speaker.say(place, html.escape(text))
            return
        home = home_of(group_of(moderator))
        result = await self._desk.look_up(who, home, message.text or "", FOUND)
        if isinstance(result, Refused):
            await self._speaker.say(place, html.escape(refusal(result, w)))
            return
        case_id, revision = int(about.rest[0]), int(about.rest[1])
        choices = [each for each in result.choices if each.slug != NOBODY]
        if result.exact and choices:
            frame = Frame(Address(place.platform, place.community, place.channel, about.rest[2]))
            at = await self._at(moderator, who, frame, w)
            self._later(at, said=await self._decided(at, case_id, revision, (choices[0].slug,)))
        else:
            key = "search-which" if choices else "search-none"
            mark = Mark("case", group_of(moderator), about.rest).html(self._speaker.bot.username)
            board = found_board(case_id, revision, choices, w)
            await self._speaker.say(place, mark + w(key, text=plain(result.text)), board)
        if message.reply_to_message is not None:
            question = place_of(message.reply_to_message)
            self._background.start(self._speaker.delete(question), f"unasked-{question.message}")
