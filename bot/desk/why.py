"""*Why?*: what an answer hangs on, and the nearest pictures that people named; ``desk.why``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.desk.limits import RateLimits
from bot.desk.naming import Names
from bot.desk.outcomes import refusal_of
from bot.desk.types import Person, Refused
from corrections.errors import LedgerError
from corrections.ledger import Ledger
from corrections.nearest import NamedPicture, nearest
from corrections.types import Address, PredictionView
from model.errors import DeadlinePassed, ModelError, WorkerBusy
from model.reasons import Explainer
from model.types import Verdict

log = logging.getLogger(__name__)

SECONDS = 45.0
"""How long a worker may take that has answers to give meanwhile."""
SHOWN = 4
"""Pictures that people named which are shown at most."""

View = Callable[[Address, int], Awaitable[PredictionView | Refused]]


@dataclass(frozen=True, slots=True)
class Because:
    """What can be shown of an answer's reasons.

    ``answered`` is who was named (or came closest, when the ``verdict`` was nobody), ``explained`` whose
    probability was looked into: somebody else when the model alone would not have said the same. ``picture``
    is a JPEG with the heat drawn over it, ``sheet`` one of the pictures that people named (None: there are
    none to show), ``nearest`` whom they named there, from left to right, a name or empty for nobody.
    """

    prediction_id: int
    verdict: Verdict
    answered: str
    explained: str
    probability: float
    without: float
    picture: bytes
    nearest: tuple[str, ...] = ()
    sheet: bytes | None = None


class Why:
    """Explains answers, one at a time: answers to people come first, here and in the worker."""

    def __init__(
        self,
        ledger: Ledger,
        names: Names,
        limits: RateLimits,
        explainer: Explainer,
        view: View,
        language: Callable[[Person, Address], Awaitable[str]],
        *,
        discord_training: bool = False,
    ) -> None:
        self._ledger = ledger
        self._names = names
        self._limits = limits
        self._explainer = explainer
        self._view = view
        self._language = language
        self._discord_training = discord_training
        self._under_way = False

    async def explain(
        self,
        person: Person,
        place: Address,
        prediction_id: int,
        may_see: Callable[[str], bool] = lambda channel: True,
    ) -> Because | Refused:
        """Why that was answered, for somebody in the community where it was.

        Args:
            may_see: whether that person may see what is posted in another channel of the community.
        """
        view = await self._view(place, prediction_id)
        if isinstance(view, Refused):
            return view
        if self._under_way:
            return Refused("why-busy")
        if seconds := self._limits.take("person", *person.key):
            return Refused("error-person-limit", {"seconds": seconds})
        self._under_way = True
        try:
            return await self._explained(person, place, view, may_see)
        except (WorkerBusy, DeadlinePassed):
            return Refused("why-busy")
        except ModelError as error:
            return refusal_of(error, 0, {})
        except LedgerError:
            log.exception("an answer could not be explained")
            return Refused("error-ledger")
        finally:
            self._under_way = False

    async def _explained(
        self, person: Person, place: Address, view: PredictionView, may_see: Callable[[str], bool]
    ) -> Because | Refused:
        picture = await self._picture(view)
        if picture is None:
            return Refused("why-erased")
        reason = await self._explainer.why(picture, character=view.character, deadline=SECONDS)
        meanwhile = await self._view(place, view.prediction_id)
        if isinstance(meanwhile, Refused):
            return meanwhile
        if await self._picture(meanwhile) is None:  # erased while it was looked at: it is not shown any more
            return Refused("why-erased")
        named = await self._names.of(view.community, await self._language(person, place))
        slug = (await self._ledger.adopt([reason.character]))[reason.character]
        found, sheet = await self._nearest(view, may_see)
        return Because(
            prediction_id=view.prediction_id,
            verdict=view.verdict,
            answered=named(view.character),
            explained=named(slug),
            probability=reason.probability,
            without=reason.without,
            picture=reason.picture,
            nearest=tuple(", ".join(map(named, each.slugs)) for each in found),
            sheet=sheet,
        )

    async def _picture(self, view: PredictionView) -> bytes | None:
        """The bytes, while the message that they came with stands."""
        return None if view.address is None else await self._ledger.picture(view.blob_sha256)

    async def _nearest(
        self, view: PredictionView, may_see: Callable[[str], bool]
    ) -> tuple[list[NamedPicture], bytes | None]:
        """What people named, and all of it in one picture; nothing where that cannot be."""
        here = view.address.channel if view.address else ""
        found = await nearest(
            self._ledger.work,
            view.prediction_id,
            view.character,
            allow_discord=self._discord_training,
            may_see=lambda channel: channel == here or may_see(channel),
            most=SHOWN,
        )
        kept = [(each, await self._ledger.picture(each.sha256)) for each in found]
        there = [(each, data) for each, data in kept if data is not None]
        if not there:
            return [], None
        try:
            sheet = await self._explainer.sheet([data for _, data in there], deadline=SECONDS)
        except ModelError as error:
            log.warning("the pictures that people named could not be shown: %s", error)
            return [], None
        return [each for each, _ in there], sheet
