"""The recipes side by side on the project's pictures: accuracy with intervals, time, memory.

    python -m tests.bench.recipes --data $WHOSTHAT_PICTURES --recipes head,adapter,full,reference --seeds 1

*reference* is what ``run_image_classification.py`` of Hugging Face's transformers does when it is given
nothing but a base and pictures, said again over the same Trainer with Pillow in place of torchvision: a
random crop of 8 to 100 % of the area, mirrored half of the time; 3 epochs, 8 pictures a step, AdamW at 5e-5
that falls to zero along a line, float32, with the head that transformers itself puts on such a backbone. All
begin with the backbone of the wheel as its makers left it, which has seen none of these pictures' labels.
Every figure is of the validation part, unless ``--part test`` says that it is the one time.

Each run is a process of its own, one after another; its memory is the most that it ever held. Minutes are
those of a clock; CPU minutes are what the process computed, over all of its threads, and hardly change when
others compute as well. What *head* costs is also told in passes: its CPU time over that of looking at every
picture once with the untouched backbone, decoding included, measured just before on some of them in the same
process.

With ``--without portraits`` nothing of that source is learned from or chosen by; judged are its pictures
outside the part *test* that show characters known from other sources. With ``--cache`` *adapter* and *full*,
and *head* where no passes are counted, find there what earlier trainings saw: that look is not in their
minutes then.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from training.bases import find_base
from training.measuring import wilson
from training.pictures import Picture, part, read_dataset

RECIPES = ("head", "adapter", "full", "reference")


@dataclass(frozen=True)
class Row:
    """One run.

    ``minutes`` and ``cpu_minutes`` are those of the training, ``passes`` the latter over what one look at
    every picture takes, ``gigabytes`` the most memory, ``by_source`` shares.
    """

    recipe: str
    seed: int
    right: int
    of: int
    by_source: dict[str, float]
    minutes: float
    cpu_minutes: float
    passes: float | None
    gigabytes: float

    @property
    def line(self) -> list[str]:
        """For a table."""
        low, high = wilson(self.right, self.of)
        sources = ", ".join(f"{name} {share:.3f}" for name, share in self.by_source.items())
        share = f"{self.right / self.of:.3f} ({low:.3f} to {high:.3f})"
        passes = "" if self.passes is None else f"{self.passes:.2f}"
        spent = [f"{self.minutes:.1f}", f"{self.cpu_minutes:.1f}", passes, f"{self.gigabytes:.1f}"]
        return [self.recipe, str(self.seed), share, sources, *spent]


def main() -> None:
    """Run what was asked for, show a table, write JSON beside it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("WHOSTHAT_PICTURES") or None)
    parser.add_argument("--base", default="wheel", help="as for whosthat train")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--source", action="append", default=[], help="only these; strangers always count")
    parser.add_argument("--without", default="", help="judge by this source, having seen nothing of it")
    parser.add_argument("--part", default="validation", choices=("validation", "test"))
    parser.add_argument("--set", action="append", default=[], help="RECIPE.NAME=VALUE")
    parser.add_argument("--cache", type=Path, help="features of earlier trainings; head never uses them")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of each run; 0: as torch likes")
    parser.add_argument("--models", type=Path, default=Path.home() / ".cache" / "whosthat" / "models")
    parser.add_argument("--out", type=Path, default=Path("recipes.json"))
    asked = parser.parse_args()
    if asked.without and (asked.source or asked.part == "test"):
        sys.exit("--without goes with neither --source nor --part test")
    if asked.data is None or not Path(asked.data).is_dir():
        sys.exit("name a folder of pictures: --data, or WHOSTHAT_PICTURES")
    recipes = asked.recipes.split(",")
    if unknown := set(recipes) - set(RECIPES):
        sys.exit(f"there is no recipe {', '.join(sorted(unknown))}")
    console, rows = Console(), []
    for seed in range(asked.seeds):
        for recipe in recipes:
            console.print(f"{recipe}, seed {seed} …")
            context = multiprocessing.get_context("spawn")
            with context.Pool(1) as pool:
                row = pool.apply(run, (recipe, seed, asked))
            rows.append(row)
            console.print("  " + "  ".join(row.line[2:]), markup=False)
            asked.out.write_text(
                json.dumps([asdict(each) for each in rows], indent=2) + "\n", encoding="utf-8"
            )
    table = Table("recipe", "seed", f"right on the {asked.part} part (95 %)", "by source")
    for name in ("minutes", "CPU minutes", "passes", "GB"):
        table.add_column(name)
    for row in rows:
        table.add_row(*row.line)
    console.print(table)
    console.print(f"written to {asked.out}")


