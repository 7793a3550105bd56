"""How Chinese names are read, so that any keyboard finds them: 钢铁侠 is "gang tie xia".

pypinyin knows that 长 is *zhang* in 美国队长; its dictionary takes 57 MB and a fifth of a second. So the
readings of the shipped names are shipped too (``pinyin.json``, made by ``python -m corrections.pinyin``), all
readings are kept in the database, and what is new is read by a short-lived process of its own.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

log = logging.getLogger(__name__)

_SECONDS = 30
_FILE = "pinyin.json"


def is_chinese(text: str) -> bool:
    """Whether there is something to be read in it."""
    return any("CJK UNIFIED" in unicodedata.name(c, "") for c in text)


def shipped() -> dict[str, str]:
    """The readings of the names in ``vocabulary.toml``. Blocking."""
    readings: dict[str, str] = json.loads(files("corrections").joinpath(_FILE).read_text(encoding="utf-8"))
    return readings


def read(texts: Iterable[str]) -> dict[str, str]:
    """The readings of these texts, by a process of its own. Blocking, at most half a minute.

    Returns:
        Syllables in lower-case ASCII ("v" for ü) with spaces between them; what could not be read is left
        out, and is found by its own writing only.
    """
    wanted = sorted({text for text in texts if is_chinese(text)})
    if not wanted:
        return {}
    try:
        done = subprocess.run(  # ourselves
            [sys.executable, "-m", "corrections.pinyin", "-"],
            input=json.dumps(wanted).encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        readings: dict[str, str] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        log.warning("%d Chinese names cannot be searched by pinyin for now: %s", len(wanted), error)
        return {}
    return readings


def spellings(reading: str) -> list[str]:
    """How people type a reading: *lv ju ren*, and for want of an ü also *lu ju ren*."""
    return list(dict.fromkeys((reading, reading.replace("v", "u"))))


def _read_here(texts: Iterable[str]) -> dict[str, str]:
    from pypinyin import lazy_pinyin

    readings = {text: " ".join(lazy_pinyin(text, errors="ignore")) for text in texts}
    return {text: reading for text, reading in readings.items() if reading.isascii() and reading}


def _names(vocabulary: Mapping[str, Mapping[str, object]]) -> set[str]:
    texts: set[str] = set()
    for entry in vocabulary.values():
        for value in entry.values():
            texts.update([value] if isinstance(value, str) else value if isinstance(value, list) else [])
    return {text for text in texts if is_chinese(text)}


def _main() -> None:
    """With ``-``: texts in, readings out, as JSON. Without: renew ``pinyin.json``."""
    if sys.argv[1:] == ["-"]:
        json.dump(_read_here(json.load(sys.stdin)), sys.stdout)
        return
    here = Path(__file__).parent
    vocabulary = tomllib.loads((here / "vocabulary.toml").read_text(encoding="utf-8"))
    readings = _read_here(sorted(_names(vocabulary)))
    text = json.dumps(readings, ensure_ascii=False, indent=0)
    (here / _FILE).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    _main()
