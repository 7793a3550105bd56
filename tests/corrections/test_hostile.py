"""What means harm: names, votes on what is gone, two at the same instant, a disk without room."""

from __future__ import annotations

import asyncio
import csv
import re
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet  # type: ignore[import-untyped]
import pytest

from bot.desk.moderation import Moderation
from bot.desk.naming import Names
from bot.desk.releases import Nothing, Released, Releases
from bot.desk.types import Refused
from corrections.errors import BadLabel, DiskFull, NotFound, NothingToExport
from corrections.export.types import FORMATS, Format
from corrections.ledger import Ledger
from corrections.review.types import Filter, Moderator
from model.types import NOBODY
from tests.corrections.conftest import Post
from tests.corrections.exporting import ALL, OPEN, OPERATOR, Stage, manifest, rows, sha256_of
from tests.corrections.many import fill
from tests.corrections.raw import everything
from tests.corrections.support import ANNA, BELA, CARO, GUILD, digest, moment

MODERATOR = Moderator(("discord", "9"), GUILD)
SECONDS = 60

# -- names -----------------------------------------------------------------------------------------------

REFUSED = {
    "../../etc": "markup",
    "..\\..\\windows": "markup",
    "C:\\nul": "markup",
    "loki/../../thor": "markup",
    '=HYPERLINK("https://evil.example";"Loki")': "markup",
    "=cmd|' /C calc'!A0": "markup",
    "@SUM(A1:A9)": "mention",
    "x" * 300: "too-long",
    "\N{RACCOON}" * 75: "too-long",  # 300 bytes
    "\N{RACCOON}\N{COLLISION SYMBOL}": "no-letters",
    "..": "no-letters",
    "=1+1": "no-letters",
    "Loki\x00.webp": "control",
    "Loki\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe": "control",
    "Loki\nthor": "control",
    "": "empty",
    "<script>alert(1)</script>": "markup",
    "{{ 7 * 7 }}": "markup",
    "| a | b |": "markup",
}
TAKEN = (
    *("CON", "nul", "COM1", "lpt9", "Prn", "Aux"),
    '=HYPERLINK("evil")',
    *("+SUM(A1)", "-2+3 and cmd", "'quoted", "%s%n%d"),
    *("train", "test", "validation", "several", "manifest.json", "metadata.jsonl", "README.md"),
    "\N{RACCOON} Rocket",
    *("\u963f\u65af\u5854", "\u0645\u0631\u062d\u0628\u0627", "e\u0301lan"),
    "W" * 64,
    "\u6f22" * 64,  # 192 bytes
    "; DROP TABLE characters",
)
"""Names that somebody may well be called: they are taken, and become harmless on their way out."""


@pytest.mark.parametrize(("name", "reason"), REFUSED.items(), ids=lambda each: ascii(each)[:30])
async def test_names_that_nobody_gets(ledger: Ledger, post: Post, url: str, name: str, reason: str) -> None:
    """By no way in: proposed, voted, added, accepted, renamed, decided."""
    done = await post(1)
    proposed = await ledger.propose("Somebody New", ANNA, GUILD, moment())
    before = everything(url)
    ways: list[Any] = [lambda: ledger.propose(name, ANNA, GUILD, moment())]
    if name:
        review = ledger.review
        ways += [
            lambda: review.add(MODERATOR, {"en": name}, moment()),
            lambda: review.accept(MODERATOR, proposed.slug, {"en": name}, moment()),
            lambda: review.rename(OPERATOR, "loki", {"zh-CN": name}, None, moment()),
            lambda: review.rename(OPERATOR, "loki", {}, [name], moment()),
        ]
    for way in ways:
        with pytest.raises(BadLabel) as caught:
            await way()
        assert caught.value.reason == reason
    with pytest.raises(Exception, match=r"^[^\n]*$") as refused:
        await ledger.vote(done.prediction_id, ANNA, frozenset({name}), moment())
    assert type(refused.value).__name__ == "UnknownLabel"
    assert everything(url) == before


