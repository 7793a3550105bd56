"""The README's commands, run as a newcomer would: in a fresh clone, with nothing but Python and make."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.drawings import drawing

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.strip().splitlines()
]
SETUP_SECONDS = 900


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What ``git clone`` gives a newcomer, this working tree's changes included."""
    if shutil.which("make") is None or shutil.which("git") is None:
        pytest.skip("make or git is missing")
    folder = tmp_path_factory.mktemp("newcomer") / "whosthat"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def newcomer() -> dict[str, str]:
    """An environment without this project's own virtual environment and settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(
            ("WHOSTHAT_", "VIRTUAL_ENV", "PYTHON", "DISCORD_", "TELEGRAM_", "MAKE", "MFLAGS")
        )
    }
    kept["PATH"] = ":".join(p for p in kept["PATH"].split(":") if not p.startswith(str(ROOT)))
    return {**kept, "WHOSTHAT_WEB__PORT": "0", "PYTHON": sys.executable, "PYTHONUNBUFFERED": "1"}


@pytest.mark.timeout(SETUP_SECONDS + 300)
def test_clone_make_run_and_a_picture(clone: Path) -> None:
    """The main job: the two commands, a picture on the page, a correction, a look into the file."""
    assert COMMANDS[0].startswith("git clone <this repository> whosthat")
    assert COMMANDS[1] == "make run"
    with subprocess.Popen(
        ["make", f"PYTHON={getattr(sys, '_base_executable', sys.executable)}", "run"],
        cwd=clone,
        env=newcomer(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            printed = _until_ready(running)
            url = re.search(r"Page: (\S+)", printed)
            assert url, printed
            assert "Discord: off, set DISCORD_TOKEN in .env" in printed
            answer, cookie = _post(url[1] + "/ask", drawing("red"), "image/png")
            assert answer["verdict"] in ("sure", "unsure", "nobody")
            assert answer["bundle"].startswith("builtin")
            fields = f"prediction={answer['prediction']}&slug=loki".encode()
            said, _ = _post(url[1] + "/correct", fields, "application/x-www-form-urlencoded", cookie)
            assert said["sentence"] == "Thank you, noted: Loki."
        finally:
            os.killpg(running.pid, signal.SIGINT)
            rest = running.communicate(timeout=60)[0]
    assert "Stopped." in rest
    query = "SELECT slug FROM characters JOIN vote_labels ON vote_labels.character_id = characters.id"
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(clone / "data" / "whosthat.db")) as database:
        assert database.execute(query).fetchall() == [("loki",)]


def _until_ready(running: subprocess.Popen[str]) -> str:
    assert running.stdout
    printed = ""
    for line in running.stdout:
        printed += line
        if line.startswith("Ready in "):
            return printed
    raise AssertionError(f"it ended before it was ready:\n{printed}")


def _post(url: str, data: bytes, kind: str, cookie: str = "") -> tuple[dict[str, object], str]:
    headers = {"Accept": "application/json", "Content-Type": kind, "Cookie": cookie}
    request = urllib.request.Request(url, data, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read()), (response.headers["Set-Cookie"] or cookie).split(";")[0]


@pytest.mark.timeout(300)
def test_every_other_command_is_one_that_works(clone: Path) -> None:
    """Run for real what ends by itself; of the rest, that it is understood."""
    (clone / "picture.jpg").write_bytes(drawing("red", kind="JPEG"))
    for command in COMMANDS[2:]:
        words = shlex.split(command.replace("https://example.com/another.png", "picture.jpg"))
        if words[0] == "make":
            subprocess.run([*words, "--dry-run"], cwd=clone, check=True, capture_output=True, env=newcomer())
        elif "identify" in words:
            done = subprocess.run(words, cwd=clone, capture_output=True, text=True, env=newcomer())
            assert done.returncode == 0, done.stderr
            assert "picture.jpg" in done.stdout
            if "--json" in words:
                fields = json.loads(done.stdout.splitlines()[0])
                for field in ("file", "verdict", "character", "confidence", "known", "ranked", "bundle"):
                    assert field in fields
        else:
            assert words[0] == ".venv/bin/whosthat", f"a command that no test runs: {command}"
            command_of = words[: 3 if words[1] == "corrections" else 2]
            said = subprocess.run(
                [*command_of, "--help"], cwd=clone, capture_output=True, text=True, check=True
            )
            assert all(option in said.stdout for option in words if option.startswith("--"))


def test_every_link_to_a_file_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_first_screen_has_two_lines_a_picture_and_two_commands() -> None:
    title, rest = README.split("\n\n", 1)
    assert title.startswith("# ")
    lines, picture, block = rest.split("\n\n")[:3]
    assert len(lines.splitlines()) == 2
    assert picture.startswith("![")
    assert len(block.splitlines()) == 4
