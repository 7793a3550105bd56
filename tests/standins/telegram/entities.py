"""Text as Telegram sees it: what it finds by itself, and what HTML asks for.

Offsets and lengths are in UTF-16 code units, as everywhere in the Bot API.
"""

from __future__ import annotations

import html
import re
from typing import Any

from .errors import ApiError, bad_request

Entity = dict[str, Any]
FOUND = (
    ("bot_command", re.compile(r"(?<![\w/@])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{4,32})?(?![\w/])")),
    ("mention", re.compile(r"(?<![\w@/])@[A-Za-z0-9_]{4,32}\b")),
    ("url", re.compile(r"https?://[^\s<>]+[^\s<>.,;:!?)]")),
    ("hashtag", re.compile(r"(?<![\w&#])#\w*[^\W\d]\w*")),
)
TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
OPEN = re.compile(r"<([a-zA-Z0-9-]*)")
ATTRIBUTE = re.compile(r"""\s*([a-zA-Z0-9-]+)(?:\s*=\s*("[^"]*"|'[^']*'|[a-zA-Z0-9.\-]+))?""")
# the only four names that Telegram decodes; &nbsp; and the rest stay as they are
ESCAPE = re.compile(r"&(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9a-fA-F]{1,6});")


def units(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def part(text: str, entity: Entity) -> str:
    """The piece of ``text`` that an entity is about."""
    raw = text.encode("utf-16-le")
    start = 2 * int(entity["offset"])
    return raw[start : start + 2 * int(entity["length"])].decode("utf-16-le")


def found_in(text: str) -> list[Entity]:
    """Commands, mentions, links and hashtags, as Telegram marks them in everybody's messages."""
    out: list[Entity] = []
    for kind, pattern in FOUND:
        for match in pattern.finditer(text):
            start, length = units(text[: match.start()]), units(match[0])
            if not any(start < e["offset"] + e["length"] and e["offset"] < start + length for e in out):
                out.append({"type": kind, "offset": start, "length": length})
    return sorted(out, key=lambda e: (e["offset"], -e["length"]))


def parsed(text: str, mode: str | None) -> tuple[str, list[Entity]]:
    """What a message of the bot says and how.

    Raises:
        ApiError: 400 "can't parse entities: ..." as Telegram words it.
    """
    if not mode:
        return trimmed(text, [])
    if mode.lower() != "html":
        raise bad_request(f"unsupported parse_mode (the stand-in reads HTML only, not {mode})")
    plain, entities = _from_html(text)
    return trimmed(plain, entities)


def trimmed(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Without white space at either end, with what Telegram finds added."""
    lead = units(text) - units(text.lstrip())
    text = text.strip()
    length = units(text)
    kept = []
    for entity in entities:
        start = max(0, entity["offset"] - lead)
        end = min(length, entity["offset"] - lead + entity["length"])
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    closed = [(e["offset"], e["offset"] + e["length"]) for e in kept if e["type"] in CLOSED]
    for extra in found_in(text):
        start, end = extra["offset"], extra["offset"] + extra["length"]
        if not any(start < b and a < end for a, b in closed):
            kept.append(extra)
    return text, sorted(kept, key=lambda e: (e["offset"], -e["length"]))


CLOSED = ("code", "pre", "text_link", "text_mention", "custom_emoji")


def _from_html(text: str) -> tuple[str, list[Entity]]:
    """By the rules of https://core.telegram.org/bots/api#html-style; errors name byte offsets."""
    out, entities = "", []
    stack: list[tuple[str, int, Entity]] = []
    at = 0

    def wrong(what: str) -> ApiError:
        return bad_request(f"can't parse entities: {what}")

    def byte(position: int) -> int:
        return len(text[:position].encode())

    while at < len(text):
        if text[at] == "&" and (escape := ESCAPE.match(text, at)):
            out += html.unescape(escape[0])
            at = escape.end()
        elif text[at] != "<":
            out += text[at]
            at += 1
        elif text.startswith("</", at):
            if not stack:
                raise wrong(f"Unexpected end tag at byte offset {byte(at)}")
            close = text.find(">", at)
            if close < 0:
                raise wrong(f"Unclosed end tag at byte offset {byte(at)}")
            name, start, entity = stack.pop()
            given = text[at + 2 : close].strip().lower()
            if given and given != name:
                raise wrong(
                    f'Unmatched end tag at byte offset {byte(at)}, expected "</{name}>", found "</{given}>"'
                )
            if entity and units(out) > start:
                entities.append({**entity, "offset": start, "length": units(out) - start})
            at = close + 1
        else:
            opened = OPEN.match(text, at)
            assert opened is not None
            name = opened[1].lower()
            if name not in TAGS:
                raise wrong(f'Unsupported start tag "{name}" at byte offset {byte(at)}')
            attributes: dict[str, str] = {}
            end = opened.end()
            while attribute := ATTRIBUTE.match(text, end):
                attributes[attribute[1].lower()] = html.unescape((attribute[2] or "").strip("\"'"))
                end = attribute.end()
            while end < len(text) and text[end].isspace():
                end += 1
            if end >= len(text) or text[end] != ">":
                raise wrong(f"Unclosed start tag at byte offset {byte(at)}")
            if name == "span" and attributes.get("class") != "tg-spoiler":
                raise wrong(f'Tag "span" must have class "tg-spoiler" at byte offset {byte(at)}')
            stack.append((name, units(out), _entity(name, attributes)))
            at = end + 1
    if stack:
        raise wrong(f'Can\'t find end tag corresponding to start tag "{stack[-1][0]}"')
    return out, entities


def _entity(name: str, attributes: dict[str, str]) -> Entity:
    """An entity without its place; empty where the tag makes none."""
    if name == "a":
        url = attributes.get("href", "")
        return {"type": "text_link", "url": url} if "://" in url or url.startswith("tg:") else {}
    if name == "tg-emoji":
        return {"type": "custom_emoji", "custom_emoji_id": attributes.get("emoji-id", "")}
    if name == "blockquote" and "expandable" in attributes:
        return {"type": "expandable_blockquote"}
    return {"type": TAGS[name]}