async def test_names_that_are_taken_leave_harmlessly_in_every_format(ledger: Ledger, tmp_path: Path) -> None:
    """From the proposal to the file: proposed, voted for, accepted by approving, exported, opened."""
    stage = Stage(ledger)
    labels: dict[str, str] = {}
    for number, name in enumerate(TAKEN):
        person = ("discord", f"{number}")
        proposed = await ledger.propose(name, person, GUILD, moment())
        prediction = await stage.post(name, poster=person)
        await ledger.vote(prediction, person, frozenset({name}), moment())
        await stage.approve(prediction, name)
        await ledger.privacy.allow(prediction, person, moment())
        labels[sha256_of(name)] = proposed.slug
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", proposed.slug) and len(proposed.slug) <= 40
    assert len(set(labels.values())) == len(TAKEN) and NOBODY not in labels.values()
    for form in FORMATS:
        out = tmp_path / form
        await ledger.exports.export(out, ALL, OPEN, form, OPERATOR)
        assert_fit_for_every_file_system(out)
        assert said(out, form) == labels
        names = {slug: entry["en"] for slug, entry in manifest(out)["vocabulary"].items() if "en" in entry}
        assert names[labels[sha256_of("CON")]] == "CON"  # a name is a name where it is one
        card = (out / "README.md").read_text()
        assert not [name for name in TAKEN if not name.isalnum() and f"| {name} |" in card]
    snapshot = await ledger.exports.archive(tmp_path / "all.zip", ALL, OPEN, "csv", OPERATOR)
    assert snapshot.items == len(TAKEN)


def assert_fit_for_every_file_system(out: Path) -> None:
    """Inside the folder; no device, no two names that differ by case alone, plain characters."""
    paths = [each.relative_to(out).as_posix() for each in out.rglob("*")]
    assert len({path.casefold() for path in paths}) == len(paths)
    for path in paths:
        assert len(path) < 200 and (out / path).resolve().is_relative_to(out.resolve())
        for part in path.split("/"):
            assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", part), path
            stem = part.split(".")[0].casefold()
            assert not re.fullmatch(r"con|prn|aux|nul|com[0-9]|lpt[0-9]", stem), path


def said(out: Path, form: Format) -> dict[str, str]:
    """By SHA-256 the label that an export says."""
    if form == "imagefolder":
        return {sha256: row["label"] for sha256, row in rows(out).items()}
    if form == "parquet":
        tables = [parquet.read_table(each) for each in sorted(out.glob("data/*.parquet"))]
        found = [row for table in tables for row in table.select(["sha256", "label"]).to_pylist()]
        return {row["sha256"]: row["label"] for row in found}
    labels: dict[str, str] = {}
    for file in sorted(out.glob("*/metadata.csv")):
        for row in csv.DictReader(file.read_text().splitlines()):
            assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t"))]
            labels[row["sha256"]] = row["label"]
    return labels


async def test_a_name_is_one_name_however_it_is_written(ledger: Ledger, post: Post) -> None:
    """Wide letters, other spacing and case do not make a second character of one."""
    first = await ledger.propose("CON", ANNA, GUILD, moment())
    for same in ("con", "C O N", "\uff23\uff2f\uff2e", " Con "):
        assert (await ledger.propose(same, BELA, GUILD, moment())).slug == first.slug
    done = await post(1)
    receipt = await ledger.vote(done.prediction_id, BELA, frozenset({"c.o.n."}), moment())
    assert receipt.labels == frozenset({first.slug})


# -- what is gone ----------------------------------------------------------------------------------------


async def test_a_vote_on_a_picture_whose_bytes_are_gone(ledger: Ledger, post: Post, tmp_path: Path) -> None:
    """It counts, brings no bytes back, is in no queue, and an export says why the picture is not there."""
    done = await post(1)
    await ledger.sweep(moment(60 * 25))
    assert await ledger.picture(digest(1)) is None
    receipt = await ledger.vote(done.prediction_id, BELA, frozenset({"thor"}), moment(60 * 26))
    assert receipt.changed and (await ledger.tally(done.prediction_id)).characters == {"thor": 1}
    assert await ledger.picture(digest(1)) is None
    assert await ledger.review.next(MODERATOR, Filter(), 9, moment(60 * 27)) == []
    case = await Stage(ledger).case_of(done.prediction_id)
    seen = await ledger.review.case(MODERATOR, case)
    assert [each.there for each in seen.pictures] == [False]
    assert await ledger.review.picture(MODERATOR, case, digest(1)) is None
    await ledger.review.decide(MODERATOR, case, seen.revision, "approve", None, moment(60 * 27))
    await ledger.privacy.choose(ANNA, "all", moment(60 * 27))
    with pytest.raises(NothingToExport, match="1 held back: their bytes are not kept any more"):
        await ledger.exports.export(tmp_path / "out", ALL, OPEN, "imagefolder", OPERATOR)
    assert (await ledger.undo(BELA, done.prediction_id, at=moment(60 * 28))) is not None


