"""Interactions as Discord sends them when a person clicks, chooses, types or calls a command."""

# ruff: noqa: ASYNC109  every wait takes its deadline as an argument

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simcord import interactions as sim
from simcord.backend import serializers
from simcord.backend.command_access import command_access
from simcord.backend.models import Interaction as Record
from simcord.backend.models import Message
from simcord.components import walk_components
from simcord.enums import AppCommandType, InteractionType, OptionType

from .cdn import Upload
from .selecting import STRING_SELECT, selected
from .snapshots import BUTTON, SELECTS, MessageSnapshot, Modal, Response, snapshot
from .waiting import Changes, StandinTimeout
from .world import World

if TYPE_CHECKING:
    from .people import Channel, User


@dataclass(frozen=True)
class Interaction:
    """One interaction that was sent to the bot (``payload``), and everything it answered."""

    id: int
    user: User
    channel_id: int
    payload: dict[str, Any]
    _record: Record
    _world: World
    _changes: Changes

    async def response(self, timeout: float = 5.0) -> Response:
        """The first answer; raises `StandinTimeout` when none came ("the application did not respond")."""
        return await self._changes.until(
            lambda: self._world.tallies.answers.get(self.id),
            timeout=timeout,
            what="an answer to the interaction",
        )

    async def answered(self, timeout: float = 3.0) -> bool:
        """Whether a first answer came in time."""
        try:
            await self.response(timeout)
        except StandinTimeout:
            return False
        return True

    async def original(self, timeout: float = 10.0) -> MessageSnapshot:
        """The message of the first answer, once it is no longer "thinking"."""

        def finished() -> MessageSnapshot | None:
            answered = self._world.tallies.answers.get(self.id)
            if answered is None or answered.message is None:
                return None
            message = self._world.find_message(answered.message.id)
            if message is None or message.flags & 128:
                return None
            return snapshot(self._world, message)

        return await self._changes.until(finished, timeout=timeout, what="the finished answer")

    async def followups(self, n: int = 1, timeout: float = 10.0) -> list[MessageSnapshot]:
        """At least ``n`` follow-up messages, in the order they were sent."""

        def enough() -> list[MessageSnapshot] | None:
            found = [self._world.find_message(i) for i in self._record.followup_ids]
            there = [snapshot(self._world, m) for m in found if m is not None]
            return there if len(there) >= n else None

        return await self._changes.until(enough, timeout=timeout, what=f"{n} follow-ups")


