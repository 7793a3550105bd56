"""What a test sees of a message or an answer: frozen copies that later changes do not touch."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

from simcord.backend.models import AllowedMentions, Message
from simcord.components import walk_components

from .world import World

BUTTON, TEXT_INPUT, TEXT_DISPLAY = 2, 4, 10
SELECTS = (3, 5, 6, 7, 8)
KINDS = {
    4: "message",
    5: "deferred",
    6: "deferred_update",
    7: "update",
    8: "autocomplete",
    9: "modal",
}


@dataclass(frozen=True)
class Button:
    custom_id: str
    label: str
    style: int
    emoji: str
    disabled: bool
    url: str


@dataclass(frozen=True)
class Option:
    label: str
    value: str
    description: str
    default: bool


@dataclass(frozen=True)
class Select:
    custom_id: str
    placeholder: str
    options: tuple[Option, ...]
    disabled: bool
    type: int


@dataclass(frozen=True)
class AttachmentSnapshot:
    id: int
    filename: str
    size: int
    content_type: str
    url: str


@dataclass(frozen=True)
class MessageSnapshot:
    """A message as it stood. ``reference`` is the id of the message it answers; ``edits`` counts all edits.

    ``pings`` are the user and role ids (and "everyone") that it would have notified.
    """

    id: int
    channel_id: int
    author_id: int
    content: str
    embeds: tuple[dict[str, Any], ...]
    attachments: tuple[AttachmentSnapshot, ...]
    buttons: tuple[Button, ...]
    selects: tuple[Select, ...]
    texts: tuple[str, ...]
    reference: int | None
    allowed_mentions: AllowedMentions
    pings: tuple[int | str, ...]
    reactions: tuple[str, ...]
    edits: int
    flags: int
    timestamp: str

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & 64)

    @property
    def loading(self) -> bool:
        """A deferred answer that is still "thinking"."""
        return bool(self.flags & 128)

    @property
    def text(self) -> str:
        """Everything that can be read in it: content, text displays and embeds."""
        parts = [self.content, *self.texts]
        for embed in self.embeds:
            parts += [str(embed.get("title", "")), str(embed.get("description", ""))]
            for one in embed.get("fields", ()):
                parts += [str(one.get("name", "")), str(one.get("value", ""))]
            parts.append(str((embed.get("footer") or {}).get("text", "")))
        return "\n".join(part for part in parts if part)

    def button(self, custom_id_or_label: str) -> Button:
        """The one button with this custom id, label or emoji (or label and emoji)."""
        hits = [b for b in self.buttons if custom_id_or_label in (b.custom_id, b.label, b.emoji)]
        if len(hits) != 1:
            raise AssertionError(f"{len(hits)} buttons are {custom_id_or_label!r} among {self.buttons}")
        return hits[0]


@dataclass(frozen=True)
class ModalInput:
    custom_id: str
    type: int
    label: str
    placeholder: str
    value: str
    required: bool
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Modal:
    custom_id: str
    title: str
    inputs: tuple[ModalInput, ...]
    interaction_id: int


class Choice(NamedTuple):
    """One offer of an autocompletion."""

    name: str
    value: str | int | float


@dataclass(frozen=True)
class Response:
    """The bot's first answer to an interaction; ``type`` is Discord's number, ``kind`` its name."""

    type: int
    kind: str
    ephemeral: bool
    message: MessageSnapshot | None
    modal: Modal | None
    choices: tuple[Choice, ...]


def snapshot(world: World, message: Message) -> MessageSnapshot:
    components = list(walk_components(message.components))
    reference = message.reference or {}
    pings: list[int | str] = [*message.ping_user_ids, *message.ping_role_ids]
    return MessageSnapshot(
        id=message.id,
        channel_id=message.channel_id,
        author_id=message.author_id,
        content=message.content,
        embeds=tuple(deepcopy(message.embeds)),
        attachments=tuple(
            AttachmentSnapshot(int(a["id"]), a["filename"], a["size"], a.get("content_type", ""), a["url"])
            for a in message.attachments
        ),
        buttons=tuple(
            Button(
                custom_id=c.get("custom_id", ""),
                label=c.get("label") or "",
                style=c.get("style", 0),
                emoji=(c.get("emoji") or {}).get("name") or "",
                disabled=bool(c.get("disabled")),
                url=c.get("url") or "",
            )
            for c in components
            if c.get("type") == BUTTON
        ),
        selects=tuple(
            Select(
                c["custom_id"], c.get("placeholder") or "", _options(c), bool(c.get("disabled")), c["type"]
            )
            for c in components
            if c.get("type") in SELECTS
        ),
        texts=tuple(str(c.get("content", "")) for c in components if c.get("type") == TEXT_DISPLAY),
        reference=int(reference["message_id"]) if "message_id" in reference else None,
        allowed_mentions=message.allowed_mentions,
        pings=(*pings, "everyone") if message.mention_everyone else tuple(pings),
        reactions=tuple(r.emoji for r in message.reactions if r.user_ids),
        edits=world.tallies.edits.get(message.id, 0),
        flags=message.flags,
        timestamp=message.timestamp,
    )


def response(world: World, interaction: dict[str, Any], said: dict[str, Any]) -> Response:
    """From the bot's callback (``said``) and what the callback answered about the interaction."""
    type_, data = int(said["type"]), said.get("data") or {}
    message = world.find_message(int(interaction.get("response_message_id") or 0))
    return Response(
        type=type_,
        kind=KINDS.get(type_, str(type_)),
        ephemeral=bool(interaction.get("response_message_ephemeral")),
        message=None if message is None else snapshot(world, message),
        modal=_modal(int(interaction["id"]), data) if type_ == 9 else None,
        choices=tuple(Choice(c["name"], c["value"]) for c in data.get("choices") or ()) if type_ == 8 else (),
    )


def _options(component: dict[str, Any]) -> tuple[Option, ...]:
    return tuple(
        Option(o["label"], o["value"], o.get("description") or "", bool(o.get("default")))
        for o in component.get("options") or ()
    )


def _modal(interaction_id: int, data: dict[str, Any]) -> Modal:
    inputs = []
    for row in data.get("components") or ():
        # an action row holds its inputs in a list; a label names the one it holds
        inner = [row["component"]] if row.get("component") else row.get("components") or []
        for c in inner:
            inputs.append(
                ModalInput(
                    custom_id=c["custom_id"],
                    type=c["type"],
                    label=row.get("label") or c.get("label") or "",
                    placeholder=c.get("placeholder") or "",
                    value=c.get("value") or "",
                    required=bool(c.get("required", True)),
                    options=_options(c),
                )
            )
    return Modal(data["custom_id"], data.get("title", ""), tuple(inputs), interaction_id)
