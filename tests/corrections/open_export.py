"""Opens exports as an ML engineer does, in a process of its own: ``python -m tests.corrections.open_export``.

Arguments: pairs of a builder ("imagefolder", "parquet", or "." for the folder alone) and a folder. Prints one
JSON object a pair: by split the features and the rows, a picture as [width, height].
"""

from __future__ import annotations

import json
import sys
import warnings

warnings.simplefilter("ignore")

from datasets import load_dataset  # noqa: E402

for builder, folder in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    splits = load_dataset(folder) if builder == "." else load_dataset(builder, data_dir=folder)
    found = {}
    for split, rows in splits.items():
        found[split] = {
            "features": {name: str(feature) for name, feature in rows.features.items()},
            "rows": [{**row, "image": row["image"].size} for row in rows],
        }
    print(json.dumps(found, default=str))
