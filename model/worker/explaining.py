"""The worker's part of *Why?*: one picture at a time, and never while somebody waits for an answer.

Explaining asks the model some sixty times. Each time it steps back until nobody else is in the house, so that
an answer waits for one run of the model at most; what comes of that is that a busy worker explains nothing
before the deadline, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from model.answering import answer
from model.errors import BundleError, WorkerBusy, WorkerError
from model.explaining import covered, heat_of, windows, without_hottest
from model.heat import draw_heat, draw_sheet
from model.preprocess import Pixels
from model.reasons import SHEET, Reason
from model.worker.engine import Engine
from model.worker.seat import Seat

METHOD = "occlusion"
RETRY_SECONDS = 3.0


class Explaining:
    """Says why; ``with explaining.turn():`` around it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._under_way = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the one picture that is explained; raises WorkerBusy when there is another."""
        if self._under_way:
            raise WorkerBusy(RETRY_SECONDS)
        self._under_way = True
        try:
            yield
        finally:
            self._under_way = False

    async def why(self, picture: bytes, character: str) -> Reason:
        """Explain one picture; cancel it when nobody waits any more.

        Raises:
            ModelError: PictureError, or WorkerError for a fault of ours.
        """
        began = time.perf_counter()
        seat = self._engine.seat
        if seat is None:
            raise WorkerBusy(RETRY_SECONDS)
        with seat:
            how = seat.classifier.preprocess
            decoded = await self._engine.decoders.decode(picture, how)
            look = _Look(self._engine, seat)
            shares = await look.shares(decoded.pixels)
            if character not in shares:
                character = max(shares, key=lambda slug: (shares[slug], slug))
            places = windows()
            without = [
                (await look.shares(pixels))[character] for pixels in covered(decoded.pixels, places, how)
            ]
            heat = heat_of(places, shares[character], without)
            bare = await look.shares(without_hottest(decoded.pixels, heat, how))
        drawn = await self._engine.decoders.call(
            draw_heat, picture, self._engine.decoders.options.limits, how, heat
        )
        self._engine.counters["explained"] += 1
        return Reason(
            character=character,
            probability=shares[character],
            without=bare[character],
            heat=tuple(tuple(round(float(each), 4) for each in row) for row in heat),
            picture=drawn,
            bundle=seat.info.id,
            level=seat.classifier.level,
            method=METHOD,
            milliseconds=(time.perf_counter() - began) * 1000,
        )

    async def sheet(self, pictures: Sequence[bytes]) -> bytes:
        """Small versions of a few pictures side by side, as one JPEG.

        Raises:
            PictureError: one of them is not read, or there is none.
        """
        limits = self._engine.decoders.options.limits
        return await self._engine.decoders.call(draw_sheet, tuple(pictures[:SHEET]), limits)


class _Look:
    """The model behind everybody who waits for an answer."""

    def __init__(self, engine: Engine, seat: Seat) -> None:
        self._engine = engine
        self._seat = seat

    async def shares(self, pixels: Pixels) -> dict[str, float]:
        """The probability of each character of the bundle."""
        await self._engine.admission.alone()
        logits, _ = await self._seat.look(pixels, lambda: True)
        try:
            said = answer(logits.tolist(), self._seat.info)
        except BundleError as error:
            raise WorkerError(str(error)) from error
        return {each.character: each.probability for each in said.ranked}
