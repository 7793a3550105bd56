"""Workers that listen for other machines: TLS, the secret, and a sentence for everything that is wrong."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from model.client import WorkerClient
from model.errors import WorkerGone, WorkerMisconfigured
from model.trust import trust
from model.worker.guard import Certificate
from model.worker.options import SECRET, WorkerOptions, parse
from tests.model.test_worker import ROOT, Running
from tests.standins.bundles import tiny_bundle
from tests.standins.certificates import Authority, Pair
from tests.standins.drawings import drawing

KNOWN = "a-secret-of-the-tests-own"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> WorkerOptions:
    models = tmp_path_factory.mktemp("models")
    tiny_bundle(models / "tiny")
    return WorkerOptions(listen="tcp://127.0.0.1:0", use=str(models / "tiny"), models_dir=models, decoders=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@asynccontextmanager
async def started(options: WorkerOptions, secret: str = "") -> AsyncIterator[Running]:
    """A worker with a secret in its environment; ``said`` ends with *ready* or *failed*."""
    environ = {name: value for name, value in os.environ.items() if name != SECRET}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "model.worker", *options.to_arguments()),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environ | ({SECRET: secret} if secret else {}),
    )
    logged: list[bytes] = []

    async def drain() -> None:
        assert process.stderr
        async for line in process.stderr:
            logged.append(line)

    reading = asyncio.create_task(drain())
    said: list[str] = []
    try:
        assert process.stdout
        async with asyncio.timeout(60):
            async for raw in process.stdout:
                said.append(raw.decode().strip())
                if said[-1].startswith(("ready ", "failed ")):
                    break
        yield Running(process, said, said[-1].removeprefix("ready ") if said else "")
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 20)
        await reading
        assert secret.encode() not in b"".join(logged) or not secret


def with_tls(options: WorkerOptions, pair: Pair) -> WorkerOptions:
    return replace(options, cert=str(pair.cert), key=str(pair.key))


def named(url: str, name: str = "localhost") -> str:
    return url.replace("127.0.0.1", name)


async def refusal(url: str, **how: object) -> str:
    """What the operator reads."""
    async with WorkerClient(url, **how) as client:  # type: ignore[arg-type]
        with pytest.raises(WorkerMisconfigured) as caught:
            await client.look(drawing(), deadline=20)
        (found,) = await client.survey()
    assert str(found.trouble) == str(caught.value)
    assert KNOWN not in str(caught.value)
    return str(caught.value)


async def test_over_tls_with_a_secret(tiny: WorkerOptions, authority: Authority) -> None:
    pair = authority.sign("good", "localhost", "127.0.0.1")
    async with started(with_tls(tiny, pair), KNOWN) as worker:
        assert worker.url.startswith("https://127.0.0.1:")
        for url in (worker.url, named(worker.url)):
            async with WorkerClient(url, secret=KNOWN, ca_file=authority.file) as client:
                assert (await client.look(drawing("green"))).answer.character == "hulk"
                assert await client.ready()
        assert "wants a secret" in await refusal(worker.url, ca_file=authority.file)
        assert "refuses our secret" in await refusal(
            worker.url, ca_file=authority.file, secret="another-secret-than-that"
        )
        assert "is signed by nobody who is trusted here" in await refusal(worker.url, secret=KNOWN)
        assert "write https:// in worker.url" in await refusal(
            worker.url.replace("https", "http"), secret=KNOWN
        )
        # who only asks whether it lives needs to know nothing; who sends much is refused all the same
        connector = aiohttp.TCPConnector(ssl=trust(authority.file))
        async with aiohttp.ClientSession(worker.url, connector=connector) as http:
            async with http.get("/healthz") as reply:
                assert reply.status == 200
            for path in ("/readyz", "/v1/bundle", "/metrics", "/nothing"):
                async with http.get(path) as reply:
                    assert (reply.status, (await reply.json())["reason"]) == (401, "secret")
            for word in (f"Bearer {KNOWN}x", f"Basic {KNOWN}", KNOWN, "Bearer ", f"Bearer {KNOWN[:-1]}é"):
                sent = {"Authorization": word}
                async with http.post(
                    "/v1/identify", data=io.BytesIO(b"x" * 3_000_000), headers=sent
                ) as reply:
                    assert reply.status == 401


async def test_a_certificate_that_is_wrong_is_one_sentence(tiny: WorkerOptions, authority: Authority) -> None:
    old = authority.sign("old", "localhost", until=timedelta(hours=-1))
    async with started(with_tls(tiny, old)) as worker:
        said = await refusal(named(worker.url), ca_file=authority.file)
        assert "has expired" in said
    other = authority.sign("other", "elsewhere.example")
    async with started(with_tls(tiny, other)) as worker:
        for url in (worker.url, named(worker.url)):
            assert "for another name" in await refusal(url, ca_file=authority.file)


async def test_a_plain_worker_that_is_asked_for_tls(tiny: WorkerOptions, authority: Authority) -> None:
    async with started(tiny) as worker:
        said = await refusal(worker.url.replace("http:", "https:"), ca_file=authority.file)
        assert "does not speak TLS" in said
        assert "--cert and --key" in said


async def test_a_name_that_nobody_knows_and_a_port_where_nobody_listens() -> None:
    async with WorkerClient("http://worker.invalid:9") as client:
        with pytest.raises(WorkerGone, match=r"name of the worker at http://worker\.invalid:9 is not known"):
            await client.look(drawing(), deadline=0.3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with WorkerClient(url) as client:
        with pytest.raises(WorkerGone, match=f"no worker listens at {url}"):
            await client.look(drawing(), deadline=0.3)


@pytest.mark.parametrize(
    ("change", "secret", "sentence"),
    [
        (
            {"listen": "tcp://0.0.0.0:0"},
            "",
            "can be reached from other machines: set WHOSTHAT_WORKER__SECRET",
        ),
        ({"listen": "tcp://[::]:0"}, "", "can be reached from other machines"),
        ({}, "short", "fewer than 16 characters"),
        ({"cert": "here.pem"}, "", "--cert and --key belong together"),
        ({"cert": "no/cert.pem", "key": "no/key.pem"}, "", "no/cert.pem is not there"),
    ],
)
async def test_how_a_worker_does_not_start(
    tiny: WorkerOptions, change: dict[str, str], secret: str, sentence: str
) -> None:
    async with started(replace(tiny, **change), secret) as worker:  # type: ignore[arg-type]
        assert worker.said[-1].startswith("failed WorkerError ")
        assert sentence in worker.said[-1]
        await worker.status(3)


async def test_a_worker_for_others_starts_with_a_secret(tiny: WorkerOptions) -> None:
    async with started(replace(tiny, listen="tcp://0.0.0.0:0"), KNOWN) as worker:
        url = worker.url.replace("0.0.0.0", "127.0.0.1")
        async with WorkerClient(url, secret=KNOWN) as client:
            assert (await client.look(drawing("blue"))).answer.character == "captain-america"


def test_the_secret_is_on_no_command_line(tiny: WorkerOptions) -> None:
    options = replace(tiny, secret=KNOWN)
    assert KNOWN not in " ".join(options.to_arguments())
    assert KNOWN not in repr(options)
    assert parse(options.to_arguments()) == tiny


async def test_a_renewed_certificate_is_taken_without_a_restart(
    tiny: WorkerOptions, authority: Authority
) -> None:
    old = authority.sign("renewed", "localhost", until=timedelta(hours=-1))
    certificate = Certificate.of(with_tls(tiny, old))
    assert certificate is not None
    server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0, ssl=certificate.context)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    async with server, WorkerClient(url, ca_file=authority.file) as client:
        (found,) = await client.survey()
        assert "has expired" in str(found.trouble)
        old.key.write_text("half written")
        certificate.look()
        (found,) = await client.survey()
        assert "has expired" in str(found.trouble)  # what does not fit together is not taken
        authority.sign("renewed", "localhost")
        certificate.look()
        (found,) = await client.survey()
        assert "died" in str(found.trouble)  # trusted by now; this one hangs up


def test_a_file_of_cas_that_holds_none_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    with pytest.raises(WorkerMisconfigured, match="No such file"):
        WorkerClient("https://localhost:1", ca_file=file)
    file.write_text("hello")
    with pytest.raises(WorkerMisconfigured, match="holds no certificates"):
        WorkerClient("https://localhost:1", ca_file=file)
