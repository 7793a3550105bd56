"""What is drawn and warned of is what a running bot really shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bot.metrics import Metrics
from model.worker.metrics import NAME
from tests.e2e.running import discord_settings, running_bot
from tests.e2e.test_watching import fetched
from tests.standins.discord import DiscordStandin
from tests.standins.drawings import drawing

DEPLOY = Path(__file__).parents[2] / "deploy"
METRIC = re.compile(r"(?<![\w$\"])((?:whosthat|process|python)_\w+|up)(?=[{\[ )]|$)")
SELECTED = re.compile(r"((?:whosthat|process|python)_\w+)\{([^}]*)\}")
FROM_PROMETHEUS = {"up"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
UNITS = {"short", "s", "reqps", "percentunit", "bytes", "none"}


def dashboard() -> dict[str, Any]:
    return dict(json.loads((DEPLOY / "grafana" / "whosthat.json").read_text(encoding="utf-8")))


def panels() -> list[dict[str, Any]]:
    return [each for each in dashboard()["panels"] if each["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])
    yield from (rule["expr"] for rule in rules())


def shown(text: str) -> dict[str, set[str]]:
    """Every name of a sample that there is or can be, and the labels that were seen with it."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(
            family.type, ("",)
        )
        for name in {family.name + suffix for suffix in suffixes} | {each.name for each in family.samples}:
            labels = {label for each in family.samples if each.name == name for label in each.labels}
            found.setdefault(name, set()).update(labels)
    return found


def missing(names: set[str], there: dict[str, set[str]]) -> set[str]:
    return {name for name in names if name not in there} - FROM_PROMETHEUS


async def test_every_figure_that_is_drawn_or_warned_of_is_there(tmp_path: Path, bundle: Path) -> None:
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        async with running_bot(tmp_path, bundle, **discord_settings(discord)) as bot:
            await discord.wait_ready()
            await discord.wait_reply(to=await ann.post(channel, files=[("a.png", drawing("red"))]))
            status, text = await fetched(await bot.url() + "/metrics")
    assert status == 200
    there = shown(text)
    wanted = {name for each in expressions() for name in METRIC.findall(each)}
    assert len(wanted) > 25
    assert missing(wanted, there) == set()
    absent = {"whosthat_posts", "whosthat_worker_queue"}
    assert missing(absent, there) == absent
    for expression in expressions():  # a label that there is not selects nothing, silently
        for name, selected in SELECTED.findall(expression):
            labels = set(re.findall(r"(\w+)=", selected)) - {"job"}
            assert labels <= there[name] or not there[name], (name, labels, there[name])
    # And the other way round: what is counted is drawn, but for what the libraries count of themselves.
    ours = {name.removesuffix("_created") for name in there if name.startswith("whosthat_")}
    base = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in ours}
    drawn = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in wanted}
    undrawn = {name for name in base - drawn if not name.startswith(f"{NAME}_process_")}
    assert undrawn <= UNDRAWN, undrawn - UNDRAWN


UNDRAWN = {
    f"whosthat_{name}"
    for name in (
        "answering", "unsaid", "worker_pictures", "worker_decoded", "worker_explained", "worker_verdicts",
        "worker_inside_bytes", "worker_cache_entries", "worker_cache_bytes", "worker_began_seconds",
        "worker_ready",
    )
}  # fmt: skip
"""To be asked for when one looks for something."""


def test_the_dashboard_is_whole() -> None:
    found = dashboard()
    ids = [each["id"] for each in found["panels"]]
    assert len(ids) == len(set(ids))
    assert {each["name"] for each in found["templating"]["list"]} == {"source", "job"}
    squares: set[tuple[int, int]] = set()
    for panel in found["panels"]:
        place = panel["gridPos"]
        here = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not here & squares, panel["title"]
        squares |= here
    for panel in panels():
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["datasource"]["uid"] == "${source}"
        for target in panel["targets"]:
            assert balanced(target["expr"]), target["expr"]
            assert 'job=~"$job"' in target["expr"]
    assert len({panel["title"] for panel in panels()}) == len(panels())


def test_every_alert_says_what_to_do() -> None:
    assert 4 <= len(rules()) <= 12
    for rule in rules():
        assert balanced(rule["expr"]), rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].endswith(".")
        assert len(rule["annotations"]["description"]) > 20
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def balanced(expression: str) -> bool:
    """Whether brackets close in order."""
    opened: list[str] = []
    for each in re.sub(r'"[^"]*"', "", expression):
        if each in "([{":
            opened.append(each)
        elif each in ")]}" and (not opened or "([{".index(opened.pop()) != ")]}".index(each)):
            return False
    return not opened


@pytest.mark.parametrize("broken", ["sum(rate(a[5m])", "a{b}]", "(a]"])
def test_brackets_that_do_not_close_are_found(broken: str) -> None:
    assert not balanced(broken)


def test_labels_stay_few() -> None:
    metrics = Metrics()
    for number in range(1000):
        metrics.called("discord", number)
        metrics.asked(f"platform-{number}")
        metrics._pictures.labels("discord", "sure", metrics._bounded("bundle", f"bundle-{number}")).inc()
    assert len(metrics.text().splitlines()) < 500
    assert 'bundle="other"' in metrics.text()
    assert 'platform="other"' in metrics.text()
