"""The pipeline on a GPU, in a process of its own: what a user would write there instead.

``python -m tests.bench.gpu_peer FOLDER DEVICE DTYPE BATCH``. Each line of standard input is a JSON list of
pictures' files; it answers with the milliseconds that all of them took, in batches of ``BATCH``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def loaded(folder: Path, device: str, dtype: str) -> Any:
    """``transformers.pipeline`` on a device."""
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline

    torch.set_grad_enabled(False)
    kind = getattr(torch, dtype)
    model = AutoModelForImageClassification.from_pretrained(folder, dtype=kind)
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    where = torch.device(device)
    return pipeline("image-classification", model=model, image_processor=processor, device=where, dtype=kind)


def main(folder: Path, device: str, dtype: str, batch: int) -> None:
    """Load, say so, answer."""
    classify = loaded(folder, device, dtype)
    print("ready", flush=True)
    for line in sys.stdin:
        pictures = json.loads(line)
        begun = time.perf_counter()
        # a single file goes as one, as a bot would send it; many go as what pipelines batch
        found = classify(pictures, batch_size=batch) if len(pictures) > 1 else classify(pictures[0])
        assert len(found) == len(pictures) or len(pictures) == 1
        print(1000 * (time.perf_counter() - begun), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
