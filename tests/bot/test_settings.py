"""The settings tree, its sources and its sentences; and that config.toml tells the whole tree."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import Settings, as_tree, keys, load

ROOT = Path(__file__).parents[2]


def sentence(tmp_path: Path, toml: str = "", **environ: str) -> str:
    (tmp_path / "config.toml").write_text(toml)
    with pytest.raises(SettingsError) as caught:
        load(environ=environ, folder=tmp_path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_without_any_file_has_the_defaults(tmp_path: Path) -> None:
    settings = load(environ={}, folder=tmp_path)
    assert (settings.model.use, settings.web.host, settings.web.port) == ("builtin", "127.0.0.1", 8080)
    assert settings.data_dir == tmp_path / "data"
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/data/whosthat.db"


def test_environment_overrules_dotenv_overrules_config(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[web]\nport = 1\nhost = "a"\n[limits]\nperson_per_minute = 3\n')
    (tmp_path / ".env").write_text(
        "WHOSTHAT_WEB__PORT=2\nWHOSTHAT_WEB__HOST=b\nDISCORD_TOKEN=from-file\nOTHER=1\n"
    )
    settings = load(environ={"WHOSTHAT_WEB__PORT": "3", "PATH": "/bin"}, folder=tmp_path)
    assert (settings.web.port, settings.web.host, settings.limits.person_per_minute) == (3, "b", 3)
    assert settings.discord.token.get_secret_value() == "from-file"


@pytest.mark.parametrize("name", ["DISCORD_TOKEN", "WHOSTHAT_DISCORD__TOKEN"])
def test_a_token_comes_by_either_name_and_is_never_shown(tmp_path: Path, name: str) -> None:
    settings = load(environ={name: "s3cret"}, folder=tmp_path)
    assert settings.discord.token.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


def test_an_empty_variable_is_an_empty_text(tmp_path: Path) -> None:
    assert load(environ={"WHOSTHAT_WORKER__URL": "", "DISCORD_TOKEN": ""}, folder=tmp_path).worker.url == ()


def test_lists_are_json_or_commas(tmp_path: Path) -> None:
    for text in ('["12", "34"]', "12,34", "[12, 34]"):
        settings = load(environ={"WHOSTHAT_DISCORD__AUTO_CHANNELS": text}, folder=tmp_path)
        assert settings.discord.auto_channels == ("12", "34")


def test_another_file_brings_its_own_folder(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.toml").write_text('data_dir = "kept"\n')
    assert load(other / "mine.toml", environ={}, folder=tmp_path).data_dir == other / "kept"
    with pytest.raises(SettingsError, match="no settings file"):
        load(tmp_path / "missing.toml", environ={}, folder=tmp_path)


def test_paths_are_meant_from_the_settings_files_folder(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.toml").write_text('[database]\nurl = "sqlite:///rel.db"\n[model]\nuse = "models/mine"\n')
    settings = load(other / "mine.toml", environ={}, folder=tmp_path)
    assert settings.database_url == f"sqlite:///{other}/rel.db"
    assert settings.model.use == str(other / "models" / "mine")
    for kept in ("sqlite:////abs.db", "postgresql+asyncpg://host/name"):
        settings = load(
            environ={"WHOSTHAT_DATABASE__URL": kept, "WHOSTHAT_MODEL__USE": "hub:a/b"}, folder=other
        )
        assert (settings.database_url, settings.model.use) == (kept, "hub:a/b")


@pytest.mark.parametrize(
    "url", ["junk", "127.0.0.1:8787", "ftp://x", "http://h:notaport", "http://", "http://h:70000"]
)
def test_a_worker_lives_at_an_address(tmp_path: Path, url: str) -> None:
    assert sentence(tmp_path, WHOSTHAT_WORKER__URL=url).startswith("WHOSTHAT_WORKER__URL is wrong: ")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8787", "https://worker.example/", "unix:/run/w", "/run/w"])
def test_which_kinds_of_address_a_worker_has(tmp_path: Path, url: str) -> None:
    assert load(environ={"WHOSTHAT_WORKER__URL": url}, folder=tmp_path).worker.url == (url,)


def test_workers_may_be_several_and_their_secret_is_in_no_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[worker]\nurl = ["https://a:9000", "https://[::1]:9000"]\nca_file = "ca.pem"'
    )
    secret = "sixteen-at-least!"
    settings = load(environ={"WHOSTHAT_WORKER__SECRET": secret}, folder=tmp_path)
    assert settings.worker.url == ("https://a:9000", "https://[::1]:9000")
    assert settings.worker.ca_file == str(tmp_path / "ca.pem")
    assert settings.worker.secret.get_secret_value() == secret
    assert secret not in repr(settings) + json.dumps(as_tree(settings))
    given = {"WHOSTHAT_WORKER__URL": "https://a:1, unix:/run/w"}
    assert load(environ=given, folder=tmp_path).worker.url == ("https://a:1", "unix:/run/w")
    for bad in ("short", "a secret with spaces in it"):
        said = sentence(tmp_path, WHOSTHAT_WORKER__SECRET=bad)
        assert said.startswith("WHOSTHAT_WORKER__SECRET is wrong: ")
        assert bad not in said
    said = sentence(tmp_path, f'[worker]\nsecret = "{secret}"')
    assert said == "worker.secret must not be in config.toml: put WHOSTHAT_WORKER__SECRET into .env instead."


def test_a_dotenv_of_another_encoding_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("DISCORD_TOKEN=x\n".encode("utf-16"))
    with pytest.raises(SettingsError, match=r"^\.env is not UTF-8 text: save it again as UTF-8\.$"):
        load(environ={}, folder=tmp_path)


def test_what_is_wrong_is_one_sentence_that_names_the_key(tmp_path: Path) -> None:
    assert "web.prot in config.toml is not a setting; did you mean web.port?" in sentence(
        tmp_path, "[web]\nprot = 1"
    )
    assert "WHOSTHAT_DISCROD__TOKEN is not a setting" in sentence(tmp_path, WHOSTHAT_DISCROD__TOKEN="x")
    assert sentence(tmp_path, WHOSTHAT_WEB="5") == (
        "WHOSTHAT_WEB is wrong: it is a section, whose keys are set one by one."
    )
    assert "retention.disk_gibibytes" in sentence(tmp_path, "[retention]\ndisk_gibibytes = inf")
    assert "WHOSTHAT_WEB__PORT is wrong" in sentence(tmp_path, WHOSTHAT_WEB__PORT="99999")
    assert "WHOSTHAT_DISCORD__AUTO_CHANNELS" in sentence(tmp_path, WHOSTHAT_DISCORD__AUTO_CHANNELS="general")
    assert "not valid JSON" in sentence(tmp_path, WHOSTHAT_DISCORD__CDN_HOSTS='["a"')
    assert "worker.backend" in sentence(tmp_path, '[worker]\nbackend = "abacus"')
    assert "config.toml is not valid TOML" in sentence(tmp_path, "[web\n")


@pytest.mark.parametrize(
    ("shards", "ids", "said"),
    [(0, '["0"]', "shards is 0"), (4, '["4"]', "count from 0"), (4, '["1", "01"]', "the same shard twice")],
)
def test_a_process_with_shards_that_cannot_be(tmp_path: Path, shards: int, ids: str, said: str) -> None:
    assert said in sentence(tmp_path, f"[discord]\nshards = {shards}\nshard_ids = {ids}\n")


def test_a_token_in_config_toml_is_refused_without_showing_it(tmp_path: Path) -> None:
    said = sentence(tmp_path, '[discord]\ntoken = "s3cret"')
    assert "DISCORD_TOKEN" in said
    assert "s3cret" not in said


def test_config_toml_has_every_setting_its_default_and_a_comment() -> None:
    text = (ROOT / "config.toml").read_text()
    settings = Settings(**tomllib.loads(text))
    assert settings == Settings(), "config.toml says another default than the code"
    section, above, described = "", "", {}
    for line in text.splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1] + "."
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            described[section + key[1]] = above
        above = line
    assert list(described) == list(keys())
    for key, comment in described.items():
        assert re.match(r"# .{15,}", comment), f"{key} has no comment in config.toml"
