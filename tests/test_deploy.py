"""What is in deploy/: read by the programs' own linters and parsers, and compared with the settings.

hadolint, check-jsonschema and crossplane come with the tests' requirements; systemd-analyze, nginx, caddy and
openssl are used where the machine has them. Every check is tried on a planted mistake, too.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from bot.settings import Settings, keys, load
from bot.stopping import GRACE_SECONDS
from bot.web.upload import OVERHEAD
from tests.standins.drawings import drawing
from tests.standins.page import page_served

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DEFAULTS = Settings()
NAME = "whosthat.example.org"
LARGEST = (DEFAULTS.worker.max_mebibytes << 20) + OVERHEAD
STOPPING = GRACE_SECONDS + DEFAULTS.worker.deadline_seconds


def tool(name: str, *, ours: bool = False) -> str:
    """Where a program is. Without it the test is skipped; ``ours`` come with the requirements."""
    paths = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]
    found = shutil.which(name, path=os.pathsep.join(paths))
    if found is None and ours and os.environ.get("CI") == "true":
        pytest.fail(f"{name} comes with the tests' requirements, but it is not here")
    if found is None:
        pytest.skip(f"no {name} on this machine")
    return found


def ran(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False
    )


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def changed(source: str, old: str, new: str) -> str:
    assert old in source, old
    return source.replace(old, new)


# -- Dockerfile ------------------------------------------------------------------------------------


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Every instruction of a Dockerfile and its argument, lines joined."""
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(None, 1)[0].upper(), line.split(None, 1)[1]) for line in joined.splitlines()]


def hadolint(dockerfile: Path) -> list[str]:
    found = json.loads(ran(tool("hadolint", ours=True), "--format", "json", dockerfile).stdout)
    return [f"{each['line']}: {each['code']} {each['message']}" for each in found]


def variables(dockerfile: str) -> dict[str, str]:
    pairs = [shlex.split(argument) for name, argument in instructions(dockerfile) if name == "ENV"]
    return dict(pair.split("=", 1) for each in pairs for pair in each)


def test_hadolint_has_nothing_to_say_of_the_dockerfile() -> None:
    assert hadolint(DEPLOY / "Dockerfile") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("python:3.12-slim\nRUN groupadd", "python\nRUN groupadd"),
        ('CMD ["run"]', "CMD run"),
        ("WORKDIR /app", "WORKDIR app"),
    ],
)
def test_hadolint_finds_a_planted_mistake(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "Dockerfile").write_text(changed(text("Dockerfile"), old, new))
    assert hadolint(tmp_path / "Dockerfile")


def test_the_image_is_small_and_runs_as_nobody_in_particular() -> None:
    steps = instructions(text("Dockerfile"))
    stages = [argument.split()[0] for name, argument in steps if name == "FROM"]
    assert stages == ["python:3.12-slim", "python:3.12-slim"]
    last = steps[max(at for at, (name, _) in enumerate(steps) if name == "FROM") :]
    assert [argument for name, argument in last if name == "USER"] == ["10001:10001"]
    assert [argument for name, argument in last if name == "VOLUME"] == ["/data"]
    pinned = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")
    assert re.search(r"^onnxruntime==", pinned, re.MULTILINE)
    assert not re.search(r"^(torch|transformers)==", pinned, re.MULTILINE)
    assert not any("dev.txt" in argument or "-e" in argument.split() for _, argument in steps)


def test_what_the_image_copies_is_there_and_allowed_into_it() -> None:
    ignored = text("Dockerfile.dockerignore").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    for name, argument in instructions(text("Dockerfile")):
        if name == "COPY" and not argument.startswith("--from"):
            for source in argument.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source.split("/")[0] in allowed, source
    assert not {".env", "data", "tests", ".git"} & allowed
    # What pyproject.toml names must be there when the package is built.
    assert {"README.md", "LICENSE", "pyproject.toml", "bot", "corrections", "model", "training"} <= allowed


def test_the_images_variables_are_settings(tmp_path: Path) -> None:
    shutil.copy(ROOT / "config.toml", tmp_path)
    set_there = {name: value for name, value in variables(text("Dockerfile")).items() if "WHOSTHAT" in name}
    settings = load(environ=set_there, folder=tmp_path)
    assert (str(settings.data_dir), settings.web.host) == ("/data", "0.0.0.0")
    exposed = next(argument for name, argument in instructions(text("Dockerfile")) if name == "EXPOSE")
    assert exposed.split() == [str(settings.web.port), str(settings.telegram.webhook_port)]


