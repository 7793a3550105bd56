"""``whosthat models``: versions of the model, which one serves, and changing that while the bot runs.

What is said here is what `model.versions` holds; the running workers look there by themselves
(`model.worker.following`), so that nothing has to be reached but the disk: a bot in a container of its own,
or with a ``/tmp`` of its own, follows as well.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import BotError
from bot.settings import Settings
from bot.words import Words, words
from model.versions import Choice, Versions, write_atomically

Progress = Callable[[str, float], None]

FOLLOW_SECONDS = 300.0
"""How long the running workers may take to load another model."""
REPORTS = "reports"
"""The folder for what the gate said, beside the versions: what is sealed is not added to."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a choice: it serves in so many workers, is only noted (0), or was ``refused``."""

    workers: int
    refused: str = ""
    late: bool = False


def versions_of(settings: Settings) -> Versions:
    """Those in ``data_dir``."""
    return Versions(settings.models_dir, settings.model.use)


def follow(versions: Versions, chosen: Choice, seconds: float = FOLLOW_SECONDS) -> Taken:
    """Wait until the running workers look with a choice, or have gone back."""
    end = time.monotonic() + seconds
    while True:
        now = versions.choice()
        if now.serial != chosen.serial and now.refused == chosen.now:
            return Taken(0, refused=now.why)
        states = versions.workers()
        if now.serial != chosen.serial or all(each.serial == chosen.serial for each in states):
            return Taken(len(states))
        if time.monotonic() > end:
            return Taken(len(states), late=True)
        time.sleep(0.05)


def use(settings: Settings, name: str, progress: Progress) -> list[str]:
    """Check a bundle completely, and let it serve; the lines to print.

    Args:
        name: the id of a version, a folder, ``builtin`` or ``hub:OWNER/NAME``.

    Raises:
        ModelError: it cannot serve; what served goes on.
        BotError: the running worker could not load it.
    """
    versions = versions_of(settings)
    chosen = versions.choose(admit(settings, name, progress))
    return _told(settings, versions, chosen)


def admit(settings: Settings, name: str, progress: Progress) -> str:
    """Check a bundle completely and take it in; what `Versions.choose` takes for it.

    Raises:
        ModelError: it cannot serve.
    """
    from model.checking import check_bundle
    from model.classifier import find_bundle

    versions = versions_of(settings)
    how = {
        "backend": settings.worker.backend,
        "models_dir": settings.models_dir,
        "threads": settings.worker.threads,
    }
    if versions.folder_of(name) is not None:
        check_bundle(versions.use_of(name), progress=progress, **how)  # type: ignore[arg-type]
        return name
    if name in ("builtin", settings.model.use) or name.startswith("hub:"):
        check_bundle(name, progress=progress, **how)  # type: ignore[arg-type]
        return name
    folder = find_bundle(name, models_dir=settings.models_dir)
    check_bundle(str(folder), progress=progress, **how)  # type: ignore[arg-type]
    return versions.add(folder).info.id


def rollback(settings: Settings) -> list[str]:
    """Let serve what served before; the lines to print.

    Raises:
        ModelError: nothing served before.
        BotError: the running worker could not load it.
    """
    versions = versions_of(settings)
    return _told(settings, versions, versions.back())


def _told(settings: Settings, versions: Versions, chosen: Choice) -> list[str]:
    w = words()
    taken = follow(versions, chosen)
    name = _shown(chosen.now)
    if taken.refused:
        raise BotError(w("models-refused", bundle=name, now=_shown(versions.choice().now), why=taken.refused))
    if taken.late:
        raise BotError(w("models-late", bundle=name, seconds=round(FOLLOW_SECONDS)))
    if taken.workers:
        return [w("models-serves", bundle=name)]
    if settings.worker.url:
        return [w("models-elsewhere", bundle=name, url=", ".join(settings.worker.url))]
    return [w("models-noted", bundle=name)]


