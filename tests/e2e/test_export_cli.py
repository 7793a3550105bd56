"""``whosthat corrections`` as an operator types it, while the bot runs."""

from __future__ import annotations

import json
import signal
import zipfile
from pathlib import Path

from tests.command import Said, whosthat
from tests.e2e.running import running_bot
from tests.standins.drawings import drawing


async def corrections(folder: Path, *arguments: object, **settings: str) -> Said:
    return await whosthat(folder, "corrections", *arguments, **settings)


def album(root: Path) -> Path:
    for number, (name, colour) in enumerate((("iron-man", "red"), ("绿巨人", "green"), ("nobody", "grey"))):
        path = root / name / "1.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(drawing(colour, seed=number))
    return root


async def test_import_export_and_withdrawn_beside_a_running_bot(tmp_path: Path, bundle: Path) -> None:
    model = {"WHOSTHAT_MODEL__USE": str(bundle)}
    async with running_bot(tmp_path, bundle) as bot:
        await bot.ready()
        place = album(tmp_path / "album")
        said = await corrections(
            tmp_path, "import", place, "--community", "telegram:-100", "--approved", "--consent", **model
        )
        assert (said.code, said.lines, said.err) == (0, ["3 pictures imported, 0 already there."], "")
        said = await corrections(
            tmp_path, "import", place, "--community", "discord:5", "--queue", "--consent", **model
        )
        assert said.code == 0

        said = await corrections(tmp_path, "export", "out", **model)
        assert (said.code, said.err) == (0, "")
        name = said.lines[0].split()[-1].rstrip(".")
        assert said.lines[0] == f"3 pictures exported to out as snapshot {name}."
        assert said.lines[1].startswith("train ")
        manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
        assert manifest["snapshot"] == name and manifest["counts"]["items"] == 3

        again = await corrections(tmp_path, "export", "out", **model)
        assert "is not empty" in again.sentence

        said = await corrections(
            tmp_path, "export", "one.zip", "--character", "Hulk", "--community", "telegram:-100", **model
        )
        assert said.lines[0].startswith("One picture exported to one.zip")
        with zipfile.ZipFile(tmp_path / "one.zip") as archive:
            assert sum(entry.endswith(".webp") for entry in archive.namelist()) == 1

        listed = await corrections(tmp_path, "snapshots", **model)
        assert [line.split()[0] for line in listed.lines][-1] == name and len(listed.lines) == 2
        assert (await corrections(tmp_path, "withdrawn", name, **model)).out == ""

        for wrong in (
            ("export", "x", "--character", "=HYPERLINK(1)"),
            ("export", "x", "--since", "2000-01-01", "--community", "discord:5"),
            ("withdrawn", "../../etc"),
        ):
            assert (await corrections(tmp_path, *wrong, **model)).sentence, wrong
            assert not (tmp_path / "x").exists()

        await bot.stop(signal.SIGTERM)
    assert not [line for line in bot.lines if "Traceback" in line]
