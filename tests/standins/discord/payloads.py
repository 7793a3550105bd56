"""Makes simcord's payloads whole: fields that Discord always sends, and none that it never sends as null."""

from __future__ import annotations

from typing import Any

from simcord.backend.models import Interaction

USER_ONLY_OWN = ("verified", "mfa_enabled", "locale")  # Discord tells these only to the account itself
BUTTON = 2
REPLY = 0


def complete(value: Any) -> Any:
    """A copy of ``value`` with every user, message and component in it as Discord would send it."""
    if isinstance(value, list | tuple):
        return [complete(item) for item in value]
    if not isinstance(value, dict):
        return value
    out = {key: complete(item) for key, item in value.items()}
    if "discriminator" in out and "username" in out:
        out.setdefault("primary_guild", None)
        out.setdefault("avatar_decoration_data", None)
        out.setdefault("collectibles", None)
        for key in USER_ONLY_OWN:
            out.pop(key, None)
    if "author" in out and out.get("nonce", "") is None:
        del out["nonce"]
    reference = out.get("message_reference")
    if "author" in out and reference and reference.get("type", 0) == REPLY:
        out.setdefault("referenced_message", None)  # it was deleted
    if out.get("type") == BUTTON and isinstance(out.get("emoji"), dict) and out["emoji"].get("id") is None:
        out["emoji"].pop("id", None)
    for each in out.get("default_values") or ():
        each["id"] = str(each["id"])
    if "recipients" in out or ("permission_overwrites" in out and "parent_id" in out):
        out.setdefault("flags", 0)
    if "joined_at" in out and "roles" in out:
        out.setdefault("banner", None)
    if "verification_level" in out and "owner_id" in out:
        out = {**SERVER, **out}
    return out


SERVER: dict[str, Any] = {
    "home_header": None,
    "incidents_data": None,
    "max_stage_video_channel_users": 50,
    "max_video_channel_users": 25,
    "nsfw": False,
    "nsfw_level": 0,
    "region": "",
    "safety_alerts_channel_id": None,
    "widget_channel_id": None,
    "widget_enabled": False,
}
"""What a server says of itself beside what simcord knows."""


def own_account(user: dict[str, Any]) -> dict[str, Any]:
    """The answer to ``/users/@me``."""
    return {**user, "verified": True, "mfa_enabled": False, "locale": "en-US", "email": None}


def command(registered: dict[str, Any]) -> dict[str, Any]:
    """A registered command as the sync endpoints answer it."""
    out = {**registered, "version": registered["id"], "nsfw": bool(registered.get("nsfw"))}
    if out.get("integration_types") is None:
        out["integration_types"] = [0]
    if out.get("default_member_permissions") is not None:
        out["default_member_permissions"] = str(out["default_member_permissions"])
    return out


def application(described: dict[str, Any], *, flags: int, guilds: int) -> dict[str, Any]:
    """The answer to ``/applications/@me``."""
    return {
        **described,
        "flags": flags,
        "flags_new": str(flags),
        "type": None,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "approximate_guild_count": guilds,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "eligible_oauth2_scopes": [],
    }


def interaction_metadata(
    metadata: dict[str, Any], record: Interaction, opened_by: Interaction | None
) -> dict[str, Any]:
    """What an answer tells of its interaction; ``opened_by`` is the interaction that showed the modal."""
    out = dict(metadata)
    if record.type == 3 and record.source_message_id is not None:
        out["interacted_message_id"] = str(record.source_message_id)
    if record.type == 5 and opened_by is not None:
        trigger = {**metadata, "id": str(opened_by.id), "type": opened_by.type}
        out["triggering_interaction_metadata"] = interaction_metadata(trigger, opened_by, None)
    return out