async def test_the_health_check_says_whether_the_page_is_served(tmp_path: Path) -> None:
    argument = next(a for name, a in instructions(text("Dockerfile")) if name == "HEALTHCHECK")
    program, *rest = json.loads(argument.partition("CMD ")[2])
    assert program == "python"

    async def healthy(url: str) -> bool:
        command = [changed(part, "http://127.0.0.1:8080", url) if "http" in part else part for part in rest]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stderr=asyncio.subprocess.DEVNULL
        )
        return await asyncio.wait_for(process.wait(), 30) == 0

    async with page_served(tmp_path) as page:
        assert await healthy(page.url)
    assert not await healthy(page.url)


# -- compose ---------------------------------------------------------------------------------------


def schema(compose: Path) -> subprocess.CompletedProcess[str]:
    command = tool("check-jsonschema", ours=True)
    return ran(command, "--builtin-schema", "vendor.compose-spec", compose)


def service() -> dict[str, Any]:
    return dict(yaml.safe_load(text("compose.yaml"))["services"]["bot"])


def test_the_compose_file_keeps_to_the_compose_specification() -> None:
    result = schema(DEPLOY / "compose.yaml")
    assert result.returncode == 0, result.stdout


def test_the_watching_beside_it_keeps_to_it_too_and_is_reached_from_here_only() -> None:
    result = schema(DEPLOY / "compose.watch.yaml")
    assert result.returncode == 0, result.stdout
    services = yaml.safe_load(text("compose.watch.yaml"))["services"]
    assert services["prometheus"]["network_mode"] == "service:bot"  # so that loopback is the bot's
    for name, each in services.items():
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", ())), name
        for volume in each.get("volumes", ()):
            if volume.startswith("./"):
                assert (DEPLOY / volume.split(":")[0]).exists(), volume
    scraped = yaml.safe_load(text("prometheus/prometheus.yml"))["scrape_configs"][0]
    assert scraped["static_configs"][0]["targets"] == [f"127.0.0.1:{DEFAULTS.web.port}"]
    for file in yaml.safe_load(text("prometheus/prometheus.yml"))["rule_files"]:
        assert (DEPLOY / "prometheus" / file).is_file()
    (source,) = yaml.safe_load(text("grafana/provisioning/datasources/whosthat.yaml"))["datasources"]
    assert source["url"] == "http://bot:9090"
    (provider,) = yaml.safe_load(text("grafana/provisioning/dashboards/whosthat.yaml"))["providers"]
    where = provider["options"]["path"]
    assert f"./grafana/whosthat.json:{where}/whosthat.json:ro" in services["grafana"]["volumes"]


@pytest.mark.parametrize(("old", "new"), [("cap_drop:", "cap-drop:"), ("read_only: true", "read_only: [1]")])
def test_the_schema_finds_a_planted_mistake(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "compose.yaml").write_text(changed(text("compose.yaml"), old, new))
    assert schema(tmp_path / "compose.yaml").returncode == 1


def test_the_container_is_locked_up_and_reached_from_here_only() -> None:
    bot = service()
    assert (bot["read_only"], bot["cap_drop"], bot["init"]) == (True, ["ALL"], True)
    assert "no-new-privileges:true" in bot["security_opt"]
    assert {"mem_limit", "pids_limit"} <= set(bot)
    assert bot["ports"] == [f"127.0.0.1:{DEFAULTS.web.port}:{DEFAULTS.web.port}"]
    assert f"127.0.0.1:{DEFAULTS.telegram.webhook_port}:" in text("compose.yaml")
    assert bot["volumes"] == ["data:/data"]
    assert "data" in yaml.safe_load(text("compose.yaml"))["volumes"]
    assert (DEPLOY / bot["build"]["context"]).resolve() == ROOT
    assert (ROOT / bot["build"]["dockerfile"]).is_file()
    assert int(bot["stop_grace_period"].removesuffix("s")) > STOPPING
    assert "TOKEN" not in text("compose.yaml")  # tokens are in .env alone
    assert bot["env_file"] == "../.env"


