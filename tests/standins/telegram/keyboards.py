"""Inline keyboards: what Telegram takes and what it refuses."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from .errors import bad_request

DATA_LIMIT = 64
BUTTONS = 100
ACTIONS = (
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
)


def keyboard(markup: Any) -> dict[str, Any] | None:
    """The inline keyboard of a message; None for none, for an empty one and for other kinds of markup.

    Raises:
        ApiError: 400, as Telegram words it.
    """
    if not markup or "inline_keyboard" not in markup:
        return None
    rows = [[_button(button) for button in row] for row in markup["inline_keyboard"] if row]
    if sum(len(row) for row in rows) > BUTTONS:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    return {"inline_keyboard": rows} if rows else None


def _button(button: dict[str, Any]) -> dict[str, Any]:
    if not str(button.get("text") or "").strip():
        raise bad_request("can't parse inline keyboard button: Button text must be non-empty")
    if not any(name in button for name in ACTIONS):
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )
    if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= DATA_LIMIT:
        raise bad_request("BUTTON_DATA_INVALID")
    if "url" in button:
        url = button["url"] if "://" in button["url"] else f"http://{button['url']}"
        if not (urlsplit(url).hostname or "").count(".") and not url.startswith("tg:"):
            raise bad_request(f"inline keyboard button URL '{button['url']}' is invalid: Wrong HTTP URL")
        button = {**button, "url": url}
    return button
