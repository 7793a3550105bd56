"""The conversations in the documentation are what the bot says today."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_documented_conversations_are_what_is_said() -> None:
    """If it fails because words were changed on purpose: ``python docs/conversation.py`` writes them anew."""
    spec = importlib.util.spec_from_file_location("conversation", DOCS / "conversation.py")
    assert spec is not None
    assert spec.loader is not None
    conversation = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conversation)
    assert conversation.page() == (DOCS / "conversation.md").read_text(encoding="utf-8")