def run(recipe: str, seed: int, asked: argparse.Namespace) -> Row:
    """One training in this process, and its judgement."""
    if asked.threads:
        import torch

        torch.set_num_threads(asked.threads)
    pictures = read_dataset(asked.data)
    if asked.source:
        pictures = [p for p in pictures if p.source in asked.source or p.slug == "nobody"]
    judged = part(pictures, asked.part)
    if asked.without:
        rest = [picture for picture in pictures if picture.source != asked.without]
        seen, groups = {p.slug for p in part(rest, "train")}, {p.group for p in rest}
        judged = [p for p in pictures if p.source == asked.without and p.slug in seen and p.split != "test"]
        judged = [p for p in judged if p.group not in groups]  # near copies may stand in two sources
        asked.source = sorted({picture.source for picture in rest} - {"other"})
        pictures = rest
    once = _look_once(pictures, asked) if recipe == "head" and not asked.without else None
    with tempfile.TemporaryDirectory() as place:
        if recipe == "reference":
            said, (minutes, cpu) = _reference(pictures, judged, seed, asked, Path(place))
        else:
            said, (minutes, cpu) = _ours(recipe, judged, seed, asked, Path(place))
    known = np.array([picture.slug != "nobody" for picture in judged])
    right = np.array([a == picture.slug for a, picture in zip(said, judged, strict=True)])
    sources = sorted({picture.source for picture in judged if picture.slug != "nobody"})
    of_source = np.array([picture.source for picture in judged])
    scale = 2**30 if sys.platform == "darwin" else 2**20  # bytes there, kilobytes here
    return Row(
        recipe,
        seed,
        int(right[known].sum()),
        int(known.sum()),
        {s: round(float(right[known & (of_source == s)].mean()), 4) for s in sources},
        round(minutes, 2),
        round(cpu, 2),
        None if once is None else round(cpu / once, 3),
        round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale, 2),
    )


SOME = 200
"""Pictures on which a pass is measured."""
Minutes = tuple[float, float]
"""Of a clock, and of the CPU."""


def _since(began: Minutes) -> Minutes:
    return time.monotonic() / 60 - began[0], time.process_time() / 60 - began[1]


def _look_once(pictures: Sequence[Picture], asked: argparse.Namespace) -> float:
    """CPU minutes of one pass of inference over what is learned from and chosen by."""
    from training.looking import features_of
    from training.networks import open_network

    network = open_network(find_base(asked.base, asked.models))
    shown = [*part(pictures, "train"), *part(pictures, "validation")]
    features_of(network, shown[:8])  # what is loaded at first use
    some = random.Random(0).sample(shown, min(SOME, len(shown)))
    began = _since((0, 0))
    features_of(network, some)
    return _since(began)[1] * len(shown) / len(some)


