"""What a test tells the stand-in to do; see the package."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

SITE = Path(__file__).parent / "site"


class Orders:
    """A folder with orders; ``candidate`` is the bundle that training makes."""

    def __init__(self, folder: Path, candidate: Path) -> None:
        self.folder = folder
        self.candidate = candidate
        folder.mkdir()
        self.give()

    @property
    def environ(self) -> dict[str, str]:
        """What makes a bot of its own process retrain like this."""
        path = os.pathsep.join(filter(None, (str(SITE), os.environ.get("PYTHONPATH"))))
        return {"STANDIN_RETRAINING": str(self.folder), "PYTHONPATH": path}

    def give(self, **orders: Any) -> None:
        """``hold``, ``fail`` or ``die`` with a step, ``promoted``; whatever was ordered before is over."""
        (self.folder / "hold").touch()
        (self.folder / "orders.json").write_text(json.dumps({"candidate": str(self.candidate), **orders}))

    def let_go(self) -> None:
        """Let the step that is held go on."""
        (self.folder / "hold").unlink()

    def began(self, step: str, count: int = 1) -> Callable[[], bool]:
        """Whether a step has begun so often, to be asked again and again."""

        def there() -> bool:
            with suppress(FileNotFoundError):
                lines = (self.folder / "began").read_text().splitlines()
                return [each.split()[0] for each in lines].count(step) >= count
            return False

        return there
