"""``whosthat bench``: what this machine can do, measured here."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.cli_support import Bar, Config, fail, read_settings, run_main
from bot.errors import BotError
from bot.words import words

if TYPE_CHECKING:
    from model.benching import Benched


def register(app: typer.Typer) -> None:
    """Add the command to ``whosthat``."""
    app.command()(bench)


def bench(
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long it takes, about.")] = 30.0,
    out: Annotated[Path | None, typer.Option(help="Write every measurement to this file, as JSON.")] = None,
    config: Config = None,
) -> None:
    """Measure how fast this machine answers at every level of speed; the bot may run meanwhile."""
    from bot.app import worker_options
    from model.benching import measure

    settings = read_settings(config)
    logging.getLogger().setLevel(logging.ERROR)  # somebody waits for a table, not for a diary
    with Bar(Console(stderr=True, highlight=False), "bench-under-way") as progress:
        found = run_main(measure(worker_options(settings), seconds, progress))
    screen = Console(highlight=False, soft_wrap=True)
    for line in _lines(found):
        screen.print(line, markup=False)
    screen.print(_table(found))
    if out is not None:
        try:
            out.write_text(json.dumps(found.to_json(), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            fail(BotError(words()("bench-not-written", file=str(out), why=error.strerror or str(error))))


def _lines(found: Benched) -> list[str]:
    from model.benching import median, missing

    w = words()
    lines = [w("bench-machine", bundle=found.bundle, cpu=found.cpu, cores=found.cores)]
    if found.busy:
        lines.append(w("bench-busy", load=f"{found.load:.1f}"))
    usual, large = f"{median(found.decode_usual):.1f}", f"{median(found.decode_large):.1f}"
    lines.append(w("bench-decoding", usual=usual, large=large))
    if found.serves is not None:
        way = found.serves
        lines.append(w("bench-chosen", level=way.level, backend=way.backend, threads=way.threads))
    if without := missing(found):
        lines.append(w("bench-without", levels=", ".join(without)))
    return lines


def _table(found: Benched) -> Table:
    from model.benching import POSTERS, late, median

    w = words()
    columns = ("bench-level", "bench-alone", "bench-alone-late", "bench-rate", "bench-together-late")
    table = Table(*(w(key, posters=POSTERS) for key in columns))
    for each in found.levels:
        times = median(each.one_by_one), late(each.one_by_one), late(each.together)
        alone, alone_late, together = (f"{one:.0f} ms" for one in times)
        way = f"{each.level} ({each.backend}, {each.threads})"
        table.add_row(way, alone, alone_late, f"{each.a_second:.1f}", together)
    return table
