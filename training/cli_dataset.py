"""``whosthat dataset``: folders of pictures are collected, checked and split."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.errors import ModelError
from training.errors import TrainingError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

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


@app.command()
def check(
    folder: Folder,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write a copy without what is wrong; DIR stays as it is."),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="--fix leaves labels out when another is this much likelier (0 to 1)."
        ),
    ] = 0.7,
    sheet: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw the suspected wrong labels on one sheet.")
    ] = None,
    labels: Annotated[bool, typer.Option(help="Judge the labels: looks at every picture once.")] = True,
    table: Annotated[
        Path | None, typer.Option(help="The table of the pictures; splits.csv in DIR if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the folds by which labels are judged.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Where what the backbone saw is kept.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what is in a folder and what is wrong: damaged files, near copies, suspected wrong labels."""
    import json

    from training.dataset.checking import cells_of, check_dataset
    from training.dataset.contact_sheet import draw_sheet
    from training.dataset.fixing import REPORT, write_fixed
    from training.dataset.placing import empty_place
    from training.dataset.telling import tell

    console = _console()
    without = None
    with _sentences(), _bars(console) as bars:
        if fix is not None:
            empty_place(fix, folder)  # before minutes are spent
        step = _steps(bars)
        found = check_dataset(folder, table=table, labels=labels, cache=cache, seed=seed, progress=step)
        if sheet is not None:
            draw_sheet(cells_of(found.suspects), sheet)
        if fix is not None:
            without = write_fixed(found, fix, margin=margin, progress=step)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        tell(found, console)
    if fix is not None and without is not None:
        console.print(f"written to {fix}: {len(without):,} left out, see {fix / REPORT}", markup=False)


@app.command()
def split(
    folder: Folder,
    ratio: Annotated[
        tuple[float, float, float], typer.Option(help="Shares of training, validation and test.")
    ] = (0.8, 0.1, 0.1),
    out: Annotated[
        Path | None, typer.Option(help="Copy the parts to OUT instead of writing splits.csv into DIR.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the parts.")] = 0,
    again: Annotated[bool, typer.Option("--again", help="Also a folder that is split already.")] = False,
) -> None:
    """Split a folder into training, validation and test, near copies together."""
    from training.dataset.splitting import split_dataset
    from training.pictures import SPLITS, TABLE

    console = _console()
    with _sentences(), _bars(console) as bars:
        made = split_dataset(folder, ratio, seed=seed, out=out, again=again, progress=_steps(bars))
    shares = ", ".join(f"{split} {sum(made.counts[split].values()):,}" for split in SPLITS)
    console.print(f"{shares}: {(out or folder) / TABLE}", markup=False)


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
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _steps(bars: Progress) -> Callable[[str, int, int], None]:
    """One bar for each thing that is done."""
    shown: dict[str, TaskID] = {}

    def step(what: str, done: int, of: int) -> None:
        if what not in shown:
            shown[what] = bars.add_task(what, total=of)
        bars.update(shown[what], completed=done)

    return step


if __name__ == "__main__":
    app()
