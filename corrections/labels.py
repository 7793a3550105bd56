"""Names as people type them: compared, cleaned, and made into slugs."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from corrections.errors import BadLabel
from model.types import NOBODY

LONGEST_LABEL = 64
"""Characters in the longest name that is taken."""

LONGEST_SLUG = 40  # it travels in a button's id of 64 bytes, beside the prediction's id

_MENTION = re.compile(r"[@＠]|<[#:&a]", re.IGNORECASE)
_LINK = re.compile(
    r"://|\bwww\.|\b[\w-]{2,}\.(?:com|net|org|gg|io|me|ru|cn|xyz|info|link|app|dev|tv)\b", re.IGNORECASE
)
_MARKUP = re.compile(r"[<>/\\`*|~\[\]{}_]|&#?\w+;")
_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}  # control, format (bidi, zero width), private use
_BLANK = "\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5"  # letters and marks that are not seen
_MOST_MARKS = 3  # accents on one letter; more is a pile that runs over other lines

# Names that mean something to a file system (a slug becomes the name of a folder in an export) or to us.
_RESERVED = {NOBODY, "con", "prn", "aux", "nul", "somebody", "unknown"} | {
    f"{port}{n}" for port in ("com", "lpt") for n in range(10)
}


def comparable(text: str) -> str:
    """What is left of a name for comparing: NFKC, case folded, letters, marks and digits only.

    "Spider-Man", "spiderman" and "ＳＰＩＤＥＲ　ＭＡＮ" are the same; so are "ironman" and "Iron Man".
    Longer texts than any name give "".
    """
    if len(text) > 2 * LONGEST_LABEL:
        return ""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LMN" and c not in _BLANK)


def clean_label(text: str) -> str:
    """A name fit for a proposal: NFKC, single spaces.

    Raises:
        BadLabel: its ``reason`` says why the name is not taken.
    """
    if len(text) > 4 * LONGEST_LABEL:  # nobody typed this; spare the looking
        raise BadLabel("too-long")
    label = unicodedata.normalize("NFKC", text.strip())
    if not label:
        raise BadLabel("empty")
    if len(label) > LONGEST_LABEL:
        raise BadLabel("too-long")
    if any(unicodedata.category(c) in _UNSEEN or c in _BLANK for c in text.strip() + label) or _piled(label):
        raise BadLabel("control")
    if _MENTION.search(label):
        raise BadLabel("mention")
    if _LINK.search(label) or _MARKUP.search(label):
        raise BadLabel("markup")
    if not any(unicodedata.category(c)[0] == "L" for c in label):
        raise BadLabel("no-letters")
    return " ".join(label.split())


def _piled(label: str) -> bool:
    run = 0
    for c in unicodedata.normalize("NFD", label):
        run = run + 1 if unicodedata.combining(c) else 0
        if run > _MOST_MARKS:
            return True
    return False


def slug_of(label: str) -> str:
    """A slug for a clean label: lower-case ASCII letters, digits and hyphens, 40 characters at most.

    Latin letters lose their accents. A name that is not Latin, or whose slug would mean something else,
    gets eight digits of its SHA-256 behind it, so that two names seldom share a slug.
    """
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")[:LONGEST_SLUG].strip("-")
    letters = sum(unicodedata.category(c)[0] == "L" for c in label)
    lossless = 2 * sum(c.isalpha() for c in slug) > letters and slug not in _RESERVED
    return slug if lossless else with_suffix(slug or "character", label)


def with_suffix(slug: str, seed: str) -> str:
    """The slug with eight hexadecimal digits that depend on ``seed``."""
    digits = hashlib.sha256(seed.encode()).hexdigest()[:8]
    return f"{slug[: LONGEST_SLUG - 9].strip('-')}-{digits}"


def language_of(label: str) -> str:
    """The language that a proposed name is filed under: zh-CN when it has a Chinese character, else en."""
    return "zh-CN" if any("CJK UNIFIED" in unicodedata.name(c, "") for c in label) else "en"