def _ours(
    recipe: str, judged: Sequence[Picture], seed: int, asked: argparse.Namespace, place: Path
) -> tuple[list[str], Minutes]:
    from training.predicting import predict
    from training.running import Order, train

    find_base(asked.base, asked.models)  # building or downloading it is not training
    importlib.import_module(f"training.recipes.{recipe}")
    own = [each.removeprefix(f"{recipe}.") for each in asked.set if each.startswith(f"{recipe}.")]
    values = [each.partition("=") for each in own]
    sources = tuple(asked.source) + (("other",) if asked.source else ())
    order = Order(
        data=(Path(asked.data),),
        out=place / "out",
        base=asked.base,
        recipe=recipe,
        seed=seed,
        values=tuple((name, value) for name, _, value in values),
        sources=sources,
        levels=False,  # what is measured here is learning
        cache=asked.cache if asked.cache and (recipe != "head" or asked.without) else place / "cache",
        models_dir=asked.models,
    )
    began = _since((0, 0))
    train(order)
    spent = _since(began)
    found = predict(place / "out", judged)
    return _first(found.logits, found.characters), spent


def _reference(
    pictures: Sequence[Picture], judged: Sequence[Picture], seed: int, asked: argparse.Namespace, place: Path
) -> tuple[list[str], Minutes]:
    """The defaults of run_image_classification.py, as of transformers 5."""
    import torch
    from transformers import AutoModelForImageClassification, Trainer, TrainingArguments, set_seed
    from transformers.utils import logging

    from training.looking import pixels_of

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    set_seed(seed)
    base = find_base(asked.base, asked.models)
    learned = part(pictures, "train")
    slugs = sorted({picture.slug for picture in learned})
    how = base.preprocess
    network = AutoModelForImageClassification.from_pretrained(
        base.folder,
        num_labels=len(slugs),
        id2label=dict(enumerate(slugs)),
        label2id={slug: index for index, slug in enumerate(slugs)},
        ignore_mismatched_sizes=True,
        use_safetensors=True,
    )

    class Shown(torch.utils.data.Dataset[dict[str, Any]]):
        def __init__(self, rows: Sequence[Picture], changed: bool) -> None:
            self.rows, self.changed = rows, changed

        def __len__(self) -> int:
            return len(self.rows)

        def __getitem__(self, index: int) -> dict[str, Any]:
            picture = self.rows[index]
            if self.changed:
                with Image.open(picture.path) as opened:
                    pixels = _random_resized_crop(opened.convert("RGB"), how.height)
            else:
                pixels = pixels_of(picture, how)
            label = slugs.index(picture.slug) if picture.slug in slugs else 0
            return {"pixel_values": torch.from_numpy(how.normalise(pixels[None])[0]), "labels": label}

    trainer = Trainer(
        model=network,
        args=TrainingArguments(
            output_dir=str(place / "reference"),
            save_strategy="no",
            report_to="none",
            seed=seed,
            remove_unused_columns=False,
            disable_tqdm=True,
            dataloader_pin_memory=torch.cuda.is_available(),
        ),
        train_dataset=Shown(learned, True),
    )
    began = _since((0, 0))
    trainer.train()
    spent = _since(began)
    logits = trainer.predict(Shown(judged, False)).predictions
    return _first(np.asarray(logits, np.float32), tuple(slugs)), spent


def _random_resized_crop(image: Image.Image, side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """As torchvision's RandomResizedCrop and RandomHorizontalFlip with their defaults."""
    area = image.width * image.height
    for _ in range(10):
        target = area * random.uniform(0.08, 1.0)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        width, height = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if 0 < width <= image.width and 0 < height <= image.height:
            break
    else:
        width = height = min(image.size)
    left, top = random.randint(0, image.width - width), random.randint(0, image.height - height)
    box = (left, top, left + width, top + height)
    image = image.resize((side, side), Image.Resampling.BILINEAR, box=box)
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(image)


def _first(logits: np.ndarray[Any, np.dtype[np.float32]], characters: Sequence[str]) -> list[str]:
    """The likeliest character of each picture, as *right* is counted everywhere: nobody is no character."""
    logits = logits.copy()
    if "nobody" in characters:
        logits[:, list(characters).index("nobody")] = -np.inf
    return [characters[index] for index in logits.argmax(axis=1)]


if __name__ == "__main__":
    main()