# -- systemd ---------------------------------------------------------------------------------------


def unit_of(source: str) -> dict[str, list[str]]:
    """The keys of a unit file; a key may come several times."""
    keys: dict[str, list[str]] = {}
    for line in source.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            keys.setdefault(key, []).append(value)
    return keys


def verified(folder: Path, source: str) -> str:
    """What systemd-analyze has to say of a unit whose program is there."""
    command = tool("systemd-analyze")
    unit = folder / "whosthat.service"
    unit.write_text(changed(source, "/opt/whosthat/.venv/bin/whosthat", sys.executable))
    result = ran(command, "verify", unit)
    return "\n".join(line for line in result.stderr.splitlines() if "whosthat.service" in line)


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    assert verified(tmp_path, text("whosthat.service")) == ""


@pytest.mark.parametrize(
    ("old", "new"), [("KillMode=mixed", "KillMode=kindly"), ("StateDirectory=", "StateDir=")]
)
def test_systemd_finds_a_planted_mistake(tmp_path: Path, old: str, new: str) -> None:
    assert verified(tmp_path, changed(text("whosthat.service"), old, new))


def exposure(folder: Path, source: str) -> float:
    command = tool("systemd-analyze")
    (folder / "whosthat.service").write_text(source)
    result = ran(command, "security", "--offline=true", "--no-pager", folder / "whosthat.service")
    found = re.search(r"exposure level for \S+: ([\d.]+)", result.stdout)
    if found is None:
        pytest.skip(f"this systemd-analyze does not look at files: {result.stderr.strip()[:100]}")
    return float(found[1])


def test_the_unit_exposes_little(tmp_path: Path) -> None:
    source = text("whosthat.service")
    assert exposure(tmp_path, source) < 2.0  # of 10
    assert exposure(tmp_path, changed(source, "CapabilityBoundingSet=\n", "")) > 2.0


def test_the_unit_may_take_its_time_and_its_data_are_where_the_guide_says() -> None:
    unit = unit_of(text("whosthat.service"))
    guide = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    assert f"WHOSTHAT_DATA_DIR=/var/lib/{unit['StateDirectory'][0]}" in guide
    assert f"useradd --system --home-dir {unit['WorkingDirectory'][0]}" in guide
    assert unit["User"] == ["whosthat"]
    assert int(unit["TimeoutStopSec"][0]) > STOPPING
    # The worker must outlive the signal, or what is in flight is lost.
    assert unit["KillMode"] == ["mixed"]
    assert (unit["Type"], unit["WatchdogSec"]) == (["notify"], ["60"])
    assert unit["Restart"] == ["on-failure"]
    for key in ("NoNewPrivileges", "PrivateTmp", "ProtectHome"):
        assert unit[key] == ["yes"], key
    assert unit["ProtectSystem"] == ["strict"]


def commands(guide: str) -> list[str]:
    """Every call of whosthat in the shell blocks of a guide."""
    blocks = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    return [
        found
        for block in blocks
        for found in re.findall(r"(?:bin/whosthat|bot whosthat|bot) (\w[^\n]*)", block)
    ]


@pytest.mark.parametrize("guide", ["operating.md", "telegram.md"])
def test_the_guides_name_settings_that_exist(guide: str) -> None:
    known = set(keys())
    sections = {key.split(".")[0] for key in known if "." in key}
    written = (ROOT / "docs" / guide).read_text(encoding="utf-8")
    named = set(re.findall(rf"`((?:{'|'.join(sections)})\.[a-z_]+)`", written))
    assert named
    assert named <= known
    for file in re.findall(r"\]\((?!http)([^)#]+)", written):
        assert (ROOT / "docs" / file).exists(), file


def exists(command: str) -> bool:
    """Whether there is such a command of whosthat."""
    words = [word for word in command.split() if re.fullmatch(r"[a-z-]+", word)]
    path = words[: 2 if words[0] in ("db", "train") else 1]
    call = "from bot.commands import app; app(prog_name='whosthat')"
    return ran(sys.executable, "-c", call, *path, "--help").returncode == 0


def test_the_guide_names_commands_that_exist() -> None:
    called = commands((ROOT / "docs" / "operating.md").read_text(encoding="utf-8"))
    assert {"backup", "restore", "doctor", "db"} <= {each.split()[0] for each in called}
    assert [each for each in called if not exists(each)] == []
    assert not exists("backups FILE")
    assert not exists("db downgrade")


