"""Pictures and what is said of them in a parquet file that `datasets` reads as pictures.

Imported only when such a file is written: pyarrow takes 40 MB.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from corrections.export.rows import COLUMNS
from corrections.export.sinks import Hashed

ROWS_IN_GROUP, BYTES_IN_GROUP = 100, 16 << 20
"""A row group ends at whichever comes first: it is what memory holds."""

_ARROW = {
    "string": pa.string(),
    "strings": pa.list_(pa.string()),
    "int64": pa.int64(),
    "float64": pa.float64(),
}
_FEATURE: dict[str, Any] = {
    **{name: {"dtype": name, "_type": "Value"} for name in ("string", "int64", "float64")},
    "strings": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
}


def write_parquet(file: Hashed, rows: Iterable[tuple[dict[str, Any], bytes]]) -> None:
    """Write a file.

    Args:
        rows: all columns of each picture, and its bytes.
    """
    schema = _schema()
    # Pictures are compressed already, and dictionaries of them would be held in memory.
    with pq.ParquetWriter(
        pa.PythonFile(file, mode="w"), schema, compression="none", use_dictionary=False
    ) as writer:
        group: list[dict[str, Any]] = []
        held = 0
        for row, content in rows:
            group.append({"image": {"bytes": content, "path": row["file_name"]}, **row})
            held += len(content)
            if len(group) == ROWS_IN_GROUP or held >= BYTES_IN_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group, held = [], 0
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))


def _schema() -> Any:
    """The columns, with what `datasets` wants to know of them: `image` holds pictures."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [("image", image), *((name, _ARROW[kind]) for name, kind in COLUMNS.items())]
    features = {"image": {"_type": "Image"}, **{name: _FEATURE[kind] for name, kind in COLUMNS.items()}}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})
