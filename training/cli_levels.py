"""``whosthat train levels``: faster levels of a bundle are made, measured and admitted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def levels(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A folder, or builtin.")],
    data: Annotated[
        Path, typer.Option(envvar="WHOSTHAT_PICTURES", help="A folder of pictures.", show_default=False)
    ],
    split: Annotated[
        Literal["validation", "all"], typer.Option(help="Which of them to choose and calibrate by.")
    ] = "validation",
    out: Annotated[
        Path | None,
        typer.Option(help="Write what was measured there instead: the embedded model's levels.json."),
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="Also measure what was chosen on the test part. Once, at the end.")
    ] = False,
    threads: Annotated[int, typer.Option(min=0, help="Processor threads; 0: as many as pay.")] = 0,
    models: Annotated[Path | None, typer.Option(help="Where the embedded model is kept.")] = None,
) -> None:
    """Make the levels fast and turbo of a bundle, if they are good enough on its validation pictures."""
    from rich.console import Console

    from training.cli import one_sentence

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with one_sentence(console):
        from model.bundle import read_bundle
        from model.classifier import find_bundle
        from model.levels.making import add_levels
        from training.cli_evaluate import bar
        from training.leveling import make_levels, measured
        from training.pictures import part, read_dataset

        folder = find_bundle(bundle, models_dir=models or Path.home() / ".cache" / "whosthat" / "models")
        read = read_bundle(folder)
        everything = read_dataset(data)
        pictures = everything if split == "all" else part(everything, split)
        with bar("looking at the pictures", len(pictures)) as step:
            chosen = make_levels(read, pictures, threads=threads, step=step)
        abouts: dict[str, dict[str, Any]] = {level: each.to_json() for level, each in chosen.items()}
        if final:
            held_out = part(everything, "test")
            with bar("looking at the test part", len(held_out)) as step:
                for level, figures in measured(read, held_out, chosen, threads=threads, step=step).items():
                    abouts[level]["test"] = figures
        if out is None:
            add_levels(folder, abouts)
        else:
            from model.bundle import write_json

            write_json(out, {"bundle": read.info.id, "levels": abouts})
        for level, about in abouts.items():
            console.print(_told(level, about), markup=False)


def _told(level: str, about: Mapping[str, Any]) -> str:
    low, high = (100 * each for each in about["accuracy_loss_interval"])
    figures = (
        f"agrees in {about['top1_agreement']:.1%} of {about['pictures']}, loses "
        f"{100 * about['accuracy_loss']:.1f} points ({low:.1f} to {high:.1f}), "
        f"embeddings {about['embedding_cosine']:.3f}"
    )
    return (
        f"{level}: refused, {about['refused']}; {figures}"
        if about["refused"]
        else f"{level}: admitted, {figures}"
    )
