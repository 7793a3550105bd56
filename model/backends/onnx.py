"""ONNX Runtime on the CPU: what serves where there is no GPU."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]

from model.bundle import Bundle
from model.errors import BundleDamaged
from model.prepared import discard, prepared
from model.preprocess import Pixels

if TYPE_CHECKING:
    from model.classifier import Output

log = logging.getLogger(__name__)

INPUT, OUTPUTS = "pixel_values", ["logits", "embedding"]


class OnnxClassifier:
    """A bundle's ``model.onnx``, see `model.classifier.Classifier`."""

    level = "exact"
    backend = "onnx"

    def __init__(self, bundle: Bundle, *, threads: int = 0, models_dir: Path | None = None) -> None:
        """Check the file and load it.

        Args:
            threads: of one run; 0 leaves it to ONNX Runtime, which takes one for each physical core.
            models_dir: where what this machine has prepared is looked for, see `model.prepared`.

        Raises:
            BundleDamaged: it is not what the manifest describes, or has other inputs or outputs.
        """
        assert bundle.onnx is not None
        self.source = bundle.onnx
        self.prepared = prepared(self.source, models_dir) if models_dir is not None else None
        self.info = bundle.info
        self.preprocess = bundle.preprocess
        self._session = self._opened(bundle, threads)
        inputs = [value.name for value in self._session.get_inputs()]
        outputs = [value.name for value in self._session.get_outputs()]
        if inputs != [INPUT] or sorted(outputs) != sorted(OUTPUTS):
            raise BundleDamaged(
                f"{bundle.onnx} takes {inputs} and gives {outputs}, not [{INPUT!r}] and {OUTPUTS}"
            )

    def _opened(self, bundle: Bundle, threads: int) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only; a user reads nothing of warnings about nodes
        # Threads that spin while they wait take the machine from everybody else and from one another: on
        # two cores a picture takes 41 ms instead of 37, and on two busy ones 73 ms instead of 138.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if self.prepared is not None:
            try:
                return _session(self.prepared, options, ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
            except Exception as error:  # whatever it is: what it was made of is there still
                log.warning("what was prepared of %s does not load and is made again: %s", self.source, error)
                discard(self.prepared)
                self.prepared = None
        bundle.verify(self.source)
        return _session(self.source, options, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)

    def __call__(self, pixels: Pixels) -> Output:
        """Look at uint8 pixels ``[B, H, W, 3]``."""
        from model.classifier import Output

        logits, embedding = self._session.run(OUTPUTS, {INPUT: self.preprocess.normalise(pixels)})
        return Output(np.asarray(logits, np.float32), np.asarray(embedding, np.float32))


def _session(
    file: Path, options: ort.SessionOptions, optimise: ort.GraphOptimizationLevel
) -> ort.InferenceSession:
    options.graph_optimization_level = optimise
    return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
