"""``whosthat evaluate`` and ``whosthat gate``: how good a model is, and whether it may serve."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from model.errors import ModelError
from training.errors import EvaluationError, TrainingError

if TYPE_CHECKING:
    from rich.console import Console

    from training.pictures import Picture

app = typer.Typer(no_args_is_help=True, add_completion=False)

InService = Callable[[Path | None], tuple[str, Path]]
"""Of a settings file: what serves, as `model.classifier.load_classifier` takes it; where models are kept."""

Backend = Annotated[Literal["auto", "onnx", "torch"], typer.Option(help="What runs the models.")]
Models = Annotated[Path | None, typer.Option(help="Where the embedded model and downloads are kept.")]
Cache = Annotated[Path | None, typer.Option(help="Keep what was said of each picture in this folder.")]
Threads = Annotated[int, typer.Option(min=0, help="Processor threads; 0: as many as pay.")]
Config = Annotated[Path | None, typer.Option("--config", help="Another settings file than config.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Everything as one JSON object.")]

_in_service: InService | None = None


def register(program: typer.Typer, in_service: InService) -> None:
    """Add both commands to the program, which knows what serves."""
    global _in_service  # the program has one bundle in service
    _in_service = in_service
    program.command()(evaluate)
    program.command()(gate)


@app.command()
def evaluate(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A folder, builtin, or hub:OWNER/NAME.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of pictures.")],
    split: Annotated[
        Literal["train", "validation", "test", "all"], typer.Option(help="Which part of them.")
    ] = "test",
    out: Annotated[
        Path | None,
        typer.Option(help="Where the drawings go; evaluation/<bundle> if not given; none with --json."),
    ] = None,
    backend: Backend = "auto",
    models: Models = None,
    cache: Cache = None,
    threads: Threads = 0,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model on pictures that it was not trained on."""
    with _sentences(1):
        from training.evaluating import evaluate as measured
        from training.predicting import predict

        pictures = _part(folder, split)
        with bar(f"looking at {len(pictures)} pictures", len(pictures)) as step:
            found = predict(
                bundle,
                pictures,
                backend=backend,
                models_dir=_models(models, config),
                threads=threads,
                cache=cache,
                progress=step,
            )
        report = measured(found, pictures)
        drawn: list[Path] = []
        if out is not None or not as_json:
            from training.sheets import draw_all

            drawn = draw_all(found, pictures, out or Path("evaluation") / report.bundle)
        if as_json:
            _print_json(report.to_json() | {"drawn": [str(path) for path in drawn]})
        else:
            from training.telling import tell_report

            tell_report(report, drawn)


@app.command()
def gate(
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="The new model: a folder.")],
    data: Annotated[
        Path,
        typer.Option(
            envvar="WHOSTHAT_PICTURES", help="The evaluation set: its test part.", show_default=False
        ),
    ],
    against: Annotated[
        str | None, typer.Option(metavar="BUNDLE", help="What it is compared with, if not what serves.")
    ] = None,
    corrections: Annotated[
        Path | None, typer.Option(metavar="SNAPSHOT", help="Recent corrections: the test part of an export.")
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="It may know fewer characters than what serves.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="A PNG of the pictures that got worse, to be written.")
    ] = None,
    backend: Backend = "auto",
    models: Models = None,
    cache: Cache = None,
    threads: Threads = 0,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a model may take the place of what serves; exit status 0 is yes, 1 is no, 2 an error."""
    with _sentences(2):
        from training.comparing import compare

        use, models_dir = _current(against, models, config)
        with bar("looking at the pictures", None) as step:
            ruling = compare(
                candidate,
                use,
                _part(data, "test"),
                _corrections(corrections),
                models_dir=models_dir,
                backend=backend,
                threads=threads,
                cache=cache,
                allow_missing=allow_missing,
                progress=step,
            )
        if out is None and not as_json:
            out = Path("evaluation") / "got-worse.png"
        if out is not None and ruling.worse:
            from training.sheets import draw_lost

            draw_lost(ruling.worse, out)
        if as_json:
            _print_json(ruling.to_json())
        else:
            from training.telling import tell_ruling

            tell_ruling(ruling, out)
    raise typer.Exit(0 if ruling.promoted else 1)


def _part(folder: Path, split: str) -> list[Picture]:
    from training.pictures import part, read_dataset

    everything = read_dataset(folder)
    pictures = everything if split == "all" else part(everything, split)
    if not pictures:
        raise EvaluationError(
            f"none of the {len(everything)} pictures in {folder} is in its {split} part: "
            f"whosthat dataset split makes parts, evaluate --split all takes everything"
        )
    return pictures


def _corrections(folder: Path | None) -> list[Picture]:
    """Those of its test part, which no training ever sees; there may be none yet."""
    if folder is None:
        return []
    from training.pictures import part, read_dataset

    return part(read_dataset(folder), "test")


def _current(against: str | None, models: Path | None, config: Path | None) -> tuple[str, Path]:
    if against is not None:
        return against, _models(models, config)
    if _in_service is None:
        raise EvaluationError("--against says what the candidate is compared with")
    use, models_dir = _in_service(config)
    return use, models or models_dir


def _models(models: Path | None, config: Path | None) -> Path:
    if models is not None:
        return models
    if _in_service is not None:
        return _in_service(config)[1]
    return Path.home() / ".cache" / "whosthat" / "models"


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; without a total it only moves."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = _console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task(what, total=total)
        yield lambda done: bars.advance(bar, done)


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def _sentences(status: int) -> Iterator[None]:
    """One sentence and an exit status for what goes wrong; 130 for Ctrl-C."""
    try:
        yield
    except ImportError as error:
        said = f"this needs {error.name}: pip install 'whosthat[training]'"
    except (TrainingError, ModelError) as error:
        said = str(error)
    except OSError as error:
        said = f"{error.filename or 'the disk'}: {error.strerror or error}"
    except KeyboardInterrupt:
        sys.exit(130)
    else:
        return
    typer.echo(f"whosthat: {said}", err=True)
    raise typer.Exit(status)


if __name__ == "__main__":
    app()