class Desk:
    """Builds INTERACTION_CREATE payloads and sends them out."""

    def __init__(self, world: World, changes: Changes) -> None:
        self._world = world
        self._changes = changes

    def click(self, user: User, message: Message, wanted: str) -> Interaction:
        buttons = [c for c in walk_components(message.components) if c.get("type") == BUTTON]
        component = _one(buttons, wanted, "button", "custom_id", "label", "emoji")
        return self._component(user, message, component, {})

    def forge(self, user: User, message: Message, custom_id: str) -> Interaction:
        return self._component(user, message, {"custom_id": custom_id, "type": BUTTON}, {})

    def select(self, user: User, message: Message, custom_id: str, values: list[str]) -> Interaction:
        menus = [c for c in walk_components(message.components) if c.get("type") in SELECTS]
        component = _one(menus, custom_id, "select", "custom_id", "placeholder")
        low, high = component.get("min_values", 1), component.get("max_values", 1)
        assert low <= len(values) <= high, f"this select takes {low} to {high} values"
        if component["type"] != STRING_SELECT:
            resolved = selected(self._world, user.id, message.channel_id, component, values)
            return self._component(user, message, component, {"values": values, "resolved": resolved})
        offered = [o["value"] for o in component.get("options") or ()]
        assert set(values) <= set(offered), f"{values} is not offered, only {offered}"
        return self._component(user, message, component, {"values": values})

    def _component(
        self, user: User, message: Message, component: dict[str, Any], extra: dict[str, Any]
    ) -> Interaction:
        assert message.visible_to(user.id), f"{user.name} cannot see this ephemeral message"
        data = {"custom_id": component["custom_id"], "component_type": component["type"], **extra}
        if component.get("id") is not None:
            data["id"] = component["id"]
        return self._send(user, message.channel_id, InteractionType.MESSAGE_COMPONENT, data, source=message)

    def submit(self, user: User, modal: Modal, values: dict[str, str]) -> Interaction:
        opened = self._world.interactions[modal.interaction_id]
        assert opened.user_id == user.id, "only whoever opened a modal can submit it"
        assert opened.modal is not None, "that interaction opened no modal"
        assert not opened.modal_consumed, "that modal was submitted already"
        known = {one.custom_id: one for one in modal.inputs}
        assert set(values) <= set(known), f"inputs {sorted(values)} are not in {sorted(known)}"
        for one in modal.inputs:
            empty = not values.get(one.custom_id, one.value)
            assert not (one.required and empty), f"the modal cannot be sent without {one.custom_id!r}"
        rows = [self._filled(row, values) for row in opened.modal["components"]]
        data = {"custom_id": modal.custom_id, "components": [row for row in rows if row is not None]}
        opened.modal_consumed = True
        source = None
        if opened.source_message_id is not None:
            source = self._world.find_message(opened.source_message_id)
        sent = self._send(user, opened.channel_id, InteractionType.MODAL_SUBMIT, data, source=source)
        self._world.tallies.opened_by[sent.id] = opened.id
        return sent

    def _filled(self, row: dict[str, Any], values: dict[str, str]) -> dict[str, Any] | None:
        """A row of a modal as it is submitted: action rows keep lists, labels one component, texts go."""
        if row.get("component"):
            inner: dict[str, Any] = {"component": self._value(row["component"], values)}
        elif row.get("components"):
            inner = {"components": [self._value(c, values) for c in row["components"]]}
        else:
            return None
        return {"type": row["type"], "id": row.get("id", 0), **inner}

    @staticmethod
    def _value(component: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
        custom_id = component["custom_id"]
        out = {"type": component["type"], "id": component.get("id", 0), "custom_id": custom_id}
        if component["type"] in SELECTS:
            return {**out, "values": [values[custom_id]] if custom_id in values else []}
        value = values.get(custom_id, component.get("value") or "")
        limit = component.get("max_length") or 4000
        assert len(value) <= limit, f"the input {custom_id!r} takes {limit} characters, not {len(value)}"
        return {**out, "value": value}

    def command(self, user: User, channel: Channel, name: str) -> dict[str, Any] | None:
        """The registered chat-input command of this name, as seen in this channel."""
        return self._world.find_command(name, channel.guild_id, AppCommandType.CHAT_INPUT)

    def slash(self, user: User, channel: Channel, path: str, options: dict[str, Any]) -> Interaction:
        root, leaf, nesting = self._leaf(channel, path)
        shown = command_access(self._world, root, user_id=user.id, channel_id=channel.id)
        # Permissions are left out: who manages a server may let anybody have any command.
        assert shown.reason not in ("context", "scope"), f"/{path} is not offered in {channel.name}"
        declared = {o["name"]: o for o in leaf.get("options") or ()}
        missing = [n for n, o in declared.items() if o.get("required") and n not in options]
        assert not missing, f"/{path} cannot be called without {missing}"
        resolved: dict[str, Any] = {}
        built = [self._option(path, declared, n, v, channel, resolved) for n, v in options.items()]
        data = self._command_data(root, sim.nest_options(root, nesting, built))
        if resolved:
            data["resolved"] = resolved
        return self._send(user, channel.id, InteractionType.APPLICATION_COMMAND, data)

    def autocomplete(
        self, user: User, channel: Channel, path: str, option: str, text: str, others: dict[str, Any]
    ) -> Interaction:
        root, leaf, nesting = self._leaf(channel, path)
        declared = {o["name"]: o for o in leaf.get("options") or ()}
        assert declared.get(option, {}).get("autocomplete"), f"{option!r} of /{path} does not complete"
        built = [self._option(path, declared, n, v, channel, {}) for n, v in others.items()]
        built.append({"name": option, "type": declared[option]["type"], "value": text, "focused": True})
        data = self._command_data(root, sim.nest_options(root, nesting, built))
        return self._send(user, channel.id, InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE, data)

    def message_command(self, user: User, channel: Channel, name: str, message: Message) -> Interaction:
        command = self._world.find_command(name, channel.guild_id, AppCommandType.MESSAGE)
        assert command is not None, f"no message command {name!r} is registered"
        assert message.channel_id == channel.id, "the target must be in the channel of the command"
        payload = dict(serializers.message_payload(self._world, message))
        data = {
            "id": command["id"],
            "name": name,
            "type": int(AppCommandType.MESSAGE),
            "target_id": str(message.id),
            "resolved": {"messages": {str(message.id): payload}},
        }
        return self._send(user, channel.id, InteractionType.APPLICATION_COMMAND, data)

    def _leaf(self, channel: Channel, path: str) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        name, *rest = path.split()
        root = self._world.find_command(name, channel.guild_id, AppCommandType.CHAT_INPUT)
        assert root is not None, f"no command /{name} is registered"
        leaf, nesting = sim.walk_to_subcommand(root, rest)
        return root, leaf, nesting

    @staticmethod
    def _command_data(root: dict[str, Any], options: list[dict[str, Any]]) -> dict[str, Any]:
        data = {
            "id": root["id"],
            "name": root["name"],
            "type": int(AppCommandType.CHAT_INPUT),
            "options": options,
        }
        if "guild_id" in root:
            data["guild_id"] = root["guild_id"]
        return data

    def _option(
        self,
        path: str,
        declared: dict[str, Any],
        name: str,
        value: Any,
        channel: Channel,
        resolved: dict[str, Any],
    ) -> dict[str, Any]:
        assert name in declared, f"/{path} has no option {name!r}, only {sorted(declared)}"
        option = declared[name]
        kind = OptionType(option["type"])
        if kind is OptionType.ATTACHMENT:
            upload = value if isinstance(value, Upload) else Upload(*value)
            described = self._world.cdn.store_upload(self._world.snowflake(), channel.id, upload)
            described["ephemeral"] = True
            resolved.setdefault("attachments", {})[described["id"]] = described
            wire: Any = described["id"]
        elif kind is OptionType.USER:
            payload = dict(serializers.user_payload(self._world.get_user(value.id)))
            resolved.setdefault("users", {})[str(value.id)] = payload
            wire = str(value.id)
        else:
            wire = sim.validate_option_value(path, option, value)
        return {"name": name, "type": int(kind), "value": wire}

    def _send(
        self,
        user: User,
        channel_id: int,
        type_: InteractionType,
        data: dict[str, Any],
        *,
        source: Message | None = None,
    ) -> Interaction:
        world = self._world
        guild_id = world.get_channel(channel_id).guild_id
        record, payload = sim.base_payload(
            world, type=int(type_), channel_id=channel_id, guild_id=guild_id, user_id=user.id, data=data
        )
        payload["locale"] = world.tallies.locales.get(user.id, "en-US")
        if guild_id is not None:
            payload["guild_locale"] = world.get_guild(guild_id).preferred_locale
        payload["attachment_size_limit"] = world.upload_limit
        payload["authorizing_integration_owners"] = {"0": str(guild_id or 0)}
        if source is not None:
            payload["message"] = dict(serializers.message_payload(world, source))
            record.source_message_id = source.id
        world.emit("INTERACTION_CREATE", payload)
        return Interaction(record.id, user, channel_id, payload, record, world, self._changes)


def _one(found: list[dict[str, Any]], wanted: str, what: str, *keys: str) -> dict[str, Any]:
    """The one enabled component that ``wanted`` names by any of ``keys``."""

    def names(component: dict[str, Any]) -> list[str]:
        named = [component.get(key) or "" for key in keys]
        return [n.get("name") or "" if isinstance(n, dict) else n for n in named]

    hits = [c for c in found if wanted in names(c)]
    offered = [names(c) for c in found]
    assert len(hits) == 1, f"{len(hits)} {what}s are {wanted!r}; there are {offered}"
    assert not hits[0].get("disabled"), f"the {what} {wanted!r} is disabled"
    assert hits[0].get("custom_id"), f"the {what} {wanted!r} is a link"
    return hits[0]