async def test_a_vote_on_a_deleted_message_and_on_a_forgotten_picture(ledger: Ledger, post: Post) -> None:
    deleted, forgotten, voted = await post(1), await post(2, poster=CARO), await post(3, poster=CARO)
    view = await ledger.prediction(deleted.prediction_id)
    assert view is not None and view.address is not None
    await ledger.message_deleted(view.address)
    await ledger.vote(deleted.prediction_id, BELA, frozenset({"thor"}), moment(1))
    await ledger.vote(voted.prediction_id, BELA, frozenset({"thor"}), moment(1))
    await ledger.privacy.forget(CARO, moment(2))
    for nothing in (forgotten.prediction_id, 10**6, -1):
        with pytest.raises(NotFound):
            await ledger.vote(nothing, BELA, frozenset({"thor"}), moment(3))
    # Where somebody had voted they may still change their mind; nobody else learns of it.
    await ledger.vote(voted.prediction_id, BELA, frozenset({"loki"}), moment(3))
    assert [each.labels for each in await ledger.votes_of(BELA)] == [{"loki"}, {"thor"}]
    assert await ledger.review.next(MODERATOR, Filter(), 9, moment(4)) == []


# -- at once ---------------------------------------------------------------------------------------------

ROUNDS = 15


async def decider(url: str, folder: Path, person: str, slug: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.corrections.decide_once", url, str(folder), person, slug,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert await answer_of(process) == ["ready"]
    return process


async def answer_of(process: asyncio.subprocess.Process) -> list[str]:
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        return (await process.stdout.readline()).decode().split()


async def test_two_moderators_in_two_processes_at_the_same_instant(
    ledger: Ledger, post: Post, url: str, tmp_path: Path
) -> None:
    """One decides, the other is told what was decided: never both, never half of each."""
    cases: list[tuple[int, int]] = []
    for number in range(ROUNDS):
        done = await post(number)
        await ledger.vote(done.prediction_id, BELA, frozenset({"thor"}), moment())
        case = await Stage(ledger).case_of(done.prediction_id)
        cases.append((case, (await ledger.review.case(MODERATOR, case)).revision))
    people = {"11": "thor", "12": "loki"}
    both = [await decider(url, tmp_path, person, slug) for person, slug in people.items()]
    try:
        for case, revision in cases:
            for process in both:
                assert process.stdin is not None
                process.stdin.write(f"{case} {revision}\n".encode())
            answers = [await answer_of(process) for process in both]
            assert sorted(each[0] for each in answers) == ["late", "won"]
            winner = answers.index(next(each for each in answers if each[0] == "won"))
            slug = list(people.values())[winner]
            assert [each[1:] for each in answers] == [[slug], [slug]]
            assert (await ledger.review.case(MODERATOR, case)).decided == (slug,)
    finally:
        for process in both:
            if process.returncode is None:
                process.kill()
            await process.wait()
    history = await ledger.review.history(MODERATOR, 1000)
    assert sorted(each.case_id or 0 for each in history) == sorted(case for case, _ in cases)
    decided = [(await ledger.review.case(MODERATOR, case)).decided for case, _ in cases]
    report = await ledger.review.agreement(MODERATOR, moment(2))
    assert (report.judged, report.confirmed) == (ROUNDS, decided.count(("thor",)))  # nobody was judged twice


# -- no room ---------------------------------------------------------------------------------------------


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """No file may grow beyond that many bytes: what a disk that is full says to a writer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("form", FORMATS)
async def test_a_full_disk_in_the_middle_of_an_export_leaves_nothing(
    ledger: Ledger, url: str, tmp_path: Path, form: Format
) -> None:
    """Neither at the place nor beside it nor in the ledger; votes go on; afterwards it works."""
    await fill(ledger, tmp_path, 6, size=3 << 20)
    before = everything(url)
    for name in ("out", "out.zip"):
        write = ledger.exports.archive if name.endswith("zip") else ledger.exports.export
        with little_room(2 << 20), pytest.raises(DiskFull, match=r"^the disk is full: [^\n]*$"):
            await write(tmp_path / name, ALL, OPEN, form, OPERATOR)
        assert {each.name for each in tmp_path.iterdir() if each.name.startswith(("out", ".out"))} == set()
    assert everything(url) == before
    assert await ledger.exports.snapshots(OPERATOR) == []
    assert (await ledger.exports.export(tmp_path / "out", ALL, OPEN, form, OPERATOR)).items == 6


async def test_a_full_disk_is_one_sentence_in_chat_and_browser(ledger: Ledger, tmp_path: Path) -> None:
    await fill(ledger, tmp_path, 3, size=3 << 20)
    folder = tmp_path / "exports"
    desk = Moderation(ledger, Names(ledger))
    desk.releases = Releases(ledger, folder, OPEN, 24)
    with little_room(1 << 20):
        assert await desk.export(OPERATOR) == Refused("error-export-disk-full")
    assert list(folder.iterdir()) == [] and await ledger.exports.snapshots(OPERATOR) == []
    assert isinstance(await desk.export(OPERATOR, character="groot"), Nothing)
    assert isinstance(await desk.export(OPERATOR), Released)
