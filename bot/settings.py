"""The settings: one typed tree, read from config.toml < .env < environment.

Variables are called ``WHOSTHAT_<SECTION>__<KEY>``; the tokens also ``DISCORD_TOKEN``, ``TELEGRAM_TOKEN``,
``METRICS_TOKEN``.
`load` turns whatever is wrong into one sentence that names the key as the operator wrote it.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from bot.errors import SettingsError
from bot.settings_tree import (
    Answers,
    Cluster,
    Database,
    Discord,
    Export,
    Limits,
    Log,
    Memory,
    Metrics,
    Model,
    Retention,
    Review,
    Telegram,
    Training,
    Web,
    Worker,
)

PREFIX = "WHOSTHAT_"
TOKENS = {
    "DISCORD_TOKEN": ("discord", "token"),
    "TELEGRAM_TOKEN": ("telegram", "token"),
    "WHOSTHAT_WORKER__SECRET": ("worker", "secret"),
    "METRICS_TOKEN": ("metrics", "token"),
}
NOT_SETTINGS = {"WHOSTHAT_PICTURES", "WHOSTHAT_SPECS", "WHOSTHAT_CONFIG"}
"""Variables of the same prefix that development uses and that are no settings."""


class Settings(BaseSettings):
    """The whole tree. Make one with `load`; paths in it are absolute."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    data_dir: Path = Path("data")
    database: Database = Database()
    model: Model = Model()
    answers: Answers = Answers()
    worker: Worker = Worker()
    cluster: Cluster = Cluster()
    web: Web = Web()
    discord: Discord = Discord()
    telegram: Telegram = Telegram()
    limits: Limits = Limits()
    review: Review = Review()
    memory: Memory = Memory()
    export: Export = Export()
    training: Training = Training()
    retention: Retention = Retention()
    metrics: Metrics = Metrics()
    log: Log = Log()

    @property
    def database_url(self) -> str:
        """The ledger's SQLAlchemy URL."""
        return self.database.url or f"sqlite+aiosqlite:///{self.data_dir / 'whosthat.db'}"

    @property
    def models_dir(self) -> Path:
        """Where prepared models are kept."""
        return self.data_dir / "models"


def as_tree(settings: Settings) -> dict[str, Any]:
    """The settings for a process of our own, as JSON takes them; without the tokens."""
    tree = settings.model_dump(mode="json", by_alias=True)
    for section, key in TOKENS.values():
        tree[section][key] = ""
    return tree


