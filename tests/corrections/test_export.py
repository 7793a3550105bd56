"""What an export holds and what it holds back; the same ledger gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from corrections.errors import MovedOn, NotFound, NothingToExport, UnknownLabel
from corrections.export.rows import folder_of, guarded, unguarded
from corrections.export.types import FORMATS, ExportQuery, Format, Policy
from corrections.ledger import Ledger
from corrections.review.types import Moderator
from tests.corrections.exporting import ALL, OPEN, OPERATOR, TELEGRAM, Stage, manifest, rows, sha256_of, tree
from tests.corrections.raw import change
from tests.corrections.support import ANNA, BELA, CARO, GUILD, OTHER, moment


@pytest.fixture
def stage(ledger: Ledger) -> Stage:
    return Stage(ledger)


async def test_only_what_is_approved_and_agreed_to_leaves(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    leaves = await stage.put(1, "loki")
    await stage.put(2, "loki", poster=BELA, agree=False)
    open_case = await stage.post(3)
    await ledger.privacy.allow(open_case, ANNA, moment())
    rejected = await stage.post(4)
    case = await stage.case_of(rejected)
    shown = await ledger.review.case(OPERATOR, case)
    await ledger.review.decide(OPERATOR, case, shown.revision, "reject", None, moment())
    snapshot = await ledger.exports.export(tmp_path / "out", ALL, OPEN, "imagefolder", OPERATOR)
    assert set(rows(tmp_path / "out")) == {leaves}
    assert (snapshot.items, snapshot.counts.held_no_consent, snapshot.counts.held) == (1, 1, 1)
    assert "1 held back: no consent" in (tmp_path / "out" / "README.md").read_text()
    assert manifest(tmp_path / "out")["held_back"] == [
        {"reason": "no consent", "count": 1, "sentence": "1 held back: no consent"}
    ]
    assert await ledger.exports.preview(ALL, OPEN) == type(snapshot.counts)(
        items=1, held_no_consent=1, by_character={"loki": 1}
    )


async def test_discord_pictures_wait_for_the_operators_switch(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    await stage.put(1, "loki")
    with pytest.raises(NothingToExport, match=r"1 held back: Discord training is off") as caught:
        await ledger.exports.export(tmp_path / "no", ALL, Policy(), "imagefolder", OPERATOR)
    assert caught.value.held == 1
    assert not (tmp_path / "no").exists()
    elsewhere = await stage.put(2, "thor", home=TELEGRAM, poster=("telegram", "7"))
    # The very same picture on both: the post on Telegram lets it leave, with what was decided there.
    both = await stage.put(3, "hulk")
    assert both == await stage.put(3, "loki", home=TELEGRAM, poster=("telegram", "7"))
    snapshot = await ledger.exports.export(tmp_path / "out", ALL, Policy(), "imagefolder", OPERATOR)
    found = rows(tmp_path / "out")
    assert {sha256: row["label"] for sha256, row in found.items()} == {elsewhere: "thor", both: "loki"}
    assert snapshot.counts.held_discord == 1
    card = (tmp_path / "out" / "README.md").read_text()
    assert "1 held back: Discord training is off (discord.allow_training)" in card


async def test_a_community_exports_what_is_its_own(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    here, there = await stage.put(1, "loki"), await stage.put(2, "loki", home=OTHER)
    # Approved here, agreed to there only: not to be had here.
    await stage.put(3, "loki", agree=False, poster=BELA)
    await stage.put(3, "loki", home=OTHER, poster=CARO)
    mine = Moderator(ANNA, GUILD)
    await ledger.exports.export(tmp_path / "mine", ALL, OPEN, "imagefolder", mine)
    assert set(rows(tmp_path / "mine")) == {here}
    with pytest.raises(NotFound):
        await ledger.exports.export(tmp_path / "no", ExportQuery(community=OTHER), OPEN, "imagefolder", mine)
    await ledger.exports.export(
        tmp_path / "other", ExportQuery(community=OTHER), OPEN, "imagefolder", OPERATOR
    )
    assert set(rows(tmp_path / "other")) == {there, sha256_of(3)}
    whole = await ledger.exports.export(tmp_path / "all", ALL, OPEN, "imagefolder", OPERATOR)
    assert whole.items == 3
    assert len(await ledger.exports.snapshots(OPERATOR)) == 3
    assert [each.community for each in await ledger.exports.snapshots(mine)] == [GUILD]
    with pytest.raises(NotFound):
        await ledger.exports.withdrawn(mine, whole.name)
    assert await ledger.exports.snapshots(Moderator(ANNA, ("discord", "never seen"))) == []
    with pytest.raises(NothingToExport):
        await ledger.exports.export(
            tmp_path / "no", ALL, OPEN, "imagefolder", Moderator(ANNA, ("discord", "never seen"))
        )
    with pytest.raises(NotFound):
        await ledger.exports.preview(ExportQuery(community=("discord", "typo")), OPEN)


async def test_questions_are_answered_exactly(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    old, new = await stage.put(1, "loki"), await stage.put(2, "loki", "thor", minutes=60)
    nobody = await stage.put(3, minutes=120)

    async def exported(name: str, query: ExportQuery) -> set[str]:
        await ledger.exports.export(tmp_path / name, query, OPEN, "imagefolder", OPERATOR)
        return set(rows(tmp_path / name))

    assert await exported("since", ExportQuery(since=moment(60))) == {new, nobody}
    assert await exported("loki", ExportQuery(character="Loki")) == {old, new}
    assert await exported("thor", ExportQuery(character="雷神")) == {new}
    assert await exported("nobody", ExportQuery(character="nobody")) == {nobody}
    with pytest.raises(UnknownLabel):
        await ledger.exports.preview(ExportQuery(character="=HYPERLINK()"), OPEN)
    with pytest.raises(NothingToExport):
        await exported("none", ExportQuery(character="hulk"))
    assert (tmp_path / "since" / "train").exists()
    found = rows(tmp_path / "since")
    assert found[new]["label"] == "several" and found[new]["labels"] == ["loki", "thor"]
    assert found[nobody]["label"] == "nobody" and found[nobody]["labels"] == ["nobody"]
    assert found[new]["file_name"] == f"several/{new}.webp"


async def test_a_row_says_what_is_known_and_nothing_about_anybody(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    prediction = await stage.post(1, poster=("discord", "123456789"))
    for voter, said in (("11", "loki"), ("12", "loki"), ("13", "thor"), ("14", None)):
        await ledger.vote(prediction, ("discord", voter), frozenset({said} if said else ()), moment(1))
    await stage.approve(prediction, "loki", minutes=2)
    await ledger.privacy.allow(prediction, ("discord", "123456789"), moment(3))
    private = await stage.put(2, "thor", home=("telegram", "dm:77"), poster=("telegram", "77"))
    await ledger.exports.export(tmp_path / "out", ALL, OPEN, "imagefolder", OPERATOR)
    row = rows(tmp_path / "out")[sha256_of(1)]
    group, community = row.pop("split_group"), row.pop("community")
    assert row == {
        "file_name": f"loki/{sha256_of(1)}.webp",
        "label": "loki",
        "labels": ["loki"],
        "sha256": sha256_of(1),
        "width": 8,
        "height": 8,
        "split": row["split"],
        "votes": 4,
        "votes_agreeing": 2,
        "decided_by": "moderator",
        "decided_at": "2026-03-01T12:02:00Z",
        "bundle": "b1",
        "said": "iron-man",
        "confidence": 0.7,
    }
    assert group.startswith("g-") and community.startswith("c-")
    assert rows(tmp_path / "out")[private]["community"] == "private"
    everything = b"\n".join(
        (*tree(tmp_path / "out").values(), *(key.encode() for key in tree(tmp_path / "out")))
    )
    for word in (
        b"123456789",
        b"guild",
        b"dm:77",
        b'pictures"',
        ledger.person_key(("discord", "11")).encode(),
    ):
        assert word not in everything, word
    named = ExportQuery(name_communities=True)
    await ledger.exports.export(tmp_path / "named", named, OPEN, "imagefolder", OPERATOR)
    assert rows(tmp_path / "named")[sha256_of(1)]["community"] == "discord:guild"


async def test_agreement_may_have_decided(stage: Stage, ledger: Ledger, tmp_path: Path, url: str) -> None:
    from corrections.review.agreement import ReviewRules

    await ledger.close()
    other = await Ledger.open(url, tmp_path, review=ReviewRules(newcomer_days=0, auto_approve="agreed"))
    try:
        stage = Stage(other)
        prediction = await stage.post(1)
        for voter in range(8):
            await other.vote(
                prediction, ("discord", f"v{voter}"), frozenset({"loki"}), moment(60 * 24 * voter)
            )
        await other.privacy.allow(prediction, ANNA, moment())
        case = await other.review.case(OPERATOR, await stage.case_of(prediction))
        if case.status != "approved":
            pytest.skip("the rule of agreement wants more than eight people")
        await other.exports.export(tmp_path / "out", ALL, OPEN, "imagefolder", OPERATOR)
        assert [row["decided_by"] for row in rows(tmp_path / "out").values()] == ["agreement"]
    finally:
        await other.close()


async def test_communities_that_disagree_are_not_averaged(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    await stage.put(1, "loki")
    await stage.put(1, "thor", home=OTHER)
    await stage.put(2, "loki")
    snapshot = await ledger.exports.export(tmp_path / "out", ALL, OPEN, "imagefolder", OPERATOR)
    assert (snapshot.items, snapshot.counts.held_disputed) == (1, 1)
    await ledger.exports.export(
        tmp_path / "here", ExportQuery(community=GUILD), OPEN, "imagefolder", OPERATOR
    )
    assert rows(tmp_path / "here")[sha256_of(1)]["label"] == "loki"


async def test_merged_characters_leave_under_the_name_that_stayed(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    proposed = await ledger.propose("Lady Prankster", ANNA, GUILD, moment())
    await stage.put(1, proposed.slug)
    await ledger.review.merge(OPERATOR, proposed.slug, "loki", moment(5))
    await ledger.exports.export(tmp_path / "out", ALL, OPEN, "imagefolder", OPERATOR)
    assert rows(tmp_path / "out")[sha256_of(1)]["label"] == "loki"


@pytest.mark.parametrize("form", FORMATS)
async def test_the_same_ledger_gives_the_same_bytes(stage: Stage, tmp_path: Path, form: Format) -> None:
    ledger = stage.ledger
    for n in range(30):
        await stage.put(n, *(("loki",), ("thor",), (), ("loki", "thor"))[n % 4], minutes=n)
    first = await ledger.exports.export(tmp_path / "a", ALL, OPEN, form, OPERATOR)
    again = await ledger.exports.export(tmp_path / "b", ALL, OPEN, form, OPERATOR)
    assert first == again
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    one = await ledger.exports.archive(tmp_path / "a.zip", ALL, OPEN, form, OPERATOR)
    two = await ledger.exports.archive(tmp_path / "b.zip", ALL, OPEN, form, OPERATOR)
    assert first == one == two
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        unpacked = {name: archive.read(name) for name in archive.namelist()}
        assert {entry.date_time for entry in archive.infolist()} == {(2026, 3, 1, 12, 29, 0)}
    assert unpacked == tree(tmp_path / "a")
    assert len(await ledger.exports.snapshots(OPERATOR)) == 1


@pytest.mark.parametrize("form", FORMATS)
async def test_the_manifest_vouches_for_every_file(stage: Stage, tmp_path: Path, form: Format) -> None:
    ledger = stage.ledger
    for n in range(8):
        await stage.put(n, "loki")
    snapshot = await ledger.exports.export(tmp_path / "out", ALL, OPEN, form, OPERATOR)
    said, files = manifest(tmp_path / "out"), tree(tmp_path / "out")
    assert set(said["files"]) == set(files) - {"manifest.json"}
    for path, sha256 in said["files"].items():
        assert hashlib.sha256(files[path]).hexdigest() == sha256, path
    lines = "".join(f"{sha256}  {path}\n" for path, sha256 in said["files"].items())
    assert said["whole"] == hashlib.sha256(lines.encode()).hexdigest()
    assert hashlib.sha256(files["manifest.json"]).hexdigest() == snapshot.manifest_sha256
    assert said["schema"] == 1 and said["snapshot"] == snapshot.name and said["bundles"] == ["b1"]
    assert said["counts"]["items"] == 8 and said["vocabulary"]["loki"]["zh-CN"] == "洛基"


async def test_what_is_withdrawn_is_listed_and_leaves_no_more(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    stays, goes = await stage.put(1, "loki"), await stage.put(2, "loki", poster=BELA)
    snapshot = await ledger.exports.export(tmp_path / "a", ALL, OPEN, "imagefolder", OPERATOR)
    assert snapshot.withdrawn == 0
    await ledger.privacy.choose(BELA, "never", moment(5))
    split = rows(tmp_path / "a")[goes]["split"]
    assert await ledger.exports.withdrawn(OPERATOR, snapshot.name) == [f"{split}/loki/{goes}.webp"]
    assert (await ledger.exports.snapshots(OPERATOR))[0].withdrawn == 1
    await ledger.exports.export(tmp_path / "b", ALL, OPEN, "imagefolder", OPERATOR)
    assert set(rows(tmp_path / "b")) == {stays}
    with pytest.raises(NotFound):
        await ledger.exports.withdrawn(OPERATOR, "s-0000000000")


async def test_who_is_forgotten_leaves_no_more(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    stays, goes = await stage.put(1, "loki"), await stage.put(2, "loki", poster=BELA)
    snapshot = await ledger.exports.export(tmp_path / "a", ALL, OPEN, "imagefolder", OPERATOR)
    await ledger.privacy.forget(BELA, moment(5))
    assert [goes in path for path in await ledger.exports.withdrawn(OPERATOR, snapshot.name)] == [True]
    await ledger.exports.export(tmp_path / "b", ALL, OPEN, "imagefolder", OPERATOR)
    assert set(rows(tmp_path / "b")) == {stays}


async def test_damaged_and_missing_pictures_are_held_back(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    good, damaged, missing = [await stage.put(n, "loki") for n in range(3)]
    blobs = tmp_path / "blobs"
    (blobs / damaged[:2] / f"{damaged[2:]}.webp").write_bytes(b"something else")
    (blobs / missing[:2] / f"{missing[2:]}.webp").unlink()
    for form in FORMATS:
        snapshot = await ledger.exports.export(tmp_path / form, ALL, OPEN, form, OPERATOR)
        assert (snapshot.items, snapshot.counts.held_gone) == (1, 2)
    assert set(rows(tmp_path / "imagefolder")) == {good}


async def test_an_export_begins_anew_when_somebody_withdraws_meanwhile(stage: Stage, tmp_path: Path) -> None:
    """Not one picture leaves that may not any more at the moment the snapshot is written down."""
    ledger = stage.ledger
    stays = await stage.put(1, "loki")
    for n in range(2, 120):
        await stage.put(n, "loki", poster=BELA)
    import asyncio

    withdrawing: list[asyncio.Task[None]] = []

    def withdraw(part: float) -> None:
        if part > 0.3 and not withdrawing:
            withdrawing.append(asyncio.ensure_future(ledger.privacy.choose(BELA, "never", moment(5))))

    snapshot = await ledger.exports.export(tmp_path / "out", ALL, OPEN, "imagefolder", OPERATOR, withdraw)
    assert withdrawing
    await withdrawing[0]
    left = set(rows(tmp_path / "out"))
    told = {path.split("/")[-1][:64] for path in await ledger.exports.withdrawn(OPERATOR, snapshot.name)}
    assert left - told == {stays}


async def test_one_that_never_holds_still_is_given_up(stage: Stage, url: str, tmp_path: Path) -> None:
    ledger = stage.ledger
    for n in range(60):
        await stage.put(n, "loki", poster=(("discord", f"p{n}")))
    left = list(range(60))

    def withdraw(part: float) -> None:
        """Another process, each time while the files are being written."""
        if part > 0.3 and left:
            change(url, "UPDATE blobs SET erased_at = created_at WHERE sha256 = ?", sha256_of(left.pop()))

    with pytest.raises(MovedOn):
        await ledger.exports.export(tmp_path / "out", ALL, OPEN, "imagefolder", OPERATOR, withdraw)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_folders_are_fit_for_every_file_system_and_for_datasets() -> None:
    assert [folder_of(labels) for labels in ([], ["loki"], ["loki", "thor"])] == ["nobody", "loki", "several"]
    odd = [
        "con",
        "several",
        "nobody",
        "test",
        "crash-test-dummy",
        "val-kilmer",
        "x" * 300,
        "../../etc",
        "a b",
    ]
    folders = [folder_of([slug]) for slug in odd]
    assert len(set(folders)) == len(odd)
    for slug, folder in zip(odd, folders, strict=True):
        assert folder.startswith("the") and folder.replace("-", "").isalpha() and len(folder) < 64, slug


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1", "'", "''", "plain", "", "a=b"]
)
def test_cells_are_harmless_and_can_be_read_back(cell: str) -> None:
    assert not guarded(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(guarded(cell)) == cell


async def test_the_history_says_who_exported(stage: Stage, tmp_path: Path) -> None:
    await stage.put(1, "loki")
    done = await stage.ledger.exports.export(tmp_path / "out", ALL, OPEN, "csv", OPERATOR)
    entry = (await stage.ledger.review.history(OPERATOR, 1))[0]
    assert (entry.action, entry.mine) == ("export", True)
    assert json.loads(json.dumps(dict(entry.after or {}))) == {
        "snapshot": done.name,
        "items": 1,
        "format": "csv",
    }
