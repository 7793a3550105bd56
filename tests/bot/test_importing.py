"""Imports: what a folder or archive says, what it must not do, and pictures through a real worker."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bot import import_sources
from bot.exporting import OPERATOR, open_ledger, policy_of
from bot.import_scan import scan
from bot.import_sources import source_of
from bot.importing import import_pictures
from bot.settings import Settings, load
from bot.words import words
from corrections.errors import ImportFailed, UnknownLabels
from corrections.export.types import ExportQuery, Policy
from corrections.ledger import Ledger
from corrections.review.types import Filter
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing

TEAM = ("discord", "77")
SILENT: Callable[[float], None] = lambda part: None  # noqa: E731


def put(root: Path, name: str, content: bytes | str = b"x") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(place: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(place, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return place


def found(place: Path) -> dict[str, tuple[tuple[str, ...], str | None]]:
    with source_of(place) as source:
        return {each.path: (each.labels, each.split) for each in scan(source)}


def refused(place: Path) -> str:
    with pytest.raises(ImportFailed) as caught, source_of(place) as source:
        scan(source)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.isprintable() and len(sentence) < 300
    return sentence


def test_folders_say_who_is_in_them(tmp_path: Path) -> None:
    for name in (
        "loki/1.jpg",
        "Iron Man/2.png",
        "nobody/3.webp",
        "loki/.hidden",
        "README.md",
        "__MACOSX/loki/1.jpg",
    ):
        put(tmp_path / "plain", name)
    assert found(tmp_path / "plain") == {
        "Iron Man/2.png": (("Iron Man",), None),
        "loki/1.jpg": (("loki",), None),
        "nobody/3.webp": (("nobody",), None),
    }
    for name in ("data/train/loki/1.jpg", "data/Validation/loki/2.jpg", "data/test/thor/3.jpg"):
        put(tmp_path / "split", name)
    assert {path: split for path, (_, split) in found(tmp_path / "split").items()} == {
        "data/train/loki/1.jpg": "train",
        "data/Validation/loki/2.jpg": "validation",
        "data/test/thor/3.jpg": "test",
    }
    with zipfile.ZipFile(tmp_path / "same.zip", "w") as archive:
        for file in sorted((tmp_path / "split").rglob("*.jpg")):
            archive.write(file, file.relative_to(tmp_path / "split"))
    assert found(tmp_path / "same.zip") == found(tmp_path / "split")


def test_a_parquet_export_is_not_read_and_that_is_said(tmp_path: Path) -> None:
    for name in ("README.md", "manifest.json", "data/train-00000-of-00001.parquet"):
        put(tmp_path, name)
    assert refused(tmp_path) == words()("import-parquet", file="data/train-00000-of-00001.parquet")


@pytest.mark.parametrize("table", ["jsonl", "csv"])
def test_metadata_speaks_before_the_folder(tmp_path: Path, table: str) -> None:
    for name in ("train/several/1.jpg", "train/x/2.jpg", "train/3.jpg"):
        put(tmp_path, name)
    if table == "jsonl":
        rows = [
            {"file_name": "several/1.jpg", "label": "several", "labels": ["loki", "thor"]},
            {"file_name": "x/2.jpg", "label": "nobody", "labels": ["nobody"]},
            {"file_name": "3.jpg", "label": "Loki"},
        ]
        put(tmp_path, "train/metadata.jsonl", "".join(json.dumps(row) + "\n" for row in rows) + "\n")
    else:
        put(
            tmp_path,
            "train/metadata.csv",
            "\ufefffile_name,label,labels\nseveral/1.jpg,several,loki|thor\nx/2.jpg,nobody,nobody\n3.jpg,Loki,\n",
        )
    assert found(tmp_path) == {
        "train/several/1.jpg": (("loki", "thor"), "train"),
        "train/x/2.jpg": (("nobody",), "train"),
        "train/3.jpg": (("Loki",), "train"),
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.jsonl", "not json\n"),
        ("metadata.jsonl", "[" * 100_000 + "\n"),
        ("metadata.jsonl", '{"file_name": "loki/1.jpg"}\n'),
        ("metadata.jsonl", '{"file_name": "../../etc/passwd", "label": "loki"}\n'),
        ("metadata.jsonl", '{"file_name": "/etc/passwd", "label": "loki"}\n'),
        ("metadata.jsonl", '{"file_name": "loki/1.jpg", "label": ["loki"]}\n'),
        ("metadata.jsonl", "x" * (2 << 20)),
        ("metadata.csv", "file_name,label\n,loki\n"),
        ("metadata.csv", "file_name,label\n" + "\0" * 10 + "\n"),
        ("1.jpg", ""),
        ("several/1.jpg", ""),
    ],
)
def test_tables_and_folders_that_say_nonsense_are_refused(tmp_path: Path, name: str, content: str) -> None:
    put(tmp_path, "loki/1.jpg")
    put(tmp_path, name, content)
    refused(tmp_path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "outside/secret.jpg")
    put(tmp_path, "in/loki/1.jpg")
    (tmp_path / "in" / "thor").symlink_to(tmp_path / "outside")
    assert "thor" in refused(tmp_path / "in")
    (tmp_path / "in" / "thor").unlink()
    (tmp_path / "in" / "loki" / "2.jpg").symlink_to(tmp_path / "outside" / "secret.jpg")
    assert "2.jpg" in refused(tmp_path / "in")
    entry = zipfile.ZipInfo("loki/link.jpg")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "l.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert "link.jpg" in refused(tmp_path / "l.zip")
    os.mkfifo(tmp_path / "in" / "loki" / "pipe.jpg")
    (tmp_path / "in" / "loki" / "2.jpg").unlink()
    assert list(found(tmp_path / "in")) == ["loki/1.jpg"]


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg",
        "loki/../../evil.jpg",
        "/etc/evil.jpg",
        "\\evil.jpg",
        "C:/evil.jpg",
        "loki\\..\\evil.jpg",
    ],
)
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    refused(zipped(tmp_path / "slip.zip", {"loki/1.jpg": b"x", name: b"x"}))


def test_archives_that_are_bombs_are_refused_or_harmless(tmp_path: Path) -> None:
    # One entry that is far larger than it may be is read no further than that.
    bomb = zipped(tmp_path / "bomb.zip", {"loki/1.jpg": b"\0" * (64 << 20)})
    with source_of(bomb) as source:
        assert len(import_sources.read(source, "loki/1.jpg", 1 << 20)) == (1 << 20) + 1
    # Entries that share their bytes.
    with zipfile.ZipFile(tmp_path / "shared.zip", "w") as archive:
        archive.writestr("loki/0.jpg", b"x" * 5000)
        for n in range(1, 50):
            entry = zipfile.ZipInfo(f"loki/{n}.jpg")
            entry.header_offset, entry.compress_size, entry.file_size = 0, 5000, 5000
            entry.CRC = archive.infolist()[0].CRC
            archive.filelist.append(entry)
            archive.NameToInfo[entry.filename] = entry
    refused(tmp_path / "shared.zip")
    refused(zipped(tmp_path / "lzma.zip", {"loki/1.jpg": b"x"}, zipfile.ZIP_LZMA))
    locked = bytearray(zipped(tmp_path / "locked.zip", {"loki/1.jpg": b"x"}).read_bytes())
    locked[locked.rindex(b"PK\1\2") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    refused(tmp_path / "locked.zip")
    refused(put(tmp_path, "no.zip", b"not a zip"))
    refused(put(tmp_path, "empty.zip", b""))
    refused(zipped(tmp_path / "nothing.zip", {}))
    endless = bytearray((tmp_path / "bomb.zip").read_bytes())
    struct.pack_into("<I", endless, endless.rindex(b"PK\5\6") + 12, 1 << 31)
    (tmp_path / "endless.zip").write_bytes(endless)
    refused(tmp_path / "endless.zip")
    refused(tmp_path / "not there")
    (tmp_path / "bare").mkdir()
    refused(tmp_path / "bare")


def test_a_million_files_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_sources, "MOST_PICTURES", 300)
    for n in range(400):
        put(tmp_path, f"in/loki/{n}.jpg")
    assert "300" in refused(tmp_path / "in")
    assert "300" in refused(zipped(tmp_path / "in.zip", {f"loki/{n}.jpg": b"" for n in range(400)}))
    deep = tmp_path / "deep" / "/".join("d" * 20)
    put(deep, "1.jpg")
    refused(tmp_path / "deep")


def test_a_zip_file_of_a_million_tiny_files_is_not_even_read(tmp_path: Path) -> None:
    """Its list of contents alone would take a gigabyte of memory."""
    with zipfile.ZipFile(tmp_path / "z.zip", "w", allowZip64=True) as archive:
        archive.writestr("loki/1.jpg", b"x")
    content = bytearray((tmp_path / "z.zip").read_bytes())
    end = content.rindex(b"PK\5\6")
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1_000_000, 1_000_000, 80_000_000, 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    struct.pack_into("<HHI", content, end + 8, 0xFFFF, 0xFFFF, 0xFFFFFFFF)
    (tmp_path / "z.zip").write_bytes(bytes(content[:end]) + wide + locator + bytes(content[end:]))
    assert "200000" in refused(tmp_path / "z.zip").replace(",", "")


# Through a real worker


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def settings(tmp_path: Path, tiny: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    return load(environ={"WHOSTHAT_MODEL__USE": str(tiny), "WHOSTHAT_WORKER__DECODERS": "1"}, folder=home)


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as opened:
        yield opened


async def take(settings: Settings, place: Path, *, approved: bool = True, **more: Any) -> list[str]:
    consent, propose = more.get("consent", True), more.get("propose", False)
    manner = "approved" if approved else "queue"
    return await import_pictures(settings, place, TEAM, manner, consent, propose, SILENT)


async def exported(ledger: Ledger, out: Path) -> dict[str, dict[str, Any]]:
    await ledger.exports.export(out, ExportQuery(), Policy(validation=0.0, test=0.0), "imagefolder", OPERATOR)
    lines = [line for file in out.glob("*/metadata.jsonl") for line in file.read_text().splitlines()]
    return {row["sha256"]: row for row in map(json.loads, lines)}


def album(root: Path) -> Path:
    for seed, name in enumerate(
        ("train/iron-man/a.png", "train/Hulk/b.png", "test/iron_man/c.png", "test/nobody/d.png")
    ):
        colour = {"iron-man": "red", "iron_man": "red", "Hulk": "green", "nobody": "grey"}[name.split("/")[1]]
        put(root, name, drawing(colour, seed=seed))
    return root


async def test_approved_pictures_can_be_exported_at_once_and_keep_their_split(
    settings: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    place = album(tmp_path / "album")
    put(place, "train/Hulk/broken.png", b"no picture")
    w = words()
    assert await take(settings, place) == [
        w("import-done", count=4, there=0),
        w("import-not-read", count=1, name="train/Hulk/broken.png"),
    ]
    found = await exported(ledger, tmp_path / "out")
    assert sorted((row["label"], row["split"]) for row in found.values()) == [
        ("hulk", "train"),
        ("iron-man", "test"),
        ("iron-man", "train"),
        ("nobody", "test"),
    ]
    assert {row["said"] for row in found.values() if row["label"] == "hulk"} == {"hulk"}
    # Discord's switch is off, and these are no pictures of Discord's.
    assert policy_of(settings).allow_discord is False
    # Once more: nothing is twice.
    assert (await take(settings, place))[0] == w("import-done", count=0, there=4)
    history = await ledger.review.history(OPERATOR, 1)
    assert history[0].action == "import"
    prediction = (await ledger.exports.intake.before(TEAM, "0" * 64)).prediction_id
    assert prediction is None


async def test_what_was_cut_short_goes_on(settings: Settings, ledger: Ledger, tmp_path: Path) -> None:
    for n in range(12):
        put(tmp_path / "album", f"hulk/{n}.png", drawing("green", seed=n))

    def stop_in_the_middle(part: float) -> None:
        if part > 0.4:
            running.cancel()

    running = asyncio.ensure_future(
        import_pictures(settings, tmp_path / "album", TEAM, "approved", True, False, stop_in_the_middle)
    )
    with pytest.raises(asyncio.CancelledError):
        await running
    begun = (await ledger.exports.preview(ExportQuery(), Policy())).items
    assert 0 < begun < 12
    assert await take(settings, tmp_path / "album") == [words()("import-done", count=12 - begun, there=begun)]
    assert (await ledger.exports.preview(ExportQuery(), Policy())).items == 12


async def test_a_queue_is_reviewed_and_nothing_leaves_without_consent(
    settings: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    place = album(tmp_path / "album")
    lines = await take(settings, place, approved=False, consent=False)
    w = words()
    assert lines == [w("import-done", count=4, there=0), w("import-queued"), w("import-no-consent")]
    queue = await ledger.review.next(OPERATOR, Filter(community=TEAM), count=10)
    assert sorted(case.leading or () for case in queue) == [(), ("hulk",), ("iron-man",), ("iron-man",)]
    assert {case.community for case in queue} == {TEAM} and {case.voters for case in queue} == {1}
    await take(settings, place, consent=False)
    counts = await ledger.exports.preview(ExportQuery(), Policy())
    assert (counts.items, counts.held_no_consent) == (0, 4)
    assert (await take(settings, place))[0] == w("import-done", count=0, there=4)
    assert (await ledger.exports.preview(ExportQuery(), Policy())).items == 4


async def test_names_that_nobody_knows_stop_the_whole_import(
    settings: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    place = tmp_path / "album"
    put(place, "hulk/1.png", drawing("green"))
    for name in ("Man-Thing", "CON", "x" * 200, "🦸"):
        put(place, f"{name}/1.png", drawing("red"))
    with pytest.raises(UnknownLabels) as caught:
        await take(settings, place)
    assert set(caught.value.labels) == {"Man-Thing", "CON", "x" * 200, "🦸"}
    assert "\n" not in str(caught.value) and "Man-Thing" in str(caught.value)
    with pytest.raises(ImportFailed):  # nobody can be called by a picture, or by 200 letters
        await take(settings, place, propose=True)
    assert (await ledger.exports.preview(ExportQuery(), Policy())).held == 0
    assert not (await ledger.resolve("Man-Thing", TEAM))
    for name in ("x" * 200, "🦸"):
        (place / name / "1.png").unlink()
    assert (await take(settings, place, propose=True))[0] == words()("import-done", count=2, there=1)
    proposed = (await ledger.resolve("Man-Thing", TEAM)).character
    assert proposed is not None and proposed.status == "proposed" and proposed.community == TEAM


async def test_what_moderators_decided_stays(settings: Settings, ledger: Ledger, tmp_path: Path) -> None:
    put(tmp_path / "one", "hulk/1.png", drawing("green", seed=1))
    await take(settings, tmp_path / "one")
    # The same picture under another name, and a smaller copy of it.
    put(tmp_path / "two", "thor/1.png", drawing("green", seed=1))
    put(tmp_path / "two", "thor/2.jpg", drawing("green", seed=1, size=(160, 120), kind="JPEG"))
    lines = await take(settings, tmp_path / "two")
    assert lines == [
        words()("import-done", count=1, there=1),
        words()("import-differing", count=2, name="thor/1.png, thor/2.jpg"),
    ]
    assert {row["label"] for row in (await exported(ledger, tmp_path / "out")).values()} == {"hulk"}


async def test_what_comes_as_a_test_picture_never_trains(
    settings: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    put(tmp_path / "one", "hulk/1.png", drawing("green", seed=1))
    await take(settings, tmp_path / "one")
    first = await exported(ledger, tmp_path / "a")
    assert [row["split"] for row in first.values()] == ["train"]
    put(tmp_path / "two", "test/hulk/2.jpg", drawing("green", seed=1, size=(160, 120), kind="JPEG"))
    await take(settings, tmp_path / "two")
    after = await exported(ledger, tmp_path / "b")
    assert [row["split"] for row in after.values()] == ["test"] and not set(first) & set(after)
    assert json.loads((tmp_path / "b" / "manifest.json").read_text())["held_back"][0]["count"] == 1


async def test_an_export_comes_back_as_it_was(settings: Settings, ledger: Ledger, tmp_path: Path) -> None:
    await take(settings, album(tmp_path / "album"))
    out = tmp_path / "out"
    written = await exported(ledger, out)
    lines = await import_pictures(settings, out, ("telegram", "-5"), "approved", True, False, SILENT)
    assert lines == [words()("import-done", count=4, there=0)]
    archive = tmp_path / "out.zip"
    await ledger.exports.archive(archive, ExportQuery(), Policy(), "csv", OPERATOR)
    assert (await take(settings, archive))[0].endswith("imported, 0 already there.")
    found = await exported(ledger, tmp_path / "again")
    assert {sha256: found[sha256]["label"] for sha256 in written} == {
        sha256: row["label"] for sha256, row in written.items()
    }
    assert not {(row["label"], row["split"]) for row in found.values()} - {
        (row["label"], row["split"]) for row in written.values()
    }
