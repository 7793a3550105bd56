"""The page over the real desk and ledger; only the eyes are a table of answers by colour.

What the eyes answer, for the drawings of `tests.standins.drawings`: red Iron Man and green Hulk for sure,
blue Captain America for sure, orange Iron Man or Spider-Man, grey nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.releases import Releases
from bot.desk.training import Training
from bot.retraining.service import Retraining
from bot.settings import Settings, load
from bot.web.app import WebAdapter
from corrections.export.types import Policy
from corrections.ledger import Ledger
from model.errors import PictureError
from model.near import SIDE, near_key
from model.types import Answer, Eyes, Ranked, Sight, Verdict
from tests.standins.drawings import COLOURS
from tests.standins.ledgers import open_ledger

SECRET = bytes(range(32))
BUNDLE = "table"

TABLE: dict[str, tuple[Verdict, float, tuple[tuple[str, float], ...]]] = {
    "red": (Verdict.SURE, 0.99, (("iron-man", 0.94), ("spider-man", 0.03), ("thor", 0.02))),
    "green": (Verdict.SURE, 0.98, (("hulk", 0.9), ("loki", 0.06), ("thor", 0.02))),
    "blue": (Verdict.SURE, 0.97, (("captain-america", 0.88), ("thor", 0.06), ("hawkeye", 0.03))),
    "purple": (Verdict.SURE, 0.99, (("thanos", 0.95), ("hawkeye", 0.03), ("loki", 0.01))),
    "orange": (Verdict.UNSURE, 0.96, (("iron-man", 0.48), ("spider-man", 0.4), ("thor", 0.08))),
    "grey": (Verdict.NOBODY, 0.2, (("loki", 0.14), ("thor", 0.04), ("iron-man", 0.02))),
}


@dataclass
class TableEyes:
    """`model.types.Eyes` without a model; ``gate`` holds answers back, ``looking`` says that one is due."""

    looked: int = 0
    looking: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def look(
        self, picture: bytes, *, fairness_key: str = "", keep: bool = False, deadline: float | None = None
    ) -> Sight:
        self.looked += 1
        self.looking.set()
        await self.gate.wait()
        if not picture:
            raise PictureError("empty")
        try:
            image = Image.open(io.BytesIO(picture)).convert("RGB")
        except UnidentifiedImageError:
            raise PictureError("not-a-picture") from None
        except OSError:
            raise PictureError("truncated") from None
        mean = np.asarray(image).reshape(-1, 3).mean(axis=0)
        colour = min(COLOURS, key=lambda each: float(np.abs(mean - COLOURS[each]).sum()))
        verdict, known, ranked = TABLE[colour]
        stored = io.BytesIO()
        image.save(stored, "WEBP")
        return Sight(
            answer=Answer(
                verdict, ranked[0][0], ranked[0][1], known, tuple(Ranked(*each) for each in ranked)
            ),
            logits=(),
            embedding=(),
            near_key=near_key(np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))),
            sha256=hashlib.sha256(picture).hexdigest(),
            width=image.width,
            height=image.height,
            bundle=BUNDLE,
            level="reference",
            milliseconds=42.0,
            stored=stored.getvalue() if keep else None,
            stored_format="webp" if keep else "",
        )


async def _serving() -> str:
    return BUNDLE


@dataclass
class Served:
    """A page that is being served."""

    url: str
    eyes: TableEyes
    ledger: Ledger
    settings: Settings
    desk: Desk


@asynccontextmanager
async def page_served(folder: Path, eyes: Eyes | None = None, **variables: str) -> AsyncIterator[Served]:
    """Serve the page on a free port of loopback, its ledger in ``folder``.

    ``eyes`` are others than the table; ``variables`` are settings, as ``web__host="::1"``.
    """
    environ = {"WHOSTHAT_WEB__PORT": "0", "WHOSTHAT_DATA_DIR": str(folder / "data")}
    environ |= {f"WHOSTHAT_{key.upper()}": value for key, value in variables.items()}
    settings = load(environ=environ, folder=folder)
    ledger = await open_ledger(settings)
    try:
        table = TableEyes()
        limits = RateLimits(settings.limits.person_per_minute, settings.limits.community_per_minute)
        desk = Desk(eyes or table, ledger, limits, caps={"mebibytes": 20, "megapixels": 64})
        policy = Policy(True, settings.export.validation, settings.export.test)
        exports = settings.data_dir / "exports"
        desk.moderation.releases = Releases(ledger, exports, policy, settings.export.kept_hours)
        retraining = Retraining(settings, "tests.standins.retraining")
        desk.moderation.training = Training(retraining, _serving)
        async with WebAdapter(desk, settings, SECRET) as web:
            yield Served(web.url, table, ledger, settings, desk)
    finally:
        await ledger.close()
