"""The curve of what is said against what it costs: forms of the embedded model on its validation part.

    python -m tests.bench.levels_curve --pictures 200 --json levels-curve.json --draw docs/pictures/levels.svg

Forms with and without 8 bits and with more and more merging look at the same pictures in turns; the chosen
levels are among them. The cost is processor time on one thread. A file of ``--json`` that is there already
is drawn again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from model.builtin import prepare, shipped_levels
from model.bundle import read_bundle
from model.levels.forms import Form, adaptive, evenly
from model.levels.making import opened
from training.leveling import EXACT, calibrated_for, figures_of, looked_at
from training.pictures import part, read_dataset

LAYERS = 12
PAIRS = (8, 16)


def forms() -> dict[str, tuple[str, Form]]:
    """By name: the line that a form is on, and the form."""
    found = {"8 bits": ("8 bits, merging", Form(int8=True))}
    for pairs in PAIRS:
        merge = evenly(pairs, LAYERS)
        found[f"r = {pairs}"] = ("8 bits, merging", Form(int8=True, merge=merge))
    for pairs in (8, 16):
        found[f"r = {pairs}, fp32"] = ("single precision, merging", Form(merge=evenly(pairs, LAYERS)))
        weighted = Form(int8=True, merge=evenly(pairs, LAYERS), proportional=True)
        found[f"r = {pairs}, proportional"] = ("8 bits, merging, proportional attention", weighted)
    alike = 0.95
    found[f"from {alike} on"] = (
        "8 bits, merging by the picture",
        Form(int8=True, merge=adaptive(2, 24, alike, LAYERS)),
    )
    if shipped := shipped_levels():
        even = Form.from_json(shipped["fast"]["form"])
        line = "… and proportional, even channels, two layers whole"
        found["even"] = (line, even)
        for pairs in (4, 8, 12, 16):
            form = replace(even, merge=evenly(pairs, LAYERS), proportional=True)
            found[f"r = {pairs}, even"] = (line, form)
    return found


def measured(folder: Path, models: Path, count: int) -> dict[str, Any]:
    """Every form on as many pictures of the validation part, drawn by a seed."""
    bundle = read_bundle(prepare(models))
    assert bundle.onnx is not None
    rows = [each for each in part(read_dataset(folder), "validation") if each.slug in bundle.info.characters]
    random.Random(0).shuffle(rows)
    rows, named = rows[:count], forms()
    steps = iter(track(range(len(rows)), "looking", transient=True))
    seen = looked_at(
        bundle.onnx,
        opened(bundle.onnx),
        {name: form for name, (_, form) in named.items()},
        rows,
        bundle.preprocess,
        threads=1,
        step=lambda _: next(steps, None) and None,
    )
    points = []
    for name in (EXACT, *named):
        calibration, targets = calibrated_for(seen[name].logits, rows, bundle.info)
        info = replace(bundle.info, calibration=calibration, targets=targets)
        figures = figures_of(seen[name], seen[EXACT], rows, info, bundle.info)
        milliseconds = 1000 * float(np.median(seen[name].seconds))
        line = named[name][0] if name in named else ""
        points.append({"name": name, "line": line, "milliseconds": round(milliseconds, 1), **figures})
    chosen = shipped_levels().values()
    names = {json.dumps(form.to_json()): name for name, (_, form) in named.items()}
    return {
        "bundle": bundle.info.id,
        "pictures": len(rows),
        "chosen": [names.get(json.dumps(level["form"]), "") for level in chosen],
        "points": points,
    }


def draw(found: dict[str, Any], path: Path) -> None:
    """Divergence and embeddings over how many times faster than exact."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    exact = next(each for each in found["points"] if each["name"] == EXACT)
    figure, panels = plt.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    for panel, key, label in zip(
        panels,
        ("divergence", "embedding_cosine"),
        ("divergence of answers from exact's, nats", "cosine of embeddings with exact's, mean"),
        strict=True,
    ):
        for line in dict.fromkeys(each["line"] for each in found["points"] if each["line"]):
            points = [each for each in found["points"] if each["line"] == line]
            points.sort(key=lambda each: each["milliseconds"])
            faster = [exact["milliseconds"] / each["milliseconds"] for each in points]
            panel.plot(faster, [each[key] for each in points], "o-", label=line, markersize=4)
            for x, each in zip(faster, points, strict=True):
                bold = "bold" if each["name"] in found["chosen"] else "normal"
                where, short = (x, each[key]), each["name"].split(",")[0]
                text: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7, "fontweight": bold}
                panel.annotate(short, where, (3, 4), **text)
        panel.plot(1, exact[key], "k*", label=EXACT)
        panel.set_xlabel("times faster than exact, processor time on one thread")
        panel.set_ylabel(label)
        panel.grid(alpha=0.3)
    panels[1].legend(fontsize=7, loc="lower left")
    figure.suptitle(
        f"The embedded model on {found['pictures']} pictures of its validation part; bold: what is shipped",
        fontsize=10,
    )
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def main() -> None:
    """Measure, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("WHOSTHAT_PICTURES") or None)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--json", type=Path, default=Path("levels-curve.json"))
    parser.add_argument("--draw", type=Path)
    chosen = parser.parse_args()
    if not chosen.json.is_file():
        if chosen.data is None:
            sys.exit("name a folder of pictures: --data, or WHOSTHAT_PICTURES")
        found = measured(Path(chosen.data), chosen.models, chosen.pictures)
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    found = json.loads(chosen.json.read_text(encoding="utf-8"))
    for each in found["points"]:
        sys.stdout.write(
            f"{each['name']:24} {each['milliseconds']:6.1f} ms  agrees {each['top1_agreement']:.1%}  "
            f"divergence {1000 * each['divergence']:.2f}e-3  "
            f"loses {100 * each['accuracy_loss']:.1f}  embeddings {each['embedding_cosine']:.3f}\n"
        )
    if chosen.draw:
        draw(found, chosen.draw)


if __name__ == "__main__":
    main()
