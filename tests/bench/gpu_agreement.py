"""How often half precision changes the answer on real pictures: the figures of a level, in torch.

    python -m tests.bench.gpu_agreement --data $WHOSTHAT_PICTURES --out build/half.json

On whatever torch has: a GPU, or the CPU, whose sums of products in half precision are in single precision as
a GPU's are, so that what is rounded away is the same but for the order of sums. It says nothing of speed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from model.bundle import read_bundle
from model.classifier import find_bundle
from model.levels.admitting import shortfall
from training.leveling import Seen, figures_of
from training.looking import pixels_of
from training.pictures import part, read_dataset

MANY = 8


def figures(use: str, models: Path, data: Path, split: str, dtypes: list[str]) -> dict[str, Any]:
    """By precision what `model.levels.admitting.shortfall` judges; nothing of it is calibrated anew."""
    import torch

    from model.backends.torch.networks import Whole, network_of

    bundle = read_bundle(find_bundle(use, models_dir=models))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    classes = len(bundle.info.characters)
    known = [each for each in part(read_dataset(data), split) if each.slug in bundle.info.characters]
    forms = {}
    for dtype in ("float32", *dtypes):
        forms[dtype] = Whole(network_of(bundle), bundle.preprocess).eval().to(device)
        if dtype != "float32":
            forms[dtype].lower(getattr(torch, dtype))
    rows: dict[str, list[Any]] = {dtype: [] for dtype in forms}
    with torch.inference_mode():
        for start in range(0, len(known), MANY):
            pixels = np.stack([pixels_of(each, bundle.preprocess) for each in known[start : start + MANY]])
            for dtype, whole in forms.items():
                rows[dtype].append(whole(torch.from_numpy(pixels).to(device)).cpu().numpy())
            print(f"\r{start + len(pixels)} of {len(known)}", end="", file=sys.stderr, flush=True)
    found = {dtype: np.concatenate(each) for dtype, each in rows.items()}
    seen = {
        dtype: Seen(each[:, :classes], each[:, classes:], np.zeros(len(each)))
        for dtype, each in found.items()
    }
    told = {}
    for dtype in dtypes:
        of = figures_of(seen[dtype], seen["float32"], known, bundle.info, bundle.info)
        apart = float(np.abs(seen[dtype].logits - seen["float32"].logits).max())
        told[dtype] = of | {
            "most_logit_difference": apart,
            "lacks": shortfall("exact", of),
            "on": str(device),
        }
    return told


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--use", default="builtin")
    parser.add_argument("--models", type=Path, default=Path("build/models"))
    parser.add_argument("--data", type=Path, default=os.environ.get("WHOSTHAT_PICTURES") or None)
    parser.add_argument("--part", default="validation", choices=("validation", "test"))
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16", "float16"])
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.data is None:
        sys.exit("name a folder of pictures: --data, or WHOSTHAT_PICTURES")
    told = figures(asked.use, asked.models, asked.data, asked.part, asked.dtypes)
    text = json.dumps({"part": asked.part, **told}, indent=1)
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
