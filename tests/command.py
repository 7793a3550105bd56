"""``whosthat`` as an operator types it: one run of the program, and what it printed."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

SECONDS = 90


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed, line by line."""
        return self.out.splitlines()

    @property
    def sentence(self) -> str:
        """The one sentence with which it refused."""
        assert self.code == 1 and self.out == "", (self.code, self.out, self.err)
        assert self.err.startswith("whosthat: ") and len(self.err.splitlines()) == 1, self.err
        return self.err.removeprefix("whosthat: ").strip()

    def line(self, start: str) -> str:
        """The one line that begins so, after its mark."""
        found = [line for line in self.lines if line[2:].startswith(start)]
        assert len(found) == 1, self.out + self.err
        return found[0]

    def wrong(self) -> list[str]:
        """The lines with a cross."""
        return [line for line in self.lines if line.startswith("✗")]


async def whosthat(folder: Path, *arguments: object, seconds: float = SECONDS, **settings: str) -> Said:
    """One run in a folder, which may be a running bot's; no setting of ours gets in, and no traceback out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").touch()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WHOSTHAT_", "HF_")) and not name.endswith("_TOKEN")
    }
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("whosthat"),
        *(str(each) for each in arguments),
        cwd=folder,
        env=kept | {"WHOSTHAT_WORKER__DECODERS": "1"} | settings,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    said = Said(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in said.out + said.err, said
    return said
