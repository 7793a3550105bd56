"""The Discord adapter's own rules, with real discord.py objects and a real ledger, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands

from bot.desk import types as desk_types
from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.naming import readable
from bot.desk.types import Already, Ask, Identified, Person, Reply, Thanks
from bot.discord_adapter import mine, panel, rendering, reviewing
from bot.discord_adapter.asking import Pictures
from bot.discord_adapter.client import WhosthatClient
from bot.discord_adapter.lately import REMEMBERED, Lately
from bot.discord_adapter.registering import CatalogueTranslator, same, translated
from bot.discord_adapter.rendering import bold
from bot.ids import ButtonId, CaseSlot
from bot.settings import load
from bot.wording_review import case_text, offered
from bot.words import words
from corrections.ledger import Ledger
from corrections.review.types import CasePicture, CaseView, Guess, Opinion
from corrections.types import Address, CommunitySettings
from model.types import Ranked, Verdict
from tests.standins.drawings import drawing
from tests.standins.page import TableEyes

ANN = Person("discord", "7")
PLACE = Address("discord", "10", "20", "30")


class Asked(Exception):
    """The ledger was asked, although nobody posted a picture."""


class NoLedger(Ledger):
    """A ledger that must not be needed."""

    def __init__(self) -> None:
        pass

    def __getattribute__(self, name: str) -> Any:
        raise Asked(name)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[WhosthatClient]:
    settings = load(environ={"WHOSTHAT_DISCORD__AUTO_CHANNELS": "all"}, folder=tmp_path)
    desk = Desk(TableEyes(), NoLedger(), RateLimits(20, 120))
    async with aiohttp.ClientSession() as session:
        pictures = Pictures(session, (), 1 << 20, 10)
        made = WhosthatClient(desk, pictures, settings, message_content=True, on_up=lambda _: None)
        made._connection.user = discord.ClientUser(state=made._connection, data=_user(1))
        yield made
        await made.close()


def _user(number: int, *, bot: bool = False) -> Any:
    return {"id": number, "username": "u", "discriminator": "0", "avatar": None, "bot": bot}


def _message(client: WhosthatClient, **fields: Any) -> discord.Message:
    """A message of now, as the gateway sends one."""
    data: dict[str, Any] = {
        "id": discord.utils.time_snowflake(datetime.now(UTC)),
        "channel_id": 20,
        "guild_id": 10,
        "author": _user(7),
        "content": "",
        "timestamp": datetime.now(UTC).isoformat(),
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "type": 0,
        **fields,
    }
    guild = discord.Guild(data={"id": 10, "name": "Fans"}, state=client._connection)  # type: ignore[typeddict-item]
    client._connection._add_guild(guild)
    channel = client.get_partial_messageable(20, guild_id=10)
    return discord.Message(state=client._connection, channel=channel, data=data)  # type: ignore[arg-type]


PICTURE = {
    "id": 5,
    "filename": "a.png",
    "size": 5,
    "url": "x",
    "proxy_url": "x",
    "content_type": "image/png",
}


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "just words"},
        {"attachments": [{**PICTURE, "content_type": "text/plain"}]},
        {"embeds": [{"type": "image", "url": "https://example.com/a.png"}]},
        {"attachments": [PICTURE], "author": _user(8, bot=True)},
        {"attachments": [PICTURE], "webhook_id": 9},
        {"attachments": [PICTURE], "type": 6},
        {"attachments": [PICTURE], "type": 21},
    ],
    ids=["words", "a text file", "an embed", "a bot", "a webhook", "a pin", "a thread's beginning"],
)
async def test_messages_that_ask_nothing_cost_no_look_into_the_ledger(
    client: WhosthatClient, fields: dict[str, Any]
) -> None:
    await client.on_message(_message(client, **fields))


async def test_a_posted_picture_does_look_into_it(client: WhosthatClient) -> None:
    with pytest.raises(Asked):
        await client.on_message(_message(client, attachments=[PICTURE]))


@pytest.mark.parametrize(
    "event",
    [
        {"emoji": {"id": None, "name": "👍"}},
        {"emoji": {"id": "5", "name": "🔎"}},
        {"emoji": {"id": None, "name": "🔎"}, "user_id": 1},
    ],
    ids=["another sign", "a server's own emoji", "our own"],
)
async def test_other_reactions_cost_nothing(client: WhosthatClient, event: dict[str, Any]) -> None:
    data = {"user_id": 7, "channel_id": 20, "message_id": 30, "burst": False, "type": 0, **event}
    emoji = discord.PartialEmoji(
        name=data["emoji"]["name"], id=int(data["emoji"]["id"]) if data["emoji"]["id"] else None
    )
    await client.on_raw_reaction_add(discord.RawReactionActionEvent(data, emoji, "REACTION_ADD"))  # type: ignore[arg-type]


async def test_commands_are_the_same_however_discord_writes_them(client: WhosthatClient) -> None:
    translator = CatalogueTranslator()
    commands = client._tree.get_commands()
    wanted = [await each.get_translated_payload(client._tree, translator) for each in commands]
    there = [_as_discord_tells(each) for each in wanted]
    assert same(wanted, there)
    assert same(wanted, list(reversed(there)))
    assert not same(wanted, there[1:])
    assert not same(wanted, [*there, {"name": "old", "type": 1}])
    for key in (
        "description",
        "description_localizations",
        "default_member_permissions",
        "contexts",
        "options",
    ):
        changed = [{**each, key: None} for each in there]
        assert not same(wanted, changed), key


def _as_discord_tells(command: dict[str, Any]) -> dict[str, Any]:
    """With everything that Discord adds, in its own order, empty things as it likes."""
    permissions = command["default_member_permissions"]
    told = {
        "id": "1",
        "application_id": "2",
        "version": "3",
        "dm_permission": True,
        "description": "",
        **command,
        "nsfw": False,
        "default_member_permissions": None if permissions is None else str(permissions),
        "contexts": list(reversed(command["contexts"])),
        "options": [
            {key: value for key, value in each.items() if value} for each in command.get("options", ())
        ],
    }
    told["name_localizations"] = told.get("name_localizations") or None
    return told


async def test_moderators_commands_are_for_servers_and_ones_own_for_everywhere(
    client: WhosthatClient,
) -> None:
    translator = CatalogueTranslator()
    commands = [
        await each.get_translated_payload(client._tree, translator) for each in client._tree.get_commands()
    ]
    contexts = {each["name"]: sorted(each["contexts"]) for each in commands}
    for name in ("review", "stats", "characters", "export", "console"):
        assert contexts[name] == [0], name
    for name in ("privacy", "forgetme"):
        assert contexts[name] == [0, 1], name
    # Roles that /setup names need no permission of Discord's, so only /setup itself asks for one.
    asked = {each["name"] for each in commands if each["default_member_permissions"] is not None}
    assert asked == {"setup"}
    (group,) = (each for each in commands if each["name"] == "characters")
    assert [each["name"] for each in group["options"]] == [
        "list",
        "add",
        "accept",
        "refuse",
        "rename",
        "merge",
        "remove",
    ]


async def test_every_kind_of_chinese_reads_chinese_and_others_english() -> None:
    translator, text = CatalogueTranslator(), translated("discord-whois-menu")
    context: Any = app_commands.TranslationContext(app_commands.TranslationContextLocation.other, data=None)
    for locale in discord.Locale:
        said = await translator.translate(text, locale, context)
        assert said == (words("zh-CN")("discord-whois-menu") if locale.value.startswith("zh") else None)
    assert await translator.translate(app_commands.locale_str("x"), discord.Locale.chinese, context) is None


def test_what_was_lately_is_forgotten_in_time_and_number() -> None:
    lately = Lately(60)
    assert lately.first("a")
    assert not lately.first("a")
    for number in range(REMEMBERED):
        lately.first(number)
    assert lately.first("a")
    assert Lately(0).first("b")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(
    "settings",
    [
        CommunitySettings(),
        CommunitySettings(watched=("all",), chatty=True, person_per_minute=7, language="zh-CN"),
        CommunitySettings(watched=tuple(map(str, range(1000, 1500))), moderator_roles=("1", "2")),
        CommunitySettings(watched=("-100:5",)),
    ],
    ids=["nothing", "everything", "five hundred channels", "another platform's"],
)
async def test_whatever_was_chosen_can_be_shown(
    client: WhosthatClient, settings: CommunitySettings, language: str
) -> None:
    guild = discord.Guild(data={"id": 10, "name": "Fans"}, state=client._connection)  # type: ignore[typeddict-item]
    operator, w = panel.Operator(("1",), 20, message_content=False), words(language)
    assert 0 < len(panel.text(settings, operator, guild, w)) <= 2000
    view = panel.controls(settings, operator, guild, w)
    rows = view.to_components()
    assert len(rows) == 5
    assert all(len(each["custom_id"]) <= 64 for row in rows for each in row["components"])
    limits = rows[4]["components"][0]["options"]
    assert [each["value"] for each in limits if each["default"]] == [
        str(settings.person_per_minute or "operator")
    ]


class Somewhere:
    """Says nothing, but has said it somewhere."""

    async def say(self, reply: Reply | Already) -> Address | None:
        self.reply = reply
        return Address("discord", "1" * 19, "2" * 19, "3" * 19)

    async def drop(self) -> None: ...

    async def unsay(self, replies: list[Address]) -> None: ...


async def test_pages_of_long_names_fit_into_a_message(tmp_path: Path) -> None:
    settings = load(environ={"WHOSTHAT_DATA_DIR": str(tmp_path / "data")}, folder=tmp_path)
    ledger = await Ledger.open(settings.database_url, settings.data_dir)
    try:
        desk = Desk(TableEyes(), ledger, RateLimits(1000, 1000))
        text, view = await mine.page(desk, ANN, PLACE, 0, words())
        assert text == "You have not said anything about a picture yet."
        assert not view.children
        for number in range(6):
            voice, address = Somewhere(), replace(PLACE, message=str(10**18 + number))
            ask = Ask(address, ANN, ANN, (partial(_picture, number),), direct=True)
            await desk.answer(ask, voice)
            assert isinstance(voice.reply, Reply)
            prediction_id = voice.reply.identified[0].prediction_id
            name = f"{'Long name ' * 6}{chr(97 + number)}"
            assert isinstance(await desk.propose(ANN, PLACE, prediction_id, name), Thanks)
        text, view = await mine.page(desk, ANN, PLACE, 0, words())
        assert 500 < len(text) <= 2000
        assert text.count("…**") == mine.PAGE
        assert len(view.children) == 6
        older = ButtonId.parse(view.children[-1].custom_id)  # type: ignore[attr-defined]
        assert older is not None
        text, view = await mine.page(desk, ANN, PLACE, older.prediction_id, words())
        assert [each.label for each in view.children] == ["Undo 1", "Newest"]  # type: ignore[attr-defined]
        first, _ = await mine.page(desk, ANN, PLACE, 1, words())  # nothing before the very first
        assert first.count("\n") == mine.PAGE
    finally:
        await ledger.close()


async def _picture(number: int) -> bytes:
    return drawing("red", seed=number)


def _case(**changes: Any) -> CaseView:
    ranked = tuple(Ranked(f"character-{number}-{'x' * 24}", 1 / (number + 2)) for number in range(10))
    guess = Guess(7, ranked[0].character, Verdict.UNSURE, 0.5, 0.9, ranked, "tiny")
    now = datetime.now(UTC)
    case = CaseView(
        case_id=123456789,
        revision=12,
        community=("discord", "10"),
        status="open",
        decided=None,
        pictures=(CasePicture("ab" * 32, 64, 64, True, now),),
        copies=1,
        guess=guess,
        opinions=(),
        voters=0,
        leading=None,
        agreement=0.0,
        agreed=False,
        reason="few",
        may_leave=False,
        taken=False,
        opened_at=now,
        decided_at=None,
    )
    return replace(case, **changes)


LONG = tuple(f"somebody-{number}-{'y' * 27}" for number in range(40))
CASES = {
    "nobody said anything": _case(),
    "the bot has not either": _case(guess=None, pictures=()),
    "people say nobody": _case(leading=(), opinions=(Opinion((), 3, 2.0),), voters=3, agreed=True),
    "several in one picture": _case(leading=LONG[:2], opinions=(Opinion(LONG[:2], 3, 2.0),), voters=3),
    "too many to choose together": _case(leading=LONG[:12], opinions=(Opinion(LONG[:12], 1, 1.0),)),
    "forty opinions": _case(
        leading=(LONG[0],), opinions=tuple(Opinion((each,), 1, 0.1) for each in LONG), voters=40, copies=9
    ),
}


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
async def test_whatever_a_case_is_discord_takes_it(case: CaseView, language: str) -> None:
    w = words(language)
    assert 0 < len(case_text(case, readable, w, bold)) <= 1500
    rows = reviewing.controls(case, readable, w).to_components()
    controls = [each for row in rows for each in row["components"]]
    assert len(rows) <= 5
    assert all(len(row["components"]) <= 5 for row in rows)
    ids = [each["custom_id"] for each in controls]
    assert len(set(ids)) == len(ids)
    for each in ids:
        parsed = ButtonId.parse(each)
        assert parsed is not None
        assert parsed.prediction_id == case.case_id
        slot = CaseSlot.parse(parsed.slot)
        assert slot is not None
        assert slot.revision == case.revision
    assert all(1 <= len(each["label"]) <= 80 for each in controls if each["type"] == 2)
    for select in (each for each in controls if each["type"] == 3):
        assert 1 <= len(select["options"]) <= 25
        assert all(1 <= len(each["label"]) <= 100 for each in select["options"])
        values = [each["value"] for each in select["options"]]
        assert all(1 <= len(each) <= 100 for each in values)
        assert len(set(values)) == len(values)


def test_what_approve_stands_for_is_told_apart() -> None:
    assert reviewing.label_mark(()) != reviewing.label_mark(("loki",))
    assert reviewing.label_mark(("loki",)) != reviewing.label_mark(("loki", "thor"))
    leading = _case(leading=("loki",), voters=1)
    assert offered(leading) == ("loki",)
    assert offered(replace(leading, leading=())) == ()
    assert offered(_case(guess=None)) is None


@pytest.mark.parametrize("pictures", range(1, 11))
def test_the_question_has_room_below_every_answer(pictures: int) -> None:
    ranked = (desk_types.Guess("loki", "Loki", 0.9),)
    answers = [
        Identified(slot, slot + 1, Verdict.SURE, ranked, "tiny", 1.0, may_ask=slot == pictures - 1)
        for slot in range(pictures)
    ]
    rows = rendering.buttons(answers, words()).to_components()
    assert len(rows) <= 5
    assert all(len(row["components"]) <= 5 for row in rows)
    controls = [each for row in rows for each in row["components"]]
    assert [each["custom_id"] for each in controls].count(f"v1:learn:{pictures}:") == 1
    assert controls[-1]["custom_id"] == f"v1:learn:{pictures}:"
    assert controls[-1]["style"] == discord.ButtonStyle.secondary.value
    quiet = rendering.buttons([replace(each, may_ask=False) for each in answers], words())
    assert not any("learn" in str(each) for each in quiet.to_components())