def given(tree: Mapping[str, Any]) -> Settings:
    """What `as_tree` gave, whatever this process's variables say."""

    class Given(Settings):
        @classmethod
        def settings_customise_sources(  # type: ignore[override]  # called by keyword, the rest is not ours
            cls, settings_cls: type[BaseSettings], *, init_settings: PydanticBaseSettingsSource, **_: object
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (init_settings,)

    return Given(**tree)


class _Variables(PydanticBaseSettingsSource):
    """A mapping of variables as a tree. What names no setting stays in: validation refuses it."""

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        self.variables = variables

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: `__call__` reads all fields at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for name, (section, key) in TOKENS.items():
            if self.variables.get(name):
                tree.setdefault(section, {})[key] = self.variables[name]
        for name, value in self.variables.items():
            if name.startswith(PREFIX) and name not in NOT_SETTINGS and value is not None:
                _plant(tree, _dotted(name).split("."), _value(name, value))
        return tree


def _dotted(variable: str) -> str:
    return variable[len(PREFIX) :].lower().replace("__", ".")


def _value(name: str, text: str) -> object:
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise SettingsError(f"{name} begins like a list but is not valid JSON.") from None


def _plant(tree: dict[str, Any], path: list[str], value: object) -> None:
    for part in path[:-1]:
        below = tree.setdefault(part, {})
        if not isinstance(below, dict):
            return
        tree = below
    tree[path[-1]] = value


def keys(section: type[BaseModel] = Settings, path: str = "") -> Iterator[str]:
    """Every setting's dotted key, in the order of the tree."""
    for name, field in section.model_fields.items():
        key = path + (field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, key + ".")
        else:
            yield key


def load(
    config: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Read the settings.

    Args:
        config: another file than ``config.toml``; it must exist.
        environ: variables instead of the process's own.
        folder: where ``config.toml`` and ``.env`` are looked for instead of the working folder.

    Raises:
        SettingsError: one sentence naming the key.
    """
    folder = (folder or Path.cwd()).resolve()
    variables: dict[str, str | None] = dict(os.environ if environ is None else environ)
    if config is None and (elsewhere := variables.get("WHOSTHAT_CONFIG")):
        config = Path(elsewhere)
    if config is not None and not config.is_file():
        raise SettingsError(f"There is no settings file {config}.")
    file = config or folder / "config.toml"
    home = file.resolve().parent if file.is_file() else folder
    dotenv = _dotenv(home / ".env")

    class Located(Settings):
        @classmethod
        def settings_customise_sources(  # type: ignore[override]  # called by keyword, the rest is not ours
            cls, settings_cls: type[BaseSettings], **_: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            toml = _toml(settings_cls, file)
            return _Variables(settings_cls, variables), _Variables(settings_cls, dotenv), toml

    try:
        settings = Located()
    except ValidationError as error:
        written = {_dotted(name): name for name in (*dotenv, *variables) if name.startswith(PREFIX)}
        raise SettingsError(_sentence(error, file.name, written)) from None
    return settings.model_copy(
        update={
            "data_dir": home / settings.data_dir.expanduser(),
            "database": settings.database.model_copy(update={"url": _located(settings.database.url, home)}),
            "worker": settings.worker.model_copy(update={"ca_file": _placed(settings.worker.ca_file, home)}),
            "model": settings.model.model_copy(update={"use": _model(settings.model.use, home)}),
            "training": settings.training.model_copy(
                update={
                    key: _model(value, home)
                    for key in ("base", "pictures", "evaluation")
                    if (value := getattr(settings.training, key))
                }
            ),
        }
    )


def _located(url: str, home: Path) -> str:
    """An SQLite file's relative path is meant from the settings file's folder, as ``data_dir`` is."""
    found = re.fullmatch(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:)(.+)", url)
    return f"{found[1]}{home / found[2]}" if found else url


def _placed(path: str, home: Path) -> str:
    return str(home / Path(path).expanduser()) if path else ""


def _model(use: str, home: Path) -> str:
    return use if use == "builtin" or use.startswith("hub:") else str(home / Path(use).expanduser())


def _dotenv(file: Path) -> dict[str, str | None]:
    if not file.is_file():
        return {}
    try:
        return dict(dotenv_values(file))
    except UnicodeDecodeError:
        raise SettingsError(f"{file.name} is not UTF-8 text: save it again as UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"{file.name} cannot be read: {error.strerror}.") from None


def _toml(settings_cls: type[BaseSettings], file: Path) -> TomlConfigSettingsSource:
    try:
        source = TomlConfigSettingsSource(settings_cls, toml_file=file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file.name} is not valid TOML: {error}.") from None
    except OSError as error:
        raise SettingsError(f"{file.name} cannot be read: {error.strerror}.") from None
    for name, (section, key) in TOKENS.items():
        if key in source.toml_data.get(section, {}):
            raise SettingsError(f"{section}.{key} must not be in {file.name}: put {name} into .env instead.")
    return source


def _sentence(error: ValidationError, file: str, written: Mapping[str, str]) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(str(part) for part in first["loc"] if not isinstance(part, int)) or "settings"
    variable = next((name for dotted, name in written.items() if f"{dotted}.".startswith(f"{key}.")), None)
    named = variable or f"{key} in {file}"
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(_dotted(variable) if variable else key, list(keys()), n=1)
        return f"{named} is not a setting" + (f"; did you mean {close[0]}?" if close else ".")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in ("model_type", "model_attributes_type"):
        message = "it is a section, whose keys are set one by one"
    return f"{named} is wrong: {message[:1].lower() + message[1:]}."
