"""A bundle's ONNX form as ONNX Runtime computes with it on this machine, made once and mapped from the disk.

At every load ONNX Runtime optimises a graph and copies its weights into the order that its kernels want
them in. Both are kept here, so that a later load maps the weights instead: a worker with the embedded model
is ready in a quarter of the time then, and its weights are pages of a file, which the system may drop and
share, instead of twice their size in memory. ::

    <models_dir>/prepared/<key>/model.onnx      the optimised graph
                                model.data      weights, beside them in the kernels' order
                                about.json      what it was made of, sizes and SHA-256

The key holds all that the result depends on: the file, ONNX Runtime's version, the CPU. At a load sizes and
times are compared; `intact` reads every byte, which has time until after the start. ``python -m
model.prepared SOURCE FOLDER`` makes one, in a process that takes its memory with it when it ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from model.bundle import sha256_of
from model.folders import new_folder
from model.hardware import cpu_model

GRAPH, DATA, ABOUT = "model.onnx", "model.data", "about.json"
EDITION = 1
SMALLEST = 1024
"""Bytes; a smaller tensor stays in the graph."""
KEPT_UNUSED = 30 * 86400.0
"""Seconds after which one that nobody has loaded is taken away."""
EXTERNAL = "session.optimized_model_external_initializers_"


def place_of(source: Path, models_dir: Path) -> Path:
    """Where the prepared form of one file is, or would be."""
    stat = source.stat()
    parts = (EDITION, version("onnxruntime"), cpu_model(), source.resolve(), stat.st_size, stat.st_mtime_ns)
    return models_dir / "prepared" / hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def prepared(source: Path, models_dir: Path) -> Path | None:
    """The graph to load instead of ``source``; None when there is none, or not as it was left."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        place = place_of(source, models_dir)
        about = json.loads((place / ABOUT).read_text(encoding="utf-8"))
        for name in (GRAPH, DATA):
            stat = (place / name).stat()
            if [stat.st_size, stat.st_mtime_ns] != about["files"][name]["stat"]:
                return None
        with suppress(OSError):
            os.utime(place / ABOUT)  # somebody uses it
        return place / GRAPH
    return None


def intact(graph: Path) -> bool:
    """Whether every byte is as it was when it was made; what is not is removed."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        about = json.loads((graph.parent / ABOUT).read_text(encoding="utf-8"))
        if all(sha256_of(graph.parent / name) == about["files"][name]["sha256"] for name in (GRAPH, DATA)):
            return True
    discard(graph)
    return False


def discard(graph: Path) -> None:
    """Remove what does not load or is not as it was; it is made again."""
    shutil.rmtree(graph.parent, ignore_errors=True)


def make(source: Path, place: Path) -> None:
    """Prepare ``source``, and take away what has not been used for long.

    Raises:
        OSError: it cannot be written.
        Exception: ONNX Runtime's own, for a file that it cannot use.
    """
    import onnxruntime as ort  # type: ignore[import-untyped]

    with new_folder(place) as draft:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = str(draft / GRAPH)
        options.add_session_config_entry(EXTERNAL + "file_name", DATA)
        options.add_session_config_entry(EXTERNAL + "min_size_in_bytes", str(SMALLEST))
        options.add_session_config_entry("session.save_external_prepacked_constant_initializers", "1")
        ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        (draft / DATA).touch()  # a graph whose tensors are all small has none
        files = {}
        for name in (GRAPH, DATA):
            stat = (draft / name).stat()
            files[name] = {"stat": [stat.st_size, stat.st_mtime_ns], "sha256": sha256_of(draft / name)}
        about = {"source": str(source), "made": time.time(), "files": files}
        (draft / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    for other in place.parent.glob("*/" + ABOUT):
        with suppress(OSError):
            if time.time() - other.stat().st_mtime > KEPT_UNUSED:
                shutil.rmtree(other.parent, ignore_errors=True)


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)
    make(Path(sys.argv[1]), Path(sys.argv[2]))
