"""The catalogue and the code agree: no key is missing, none is left over, every value is given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fluent.runtime import FluentBundle, FluentResource
from fluent.syntax import FluentParser, ast

from bot.words import languages, words
from corrections.errors import BadLabel
from model.errors import PictureError

ROOT = Path(__file__).parents[2]
NAMES = {"name", "names", "last", "second", "said", "text", "who"}
"""Values that are a name or what somebody wrote."""
SOURCES = [*(ROOT / "bot").rglob("*.py"), *(ROOT / "bot").rglob("*.html")]


def catalogue(language: str) -> dict[str, set[str]]:
    """Every key and the values that it wants."""
    tree = FluentParser().parse((ROOT / "bot" / "words" / f"{language}.ftl").read_text(encoding="utf-8"))
    broken = [entry.content for entry in tree.body if isinstance(entry, ast.Junk)]
    assert not broken, broken
    text = {entry.id.name: entry for entry in tree.body if isinstance(entry, ast.Message)}
    return {key: _variables(entry) for key, entry in text.items()}


def _variables(node: object) -> set[str]:
    if isinstance(node, ast.VariableReference):
        return {node.id.name}
    if isinstance(node, ast.BaseNode):
        return set().union(*(_variables(value) for value in vars(node).values()))
    if isinstance(node, list):
        return set().union(*(_variables(value) for value in node))
    return set()


def used() -> set[str]:
    """Keys as they stand in the code, whole or as the beginning of a family."""
    literals = set()
    for source in SOURCES:
        literals |= set(
            re.findall(r"""["']([a-z]+(?:-[a-z]+)*-?)["'{]""", source.read_text(encoding="utf-8"))
        )
    families = {f"error-{reason}" for reason in PictureError.REASONS}
    families |= {f"error-{reason}" for reason in ("busy", "too-late", "worker-gone", "trouble")}
    families |= {f"error-{reason}" for reason in ("link-refused", "link-gone", "link-slow")}
    families |= {f"error-label-{reason}" for reason in BadLabel.REASONS}
    families |= {f"thanks-{how}" for how in ("right", "corrected", "proposed", "changed", "again")}
    return literals | families


def test_every_key_of_the_catalogue_is_used() -> None:
    assert set(catalogue("en")) <= used()


def test_every_family_is_complete() -> None:
    wanted = {key for key in used() if key.startswith(("error-", "thanks-", "run-", "web-", "answer-"))}
    assert {key for key in wanted if not key.endswith("-")} <= set(catalogue("en"))


@pytest.mark.parametrize("language", languages())
def test_every_language_says_everything_with_the_same_values(language: str) -> None:
    assert catalogue(language) == catalogue("en")


@pytest.mark.parametrize("language", languages())
def test_every_sentence_can_be_said(language: str) -> None:
    w = words(language)
    for key, values in catalogue(language).items():
        for number in (1, 2, 7):
            said = w(key, **{name: number if name != "name" else "Loki" for name in values})
            assert said.strip(), key


def test_a_missing_value_is_an_error_and_no_hole_in_a_sentence() -> None:
    with pytest.raises(KeyError):
        words()("answer-sure", name="Loki")
    with pytest.raises(KeyError):
        words()("no-such-key")


def test_percentages_are_never_certain() -> None:
    assert [words().percent(each) for each in (0.0, 0.314, 1.0)] == ["1%", "31%", "99%"]
    assert words("en-GB").language == "en"
    assert words("tlh").language == "en"


@pytest.mark.parametrize(
    "tag", ["zh", "zh-CN", "zh-cn", "zh-Hans", "zh-hans", "zh-hans-cn", "zh-TW", "zh_TW", "zh-Hant-HK"]
)
def test_every_kind_of_chinese_is_answered_in_chinese(tag: str) -> None:
    """Telegram says ``zh-hans``, Discord ``zh-CN`` and ``zh-TW``, browsers whatever they like."""
    assert words(tag).language == "zh-CN"
    assert words(tag)("answer-sure", name="钢铁侠", percent="97%") == "这是钢铁侠，我有 97% 的把握。"


def test_tags_of_strangers_are_not_kept() -> None:
    """A client may say any language it likes, again and again."""
    assert words("tlh-1") is words("tlh-2") is words("")


def test_chinese_is_set_as_chinese_is() -> None:
    """Full-width punctuation next to Chinese, a space between Chinese and Latin words or numbers."""
    han, latin = r"[\u4e00-\u9fff]", r"[A-Za-z0-9]"
    wrong = re.compile(rf"{han}[,;:!?()]|[,;:!?()]{han}|{han}{latin}|{latin}{han}|您")
    w = words("zh-CN")
    for key, values in catalogue("zh-CN").items():
        said = w(key, **{name: 1 if name not in NAMES else "洛基" for name in values})
        assert not wrong.search(said), (key, said)


def test_chinese_is_no_copy_of_english() -> None:
    same = {"percent", *(key for key in catalogue("en") if re.fullmatch(r"discord-[a-z-]+-name", key))}
    for key, values in catalogue("en").items():
        given = dict.fromkeys(values, 1)
        assert key in same or words("zh-CN")(key, **given) != words()(key, **given), key


@pytest.mark.parametrize("language", languages())
def test_messages_that_are_parsed_one_by_one_say_what_the_whole_file_does(language: str) -> None:
    text = (ROOT / "bot" / "words" / f"{language}.ftl").read_text(encoding="utf-8")
    whole, by_itself = FluentBundle([language], use_isolating=False), words(language)
    whole.add_resource(FluentResource(text))
    for key, wanted in catalogue(language).items():
        for value in ("Loki", 1, 2.5):
            values = dict.fromkeys(wanted, value)
            said, errors = whole.format_pattern(whole.get_message(key).value, values)
            assert errors or by_itself(key, **values) == said
