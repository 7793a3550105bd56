"""The commands of training, which the bot's own command line mounts as ``whosthat train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def train() -> None:
    """Make a new model out of a folder of pictures."""


@app.command()
def head(
    pictures: Annotated[
        Path, typer.Option(envvar="WHOSTHAT_PICTURES", help="The folder of pictures.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Where head.safetensors and head.json go.")],
    splits: Annotated[
        Path | None, typer.Option(help="The table of the pictures; splits.csv in their folder if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the folds, and what ONNX and torch are compared on.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Where what the backbone saw is kept.")] = None,
    compare: Annotated[int, typer.Option(help="How many pictures ONNX and torch are compared on.")] = 200,
    final: Annotated[
        bool, typer.Option("--final", help="Also measure on the test part. Once, at the end.")
    ] = False,
    card: Annotated[Path | None, typer.Option(help="Also write the model card; needs --final.")] = None,
) -> None:
    """Train the embedded model's head; most of the time the backbone looks at every picture once."""
    from rich.console import Console

    from model.errors import ModelError
    from training.errors import TrainingError

    console = Console(stderr=True, highlight=False)
    try:
        if card is not None and not final:
            raise TrainingError("a model card needs figures of the test part: give --final as well")
        from training.run_head import run_head

        run_head(
            folder=pictures,
            table=splits,
            out=out,
            seed=seed,
            cache=cache,
            compare=compare,
            final=final,
            card=card,
            console=console,
        )
    except ImportError as error:
        console.print(f"training needs {error.name}: pip install 'whosthat\\[training]'", style="red")
        raise typer.Exit(1) from None
    except (TrainingError, ModelError) as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
