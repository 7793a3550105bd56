"""``whosthat models`` as an operator types it: without a bot, and the hub (a stand-in on loopback)."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from model.bundle import MANIFEST, ONNX, read_bundle, read_json, seal, write_json
from model.errors import BundleError
from model.hub import push
from model.versions import Versions
from tests import command
from tests.standins.bundles import tiny_bundle
from tests.standins.hub import StandinHub

whosthat = partial(command.whosthat, seconds=240, COLUMNS="200", PYTHONWARNINGS="default")
"""A retraining runs at the lowest priority, and may take its time."""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("first") / "first", name="first")


@pytest.fixture
def better(tmp_path: Path) -> Path:
    """A bundle with figures and a card."""
    folder = tiny_bundle(tmp_path / "better", name="better", bias=1.0)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# better\n")
    figures = {"validation": {"right": {"right": 19, "of": 20, "share": 0.95}}}
    seal(folder, read_bundle(folder).info, licence="MIT", parent="first", metrics=figures)
    return folder


async def test_use_rollback_list_and_show_without_a_bot(tmp_path: Path, first: Path, better: Path) -> None:
    model = {"WHOSTHAT_MODEL__USE": str(first)}
    name = read_bundle(better).info.id
    said = await whosthat(tmp_path, "models", "use", better, **model)
    assert said.lines == [f"{name} serves from the next start on; no bot is running here."], said.err
    assert Versions(tmp_path / "data" / "models", str(first)).serving().endswith(f"versions/{name}")
    listed = (await whosthat(tmp_path, "models", "list", **model)).lines
    assert listed[0].startswith("< ") and str(first) in listed[0]
    assert listed[1].startswith(f"* {name}") and listed[1].endswith("95.0% right (validation)")
    assert "# better" in (await whosthat(tmp_path, "models", "show", name, **model)).lines
    shown = (await whosthat(tmp_path, "models", "show", **model)).lines
    assert shown[-1] == "The gate was not asked about it."
    assert "serves from the next start" in (await whosthat(tmp_path, "models", "rollback", **model)).out
    again = await whosthat(tmp_path, "models", "rollback", **model)
    assert "nothing to go back to" in again.sentence


async def test_what_cannot_serve_is_one_sentence_and_changes_nothing(
    tmp_path: Path, first: Path, better: Path
) -> None:
    model = {"WHOSTHAT_MODEL__USE": str(first)}
    content = (better / ONNX).read_bytes()
    (better / ONNX).write_bytes(content[:-1] + b"x")
    assert "not the file" in (await whosthat(tmp_path, "models", "use", better, **model)).sentence
    for wrong in (tmp_path / "nothing", "..", "nonsense", "hub:not a name"):
        assert (await whosthat(tmp_path, "models", "use", wrong, **model)).sentence, wrong
    assert "no version called" in (await whosthat(tmp_path, "models", "show", "x/../..", **model)).sentence
    assert not (tmp_path / "data" / "models" / "choice.json").exists()
    assert list((tmp_path / "data" / "models").glob("versions/*")) == []


async def test_a_version_goes_to_the_hub_with_its_card(tmp_path: Path, first: Path, better: Path) -> None:
    hub = StandinHub({}, tmp_path / "uploads")
    (better / "pytorch_model.bin").write_bytes(b"a pickle")
    async with hub.running():
        settings = {
            "WHOSTHAT_MODEL__USE": str(first),
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": hub.token,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(tmp_path / "home"),
        }
        said = await whosthat(tmp_path, "models", "push", better, "me/mine", **settings)
        assert said.code == 0 and "%" not in said.err, said.err
        assert said.lines == [
            f"{better} is uploaded: {hub.url}/me/mine/commit/" + "0123456789abcdef" * 2 + "01234567"
        ]
        sent = hub.models["me/mine"]
        manifest = read_json(better / MANIFEST)
        assert {each.name for each in sent.iterdir()} == {*manifest["files"], MANIFEST}
        assert all((sent / name).read_bytes() == (better / name).read_bytes() for name in manifest["files"])
        assert hub.private == {"me/mine": True}
        assert hub.commits == [f"whosthat {manifest['id']}"]
        again = await whosthat(tmp_path, "models", "push", better, "me/mine", **settings)
        assert again.code == 0, again.err

        wrong = settings | {"HF_TOKEN": "hf_wrong"}
        said = await whosthat(tmp_path, "models", "push", better, "me/other", **wrong)
        assert "does not let this token write" in said.sentence
        assert "hf_wrong" not in said.err
        said = await whosthat(tmp_path, "models", "push", better, "me/other", **settings | {"HF_TOKEN": ""})
        assert "HF_TOKEN" in said.sentence
        hub.broken = True
        said = await whosthat(tmp_path, "models", "push", better, "me/other", **settings)
        assert "could not be uploaded" in said.sentence
    assert hub.tokens == {hub.token, "hf_wrong"}


def test_what_is_not_uploaded(first: Path, better: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(BundleError, match="no card"):
        push(first, "me/mine")
    with pytest.raises(BundleError, match="OWNER/NAME"):
        push(better, "mine")
    with pytest.raises(BundleError, match="HF_TOKEN"):
        push(better, "me/mine")
    write_json(better / "config.json", json.loads((better / "config.json").read_text()) | {"more": 1})
    with pytest.raises(BundleError, match="not the file"):
        push(better, "me/mine")
