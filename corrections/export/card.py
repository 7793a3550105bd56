"""The data card: a README.md as Hugging Face reads it, written from the manifest alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, StrictUndefined

_CARD = """\
---
pretty_name: Corrections {{ snapshot }}
license: other
task_categories:
- image-classification
tags:
- whosthat
size_categories:
- {{ size }}
configs:
- config_name: default
  data_files:
{% for split, count in counts.by_split.items() if count %}
  - split: {{ split }}
    path: {{ paths[split] }}
{% endfor %}
---

# Corrections {{ snapshot }}

Pictures of fictional characters, named by the people of chat communities and approved by moderators (or by
enough of the people, where the operator has allowed that). Written by whosthat; the last decision in it is of
{{ latest_decision }}.

## What is in it

| split | pictures |
|---|---|
{% for split, count in counts.by_split.items() %}
| {{ split }} | {{ count }} |
{% endfor %}

| character | {{ counts.by_split | join(' | ') }} |
|---|{{ '---|' * counts.by_split | length }}
{% for slug, splits in counts.by_character.items() %}
| {{ slug }} | {{ splits.values() | join(' | ') }} |
{% endfor %}

A picture with several characters counts for each of them. *nobody* is a picture of nobody on the list.

Near copies of one picture are in one split, over all communities and over all snapshots of this ledger, and
no picture that was ever in *test* is in *train* later on.

## What was held back

{% for each in held_back %}
- {{ each.sentence }}
{% else %}
Nothing.
{% endfor %}

Every poster of a picture in here has agreed to it being learned from. Agreement can be taken back:
`whosthat corrections withdrawn {{ snapshot }}` lists the files that are to be left out from then on. Whoever
keeps a copy leaves them out, too.

## How to open it

```python
from datasets import load_dataset

{% if format == "parquet" %}
pictures = load_dataset("parquet", data_dir="this folder")
{% else %}
pictures = load_dataset("imagefolder", data_dir="this folder")
{% endif %}
```

`label` is the character, `nobody` or `several`; `labels` lists them. The columns are explained in the
project's `docs/exporting.md`. `manifest.json` has the SHA-256 of every file.

## What it must not be used for

The pictures show fictional characters, played or drawn. They are not there to recognise private persons.
The rights in the pictures are those of whoever made them; this snapshot gives none away.
"""

_ENVIRONMENT = Environment(
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701  # Markdown: slugs, numbers and sentences of ours, nothing that people wrote
)
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def data_card(manifest: Mapping[str, Any]) -> str:
    """The text of README.md."""
    items = manifest["counts"]["items"]
    size = next((name for most, name in _SIZES if items < most), "1M<n<10M")
    parquet = manifest["format"] == "parquet"
    paths = {
        split: f"data/{split}-*.parquet" if parquet else f"{split}/**"
        for split in manifest["counts"]["by_split"]
    }
    return _ENVIRONMENT.from_string(_CARD).render(**manifest, size=size, paths=paths)