# -- proxies ---------------------------------------------------------------------------------------


def nginx_http(site: Path) -> str:
    """A whole configuration around a file of conf.d, that needs no rights."""
    folder = site.parent
    temporary = "\n".join(
        f"  {kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off; pid {folder}/nginx.pid; error_log stderr;\nevents {{}}\n"
        f"http {{\n  access_log off;\n{temporary}\n  include {site};\n}}\n"
    )


def crossplane_errors(folder: Path, source: str) -> list[str]:
    tool("crossplane", ours=True)
    import crossplane  # type: ignore[import-untyped]

    (folder / "site.conf").write_text(source)
    (folder / "nginx.conf").write_text(nginx_http(folder / "site.conf"))
    parsed = crossplane.parse(str(folder / "nginx.conf"), strict=True)
    return [str(each["error"]) for each in parsed["errors"]]


def certified(folder: Path, source: str) -> str:
    """The site with a certificate of its own, made here."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ran(
        tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", key, "-out", certificate,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    live = f"/etc/letsencrypt/live/{NAME}"
    source = changed(source, f"{live}/fullchain.pem", str(certificate))
    return changed(source, f"{live}/privkey.pem", str(key))


def test_crossplane_reads_the_nginx_configuration(tmp_path: Path) -> None:
    assert crossplane_errors(tmp_path, text("nginx.conf")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("limit_req zone", "limit_requests zone"), ("60s;", "60s"), ("server {\n    listen 443", "listen 443")],
)
def test_crossplane_finds_a_planted_mistake(tmp_path: Path, old: str, new: str) -> None:
    assert crossplane_errors(tmp_path, changed(text("nginx.conf"), old, new))


def on_loopback(source: str) -> tuple[str, int]:
    """The site on free ports of loopback, which need no rights; and its port with TLS."""
    plain, secure = free_port(), free_port()
    source = re.sub(r"listen \[::\]:\d+( ssl)?;", "", source)
    source = changed(source, "listen 80;", f"listen 127.0.0.1:{plain};")
    return changed(source, "listen 443 ssl;", f"listen 127.0.0.1:{secure} ssl;"), secure


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_nginx_reads_its_configuration(tmp_path: Path) -> None:
    nginx = tool("nginx")
    for source, good in ((text("nginx.conf"), True), (changed(text("nginx.conf"), "21m;", "21x;"), False)):
        (tmp_path / "site.conf").write_text(on_loopback(certified(tmp_path, source))[0])
        (tmp_path / "nginx.conf").write_text(nginx_http(tmp_path / "site.conf"))
        result = ran(nginx, "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf")
        assert (result.returncode == 0) == good, result.stderr


def mebibytes(size: str) -> float:
    """A size as nginx (21m) or Caddy (22MB) writes it, in bytes."""
    found = re.fullmatch(r"(\d+)(m|MB)", size)
    assert found, size
    return int(found[1]) * {"m": 1 << 20, "MB": 10**6}[found[2]]


def test_the_proxies_know_ports_and_sizes() -> None:
    page, webhook = f"127.0.0.1:{DEFAULTS.web.port}", f"127.0.0.1:{DEFAULTS.telegram.webhook_port}"
    nginx, caddy = text("nginx.conf"), text("Caddyfile")
    assert set(re.findall(r"proxy_pass http://([\d.:]+);", nginx)) == {page, webhook}
    assert set(re.findall(r"reverse_proxy ([\d.:]+)", caddy)) == {page, webhook}
    assert max(map(mebibytes, re.findall(r"client_max_body_size (\w+);", nginx))) >= LARGEST
    assert max(map(mebibytes, re.findall(r"max_size (\w+)", caddy))) >= LARGEST
    assert re.search(r"location = /metrics \{\s+return 404;", nginx)
    assert re.search(r"handle /metrics \{\s+respond 404", caddy)
    assert int(re.findall(r"proxy_read_timeout (\d+)s;", nginx)[0]) > DEFAULTS.worker.deadline_seconds
    assert f"Host {page};" in nginx
    assert f"header_up Host {page}" in caddy


def test_caddy_reads_its_configuration(tmp_path: Path) -> None:
    caddy = tool("caddy")

    def adapted(source: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "Caddyfile").write_text(source)
        return ran(caddy, "adapt", "--adapter", "caddyfile", "--config", tmp_path / "Caddyfile")

    result = adapted(text("Caddyfile"))
    assert result.returncode == 0, result.stderr
    assert NAME in result.stdout
    assert "warn" not in result.stderr.lower()  # also of how it is indented
    assert adapted(changed(text("Caddyfile"), "reverse_proxy", "reverse_prox")).returncode != 0


def test_the_caddyfile_is_balanced() -> None:
    """What can be said of it where there is no caddy."""

    def depths(source: str) -> list[int]:
        depth, seen = 0, []
        for line in source.splitlines():
            code = line.split("#")[0].rstrip()
            depth -= code.strip() == "}"
            assert line == "" or len(line) - len(line.lstrip("\t")) == depth, line
            depth += code.endswith(" {")
            seen.append(depth)
        return seen

    assert min(depths(text("Caddyfile"))) == 0 == depths(text("Caddyfile"))[-1]
    with pytest.raises(AssertionError):
        depths(changed(text("Caddyfile"), "\thandle {\n", ""))


# -- the page behind a proxy -----------------------------------------------------------------------

BROWSER = {"Sec-Fetch-Site": "same-origin", "Origin": f"https://{NAME}"}


async def test_the_page_takes_what_a_proxy_sends_as_these_files_tell_it(tmp_path: Path) -> None:
    async with page_served(tmp_path) as page, aiohttp.ClientSession(page.url) as session:
        proxied = {"Host": f"127.0.0.1:{DEFAULTS.web.port}", "X-Forwarded-Proto": "https"}
        async with session.get("/", headers=proxied) as response:
            assert response.status == 200
            assert "Secure" in response.headers["Set-Cookie"]
        async with session.post("/ask", data=drawing("red"), headers=proxied | BROWSER) as response:
            assert response.status == 200
        # Without that name, or from another site, it is refused.
        async with session.get("/", headers={"Host": NAME}) as response:
            assert response.status == 403
        elsewhere = BROWSER | {"Sec-Fetch-Site": "cross-site"}
        async with session.post("/ask", data=drawing("red"), headers=proxied | elsewhere) as response:
            assert response.status == 403


@asynccontextmanager
async def nginx_before(folder: Path, page: str) -> AsyncIterator[int]:
    """A real nginx with this project's file, its ports and certificate changed; yields the port with TLS."""
    nginx = tool("nginx")
    site, secure = on_loopback(certified(folder, text("nginx.conf")))
    site = changed(site, "http://127.0.0.1:8080", page)
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(nginx_http(folder / "site.conf"))
    process = await asyncio.create_subprocess_exec(nginx, "-p", folder, "-c", folder / "nginx.conf")
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", secure)
                except OSError:
                    assert process.returncode is None
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield secure
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def test_the_page_behind_a_real_nginx(tmp_path: Path) -> None:
    folder = tmp_path / "nginx"
    folder.mkdir()
    async with page_served(tmp_path) as page, nginx_before(folder, page.url) as port:
        trusted = ssl.create_default_context(cafile=folder / "certificate.pem")
        connector = aiohttp.TCPConnector(ssl=trusted)
        async with aiohttp.ClientSession(f"https://127.0.0.1:{port}", connector=connector) as session:
            named: dict[str, Any] = {"server_hostname": NAME}
            visitor = {"Host": NAME}
            async with session.get("/", headers=visitor, **named) as response:
                assert response.status == 200
                assert "Secure" in response.headers["Set-Cookie"]
            async with session.post(
                "/ask", data=drawing("red"), headers=visitor | BROWSER, **named
            ) as response:
                assert response.status == 200
            too_large = io.BytesIO(bytes(22 << 20))
            async with session.post("/ask", data=too_large, headers=visitor, **named) as response:
                assert response.status == 413
            async with session.post("/telegram", data=b"{}", headers=visitor, **named) as response:
                assert response.status == 502  # nobody listens for webhooks here
            statuses = set()
            for _ in range(40):
                async with session.post("/ask", data=b"", headers=visitor | BROWSER, **named) as response:
                    statuses.add(response.status)
            assert 429 in statuses  # one visitor cannot ask for everybody
