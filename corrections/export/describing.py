"""What a snapshot says of itself: the manifest's facts, and why pictures were held back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from corrections.errors import NothingToExport
from corrections.export.gather import Gathered
from corrections.export.types import Counts, ExportQuery, Format, Policy
from corrections.types import Community
from corrections.vocabulary import Vocabulary


def facts_of(
    found: Gathered,
    counts: Counts,
    by_character: Mapping[str, Mapping[str, int]],
    query: ExportQuery,
    character: str | None,
    policy: Policy,
    form: Format,
    community: str | None,
    vocabulary: Mapping[str, Any],
) -> dict[str, Any]:
    """All of the manifest but the snapshot's name and its files.

    Args:
        by_character: pictures by slug and split.
        character: the slug that was asked for.
        community: what the community that was asked for is called in the metadata.
    """
    return {
        "made_by": "whosthat",
        "format": form,
        "latest_decision": _iso(found.latest),
        "query": {
            "community": community,
            "since": None if query.since is None else _iso(query.since),
            "character": character,
        },
        "policy": {
            "discord.allow_training": policy.allow_discord,
            "export.validation": policy.validation,
            "export.test": policy.test,
        },
        "counts": {
            "items": counts.items,
            "by_split": dict(counts.by_split),
            "by_character": {slug: dict(splits) for slug, splits in sorted(by_character.items())},
        },
        "held_back": held_back(counts),
        "bundles": sorted(found.bundles - {""}),
        "vocabulary": vocabulary,
    }


def held_back(counts: Counts) -> list[dict[str, Any]]:
    """Why pictures are not in a snapshot, as manifest and data card say it."""
    reasons = (
        ("no consent", counts.held_no_consent, "no consent"),
        ("discord.allow_training", counts.held_discord, "Discord training is off (discord.allow_training)"),
        ("gone", counts.held_gone, "their bytes are not kept any more"),
        ("disputed", counts.held_disputed, "communities decided differently"),
        ("refused", counts.held_refused, "a character of theirs was refused since"),
        ("near a test picture", counts.near_test, "near a test picture"),
    )
    return [
        {"reason": reason, "count": count, "sentence": f"{count} held back: {why}"}
        for reason, count, why in reasons
        if count
    ]


def nothing(counts: Counts) -> NothingToExport:
    """The error that says why nothing is left."""
    why = "; ".join(each["sentence"] for each in held_back(counts))
    return NothingToExport(
        f"there is nothing to export: {why or 'nothing that is approved fits'}", counts.held
    )


def vocabulary_of(vocabulary: Vocabulary, slugs: set[str], community: Community | None) -> Mapping[str, Any]:
    """The names of every known character, and of those that the snapshot shows besides."""
    shared = {each.slug for each in vocabulary.visible(community) if each.status == "known"}
    return {
        slug: dict(sorted(vocabulary.characters[slug].names.items()))
        for slug in sorted(shared | slugs)
        if slug in vocabulary.characters
    }


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
