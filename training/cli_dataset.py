"""``whosthat dataset``: folders of pictures are collected, checked and split."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.errors import ModelError
from training.errors import TrainingError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

app = typer.Typer(no_args_is_help=True, help="Collect, check and split folders of pictures.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of pictures.")]


@app.callback()
def dataset() -> None:
    """Collect, check and split folders of pictures."""


@app.command()
def collect(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Characters, as people write them.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Pictures of each character, at most.")] = 100,
    out: Annotated[Path, typer.Option(help="Where the characters' folders go.")] = Path("pictures"),
    query: Annotated[str, typer.Option(help="What is searched for; {} is the character's name.")] = "{}",
    engine: Annotated[str, typer.Option(help="bing or duckduckgo.")] = "bing",
    search_page: Annotated[
        str | None, typer.Option(help="An address that answers as Bing's image search does, instead of it.")
    ] = None,
    pause: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds between two requests to one host.")
    ] = 1.0,
) -> None:
    """Collect pictures by search words into DIR/<character>/; run it again to go on."""
    from rich.progress import TaskID

    from training.dataset.collecting import CollectOptions, Haul
    from training.dataset.collecting import collect as collected
    from training.dataset.searching import image_search

    console = _console()
    with _sentences(), _bars(console) as bars:
        shown: dict[str, TaskID] = {}

        def progress(haul: Haul) -> None:
            bar = shown.get(haul.slug)
            if bar is None:
                bar = shown[haul.slug] = bars.add_task(haul.name, total=limit)
            bars.update(bar, completed=min(haul.there, limit))

        options = CollectOptions(limit=limit, query=query, pause=pause)
        hauls = asyncio.run(collected(names, out, image_search(engine, search_page), options, progress))
    for haul in hauls:
        reasons = ", ".join(f"{count} {reason}" for reason, count in haul.dropped.most_common())
        line = f"{haul.name}: {haul.there} pictures, {haul.new} of them new"
        console.print(f"{line}; turned down: {reasons}" if reasons else line, markup=False)


@contextmanager
def _sentences() -> Iterator[None]:
    """One sentence and exit status 1 for what goes wrong; 130 for Ctrl-C."""
    try:
        yield
    except ImportError as error:
        typer.echo(f"whosthat: this needs {error.name}: pip install 'whosthat[training]'", err=True)
        raise typer.Exit(1) from None
    except (TrainingError, ModelError) as error:
        typer.echo(f"whosthat: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("whosthat: stopped; run it again to go on", err=True)
        raise typer.Exit(130) from None


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def _bars(console: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


if __name__ == "__main__":
    app()