def listed(settings: Settings) -> list[str]:
    """Every version and what the setting names, with figures and a mark at the one that serves."""
    w, versions = words(), versions_of(settings)
    now = versions.choice()
    names = [*dict.fromkeys([settings.model.use, *versions.names(), now.now, *now.before[::-1]])]
    rows = []
    for name in names:
        folder = _folder(settings, versions, name)
        manifest = _manifest(folder)
        mark = "*" if name == now.now else "<" if name == (now.before or ("",))[-1] else " "
        figures = w("models-no-figures") if not manifest else _figures(manifest, w)
        gone = folder is None and name not in ("builtin", settings.model.use) and not name.startswith("hub:")
        rows.append((mark, _shown(name), w("models-gone") if gone else figures))
    width = max(len(name) for _, name, _ in rows)
    lines = [f"{mark} {name:<{width}}  {figures}" for mark, name, figures in rows]
    lines.append(w("models-legend"))
    if now.refused:
        lines.append(w("models-refused-last", bundle=_shown(now.refused), why=now.why))
    return lines


def shown(settings: Settings, name: str) -> list[str]:
    """A version's card, and what the gate said of it; the lines to print.

    Raises:
        BotError: there is no such version.
    """
    folder = _folder_or_fail(settings, name)
    manifest = _manifest(folder)
    w, lines = words(), []
    card = folder / "README.md"
    if card.is_file():
        lines += card.read_text(encoding="utf-8", errors="replace").splitlines()
    else:
        lines += [
            w("models-no-card"),
            *(f"{key}: {manifest[key]}" for key in ("id", "parent", "licence") if key in manifest),
        ]
    report = _json(settings.models_dir / REPORTS / f"{manifest.get('id', '')}.json")
    if not report:
        return [*lines, "", w("models-no-report")]
    lines += ["", w("models-report-yes" if report.get("promoted") else "models-report-no")]
    for reason in report.get("reasons", []):
        sign = "+" if reason.get("passed") else "-"
        lines.append(f"{sign} {reason.get('check', '')}: {reason.get('sentence', '')}")
    return [*lines, *(f"  {path}" for path in report.get("worse", [])[:20])]


def push(settings: Settings, name: str, to: str, public: bool, progress: Progress) -> list[str]:
    """Upload a version with its card; the lines to print.

    Raises:
        ModelError: it cannot be uploaded; one sentence.
        BotError: there is no such version.
    """
    from model.hub import push as upload

    folder = _folder_or_fail(settings, name)
    return [
        words()("models-pushed", bundle=name, url=upload(folder, to, private=not public, progress=progress))
    ]


def keep_report(settings: Settings, bundle: str, report: Mapping[str, Any]) -> None:
    """Keep what the gate said of a version.

    Raises:
        OSError: the disk does not take it.
    """
    folder = settings.models_dir / REPORTS
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"{bundle}.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def _folder_or_fail(settings: Settings, name: str) -> Path:
    versions = versions_of(settings)
    folder = _folder(settings, versions, name or versions.choice().now)
    if folder is None or not folder.is_dir():
        raise BotError(words()("models-unknown", bundle=_shown(name)))
    return folder


def _folder(settings: Settings, versions: Versions, name: str) -> Path | None:
    """Where a choice lies on the disk, as far as it is there already."""
    if (folder := versions.folder_of(name)) is not None:
        return folder
    if name == "builtin":
        from model.builtin import builtin_id

        place = settings.models_dir / builtin_id()
        return place if place.is_dir() else None
    if name.startswith("hub:"):
        owner = name.removeprefix("hub:").partition("@")[0].replace("/", "--")
        found = sorted((settings.models_dir / "hub" / f"models--{owner}" / "snapshots").glob("*"))
        return found[-1] if found else None
    place = Path(name).expanduser()
    return place if place.is_dir() else None


def _manifest(folder: Path | None) -> Mapping[str, Any]:
    return {} if folder is None else _json(folder / "manifest.json")


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _figures(manifest: Mapping[str, Any], w: Words) -> str:
    """How good it was, by its own manifest, on the part that says most."""
    metrics = manifest.get("metrics") or {}
    for part in ("test", "validation"):
        figures = metrics.get(part) or {}
        right = figures.get("right") or figures.get("accuracy")
        share = right.get("share") if isinstance(right, Mapping) else right
        if isinstance(share, int | float):
            return w("models-figures", part=part, percent=f"{share:.1%}")
    return w("models-no-figures")


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:160]
