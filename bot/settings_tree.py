"""The sections of the settings, with their defaults and what each key takes."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)


class Section(BaseModel):
    """One section: nothing unknown in it, and nobody changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _listed(value: object) -> object:
    """Let a variable hold ``a,b`` where config.toml has ``["a", "b"]``."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list):
        return [str(part) if isinstance(part, int) else part for part in value]
    return value


Strings = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Database(Section):
    """``[database]``"""

    url: str = ""


class Model(Section):
    """``[model]``"""

    use: str = Field("builtin", min_length=1)


class Answers(Section):
    """``[answers]``"""

    sure_right: float = Field(0.95, ge=0, lt=1, allow_inf_nan=False)
    characters_kept: float = Field(0.0, ge=0, lt=1, allow_inf_nan=False)


class Worker(Section):
    """``[worker]``"""

    url: Strings = ()
    ca_file: str = ""
    secret: SecretStr = SecretStr("")
    backend: Literal["auto", "onnx", "torch"] = "auto"
    level: Literal["auto", "exact", "fast", "turbo"] = "auto"
    target_milliseconds: float = Field(100.0, gt=0, le=600_000, allow_inf_nan=False)
    threads: int = Field(0, ge=0, le=256)
    decoders: int = Field(0, ge=0, le=64)
    queue: int = Field(64, ge=1, le=10_000)
    batch: int = Field(64, ge=1, le=1024)
    deadline_seconds: float = Field(20.0, gt=0, le=600, allow_inf_nan=False)
    max_mebibytes: int = Field(20, ge=1, le=256)
    max_megapixels: int = Field(64, ge=1, le=400)
    decode_seconds: float = Field(5.0, gt=0, le=60)
    cache_entries: int = Field(4096, ge=0, le=1_000_000)
    explain: bool = True

    @field_validator("url")
    @classmethod
    def _urls_are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            found = re.fullmatch(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]]+)(?::(\d{1,5}))?/?", each)
            if not (found and int(found[1] or 80) < 2**16) and not re.fullmatch(r"(unix:)?/\S+", each):
                raise ValueError(
                    f'"{each}" is neither "https://HOST:PORT" nor "http://HOST:PORT" nor "unix:/path"'
                )
        return value

    @field_validator("secret")
    @classmethod
    def _secret_is_one(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value()
        if secret and (len(secret) < 16 or not re.fullmatch(r"[!-~]+", secret)):
            raise ValueError("it must have 16 characters at least, of ASCII and without spaces")
        return value


class Cluster(Section):
    """``[cluster]``"""

    address: str = ""
    least: int = Field(1, ge=1, le=10_000)
    most: int = Field(1, ge=1, le=10_000)
    cpus: float = Field(1.0, ge=0, le=1024, allow_inf_nan=False)
    gpus: float = Field(0.0, ge=0, le=64, allow_inf_nan=False)
    ongoing: int = Field(0, ge=0, le=10_000)
    idle_seconds: float = Field(300.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _most_is_not_less(self) -> Cluster:
        if self.most < self.least:
            raise ValueError(f"most is {self.most}, which is fewer than least, {self.least}")
        return self


class Web(Section):
    """``[web]``"""

    enabled: bool = True
    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8080, ge=0, le=65535)
    public_url: str = Field("", pattern=r"^(https?://[^/\s?#]+(/[^\s?#]*)?)?$")


class Discord(Section):
    """``[discord]``"""

    token: SecretStr = SecretStr("")
    api_base: str = Field("", pattern=r"^(https?://\S+)?$")
    gateway_url: str = Field("", pattern=r"^(wss?://\S+)?$")
    shards: int = Field(0, ge=0, le=100_000)
    shard_ids: Strings = ()
    auto_channels: Strings = ()
    cdn_hosts: Strings = ("cdn.discordapp.com", "media.discordapp.net")
    message_content: bool = True
    allow_training: bool = False
    max_age_minutes: int = Field(10, ge=1, le=24 * 60)

    @model_validator(mode="after")
    def _shards_are_there(self) -> Discord:
        if self.shard_ids and not self.shards:
            raise ValueError(
                "shard_ids is set, and shards is 0: it has to be the same number in every process"
            )
        for each in self.shard_ids:
            if not each.isdecimal() or int(each) >= self.shards:
                raise ValueError(f'shard_ids has "{each}", and shards is {self.shards}: they count from 0')
        if len({int(each) for each in self.shard_ids}) < len(self.shard_ids):
            raise ValueError("shard_ids has the same shard twice")
        return self

    @model_validator(mode="after")
    def _channels_are_ids(self) -> Discord:
        for channel in self.auto_channels:
            if channel != "all" and not channel.isdecimal():
                raise ValueError(f'auto_channels has "{channel}", which is neither a channel id nor "all"')
        return self


class Telegram(Section):
    """``[telegram]``"""

    token: SecretStr = SecretStr("")
    api_base: str = Field("", pattern=r"^(https?://\S+)?$")
    mode: Literal["polling", "webhook"] = "polling"
    webhook_url: str = Field("", pattern=r"^(https?://[^/\s]+/\S+)?$")
    webhook_host: str = Field("127.0.0.1", min_length=1)
    webhook_port: int = Field(8081, ge=0, le=65535)
    max_age_minutes: int = Field(10, ge=1, le=24 * 60)

    @model_validator(mode="after")
    def _webhook_has_an_address(self) -> Telegram:
        if self.mode == "webhook" and not self.webhook_url:
            raise ValueError('webhook_url must be set when mode is "webhook"')
        return self


class Limits(Section):
    """``[limits]``"""

    person_per_minute: int = Field(20, ge=1, le=100_000)
    community_per_minute: int = Field(120, ge=1, le=1_000_000)
    pictures_per_message: int = Field(10, ge=1, le=10)
    proposals_per_day: int = Field(10, ge=0, le=1000)


class Review(Section):
    """``[review]``"""

    quorum: int = Field(3, ge=2, le=1000)
    certainty: float = Field(0.99, gt=0.5, lt=1, allow_inf_nan=False)
    newcomer_days: int = Field(3, ge=0, le=365)
    auto_approve: Literal["never", "agreed"] = "never"
    link_minutes: int = Field(10, ge=1, le=24 * 60)
    session_hours: int = Field(8, ge=1, le=24 * 30)


class Export(Section):
    """``[export]``"""

    validation: float = Field(0.1, ge=0, lt=0.5, allow_inf_nan=False)
    test: float = Field(0.1, ge=0, lt=0.5, allow_inf_nan=False)
    kept_hours: int = Field(24, ge=1, le=24 * 30)


class Memory(Section):
    """``[memory]``"""

    on: bool = True
    shared: bool = False
    most: int = Field(10_000, ge=1, le=1_000_000)
    per_minute: int = Field(120, ge=0, le=6_000)


class Training(Section):
    """``[training]``"""

    recipe: Literal["head", "adapter", "full"] = "head"
    base: str = ""
    pictures: str = ""
    evaluation: str = ""
    levels: bool = True
    auto_promote: bool = False
    communities: Strings = ()
    kept_versions: int = Field(3, ge=1, le=1000)
    replies: int = Field(200, ge=0, le=100_000)

    @model_validator(mode="after")
    def _communities_are_named(self) -> Training:
        for each in self.communities:
            if not re.fullmatch(r"[^:\s]+:\S+", each):
                raise ValueError(f'communities has "{each}", which is not written platform:id')
        return self


class Metrics(Section):
    """``[metrics]``"""

    enabled: bool = True
    token: SecretStr = SecretStr("")
    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(0, ge=0, le=65535)


class Retention(Section):
    """``[retention]``"""

    unvoted_hours: int = Field(24, ge=1)
    unconsented_days: int = Field(30, ge=1)
    disk_gibibytes: float = Field(5.0, gt=0, allow_inf_nan=False)


class Log(Section):
    """``[log]``"""

    level: Literal["debug", "info", "warning", "error"] = "info"
    as_json: bool = Field(False, alias="json")
