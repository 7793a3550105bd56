"""A PostgreSQL server with a certificate that only its own CA vouches for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from corrections.errors import BadUrl, OpenError
from corrections.ledger import Ledger
from tests.corrections.support import ANNA, address, answer, moment, seen
from tests.standins.certificates import Authority
from tests.standins.postgres import Server, binaries

pytestmark = pytest.mark.skipif(
    binaries() is None and os.environ.get("CI") != "true", reason="there is no PostgreSQL server here"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls(authority: Authority) -> Iterator[Server]:
    """It says that it is *localhost*, in a certificate that the CA signed, and takes nothing but TLS."""
    with Server(pair=authority.sign("server", "localhost")) as server:
        yield server


def by_name(url: str) -> str:
    return url.replace("@127.0.0.1:", "@localhost:")


async def recorded(url: str, folder: Path) -> bool:
    """Open it, write, and see that the connection was encrypted."""
    ledger = await Ledger.open(url, folder)
    try:
        done = await ledger.record(
            address("post"), 0, ANNA, seen("post"), "first", "exact", answer(), 10.0, moment()
        )
        async with ledger.work.read() as session:
            encrypted = await session.connection()
            found = await encrypted.exec_driver_sql(
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            )
            return done.new and bool(found.scalar())
    finally:
        await ledger.close()


@pytest.mark.parametrize("mode", ["ssl=verify-full", "ssl=verify-ca", "sslmode=verify-full", "ssl=require"])
async def test_trusted_by_its_own_authority(
    tls: Server, authority: Authority, tmp_path: Path, mode: str
) -> None:
    assert await recorded(f"{by_name(tls.fresh())}?{mode}&sslrootcert={authority.file}", tmp_path)


async def test_as_libpq_s_variable_says(
    tls: Server, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", str(authority.file))
    assert await recorded(f"{by_name(tls.fresh())}?ssl=verify-full", tmp_path)


async def test_encrypted_but_not_checked(
    tls: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # no ~/.postgresql/root.crt
    assert await recorded(f"{tls.fresh()}?ssl=require", tmp_path)


async def test_what_is_not_trusted_is_one_sentence(
    tls: Server, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    other = Authority(tmp_path)
    url = tls.fresh()

    async def refused(url: str, error: type[OpenError], words: str) -> None:
        with pytest.raises(error, match=words) as caught:
            await Ledger.open(url, tmp_path / "data")
        assert "s%c" not in str(caught.value) and "\n" not in str(caught.value)

    trusting = f"ssl=verify-full&sslrootcert={authority.file}"
    await refused(f"{url}?{trusting}", OpenError, "is not trusted: .*127.0.0.1")
    await refused(f"{by_name(url)}?ssl=verify-full&sslrootcert={other.file}", OpenError, "is not trusted")
    await refused(f"{by_name(url)}?ssl=verify-full", BadUrl, "add &sslrootcert=FILE")
    await refused(f"{by_name(url)}?ssl=verify-full&sslrootcert=/nowhere", BadUrl, "a file that is not there")
    await refused(f"{url}?ssl=disable", OpenError, "wants TLS: add")
