"""``whosthat train``: a better model out of folders of pictures; ``train head``: the embedded one's head."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from training import cli_levels

app = typer.Typer(invoke_without_command=True)
app.command()(cli_levels.levels)

Recipe = Literal["head", "adapter", "full"]


@app.callback()
def train(
    context: typer.Context,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of pictures or an exported snapshot; may be given again.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder of the new bundle; must not be there.", show_default=False)
    ] = None,
    base: Annotated[
        str, typer.Option(metavar="builtin|wheel|hub:OWNER/NAME|FOLDER", help="What to start from.")
    ] = "builtin",
    recipe: Annotated[
        Recipe, typer.Option(help="head: seconds a hundred pictures; adapter: more; full: most, for GPUs.")
    ] = "head",
    seed: Annotated[int, typer.Option(help="The same seed and pictures give the same weights on a CPU.")] = 0,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A value of the recipe; may be given again."),
    ] = None,
    sources: Annotated[
        list[str] | None, typer.Option("--source", help="Only pictures of this source; may be given again.")
    ] = None,
    least: Annotated[
        int, typer.Option(min=1, help="New characters with fewer pictures to learn from are left out.")
    ] = 5,
    levels: Annotated[
        bool, typer.Option(help="Also make faster levels of it: a look at up to 500 pictures for each form.")
    ] = True,
    cache: Annotated[Path | None, typer.Option(help="Where what the backbone saw is kept.")] = None,
    models: Annotated[Path | None, typer.Option(help="Where models from elsewhere are kept.")] = None,
    progress: Annotated[
        Literal["bar", "json"], typer.Option(help="json: lines on standard output, for a program.")
    ] = "bar",
) -> None:
    """Make a new model out of folders of pictures.

    A run that was stopped or killed goes on where it was when the same command is given again.
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with one_sentence(console):
        from training.errors import TrainingError
        from training.progress import Bars, Lines

        if not data or out is None:
            raise TrainingError("whosthat train needs --data and --out; --help says more")
        pairs = [each.partition("=") for each in values or ()]
        if bad := next((name for name, equals, _ in pairs if not equals), None):
            raise TrainingError(f"--set {bad} is not of the form NAME=VALUE")
        from training.running import Order, first_process
        from training.running import train as run

        asked = Order(
            data=tuple(data),
            out=out,
            base=base,
            recipe=recipe,
            seed=seed,
            values=tuple((name, value) for name, _, value in pairs),
            least=least,
            sources=tuple(sources or ()),
            levels=levels,
            **({"cache": cache} if cache else {}),
            **({"models_dir": models} if models else {}),
        )
        if progress == "json" or not first_process():
            lines = Lines(sys.stdout if first_process() else sys.stderr)
            run(asked, lines if first_process() else None, lines.note)
            return
        with Bars(console) as bars:
            run(asked, bars, lambda line: console.print(line, markup=False))


@contextmanager
def one_sentence(console: object) -> Iterator[None]:
    """Whatever is known to go wrong is said in one sentence, with exit code 1."""
    from rich.console import Console

    from model.errors import ModelError
    from training.errors import TrainingError

    assert isinstance(console, Console)
    try:
        yield
    except ImportError as error:
        console.print(
            f"training needs {error.name}, which is not installed: pip install -e '.[training]'",
            style="red",
            markup=False,
        )
    except (TrainingError, ModelError) as error:
        console.print(str(error), style="red", markup=False)
    except OSError as error:
        console.print(f"{error.filename or 'the disk'}: {error.strerror or error}", style="red", markup=False)
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on from here", style="red")
        raise typer.Exit(130) from None
    else:
        return
    raise typer.Exit(1) from None


@app.command()
def head(
    pictures: Annotated[
        Path, typer.Option(envvar="WHOSTHAT_PICTURES", help="The folder of pictures.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Where head.safetensors, head.json and the rest go.")],
    tuned: Annotated[
        list[Path] | None,
        typer.Option(
            help="Take over this bundle, made with --base wheel; or the mean of several.",
            show_default=False,
        ),
    ] = None,
    rank: Annotated[
        int,
        typer.Option(
            min=0, help="Of the shipped change of each of the backbone's matrices; 0: all, in 8 bits."
        ),
    ] = 0,
    splits: Annotated[
        Path | None, typer.Option(help="The table of the pictures; splits.csv in their folder if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the folds, and what ONNX and torch are compared on.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Where what the backbone saw is kept.")] = None,
    compare: Annotated[int, typer.Option(help="How many pictures ONNX and torch are compared on.")] = 200,
    drawn: Annotated[
        int, typer.Option(min=0, help="So many strangers drawn by code teach the class for nobody.")
    ] = 0,
    final: Annotated[
        bool, typer.Option("--final", help="Also measure on the test part. Once, at the end.")
    ] = False,
    card: Annotated[Path | None, typer.Option(help="Also write the model card; needs --final.")] = None,
) -> None:
    """Make the embedded model's files; most of the time its backbone looks at every picture once."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with one_sentence(console):
        from training.errors import TrainingError

        if card is not None and not final:
            raise TrainingError("a model card needs figures of the test part: give --final as well")
        from training.run_head import run_head

        run_head(
            folder=pictures,
            table=splits,
            tuned=tuned or (),
            rank=rank,
            out=out,
            seed=seed,
            cache=cache,
            compare=compare,
            drawn=drawn,
            final=final,
            card=card,
            console=console,
        )


if __name__ == "__main__":
    app()
