"""ONNX Runtime on the CPU: what serves where there is no GPU."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]

from model.bundle import Bundle
from model.errors import BundleDamaged
from model.levels import admitted
from model.prepared import discard, prepared
from model.preprocess import Floats, Pixels
from model.types import LEVELS

if TYPE_CHECKING:
    from model.classifier import Output, Running

log = logging.getLogger(__name__)

INPUT, OUTPUTS = "pixel_values", ["logits", "embedding"]


class OnnxClassifier:
    """A bundle's ``model.onnx``, or that of a faster level.

    See `model.classifier.Classifier` and `model.classifier.Ahead`; runs may be under way in several threads.
    """

    backend = "onnx"

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int = 0,
        level: str = LEVELS[0],
        models_dir: Path | None = None,
    ) -> None:
        """Check the file and load it.

        Args:
            threads: of one run; 0 leaves it to ONNX Runtime, which takes one for each physical core.
            models_dir: where what this machine has prepared is looked for, see `model.prepared`.

        Raises:
            LevelRefused: the bundle does not admit the level, or its file is not as it was.
            BundleDamaged: it is not what the manifest describes, or has other inputs or outputs.
        """
        assert bundle.onnx is not None
        self.level, self.threads = level, threads
        self.source, self.info = bundle.onnx, bundle.info
        if level != LEVELS[0]:
            found = admitted(bundle, level)
            self.source, self.info = found.path, found.info
        self.prepared = prepared(self.source, models_dir) if models_dir is not None else None
        self.preprocess = bundle.preprocess
        # With the threads of one run some of them wait for the others at every layer: a second run fills that
        # time where several pictures wait. Whoever gave one thread wants one core to be taken.
        self.ahead = 1 if threads == 1 else 2
        self._session = self._opened(bundle, threads)
        inputs = [value.name for value in self._session.get_inputs()]
        outputs = [value.name for value in self._session.get_outputs()]
        if inputs != [INPUT] or sorted(outputs) != sorted(OUTPUTS):
            raise BundleDamaged(
                f"{self.source} takes {inputs} and gives {outputs}, not [{INPUT!r}] and {OUTPUTS}"
            )

        # with merging each picture keeps other tokens: they go one by one, which costs a CPU nothing
        self._alone = self._session.get_inputs()[0].shape[0] == 1
        # 8-bit activations share one scale in a run: what lies beside a picture would change its answer
        self.batch = 1 if self._alone or self.level != LEVELS[0] else 0  # 0: no bound of its own

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
        if self.level == LEVELS[0]:
            bundle.verify(self.source)
        else:
            admitted(bundle, self.level, whole=True)
        return _session(self.source, options, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)

    def __call__(self, pixels: Pixels) -> Output:
        """Look at uint8 pixels ``[B, H, W, 3]``."""
        from model.classifier import Output

        values = self.preprocess.normalise(pixels)
        rows = range(len(values)) if self._alone else ()
        parts = [self._run(values[row : row + 1]) for row in rows] or [self._run(values)]
        logits, embedding = (np.concatenate(each) for each in zip(*parts, strict=True))
        return Output(np.asarray(logits, np.float32), np.asarray(embedding, np.float32))

    def begin(self, pictures: Sequence[Pixels]) -> Running:
        """See `model.classifier.Ahead`."""
        found: Future[Output] = Future()

        def run() -> None:
            try:
                found.set_result(self(np.stack(pictures)))
            except Exception as error:  # for whoever waits for the result
                found.set_exception(error)

        threading.Thread(target=run, name="run", daemon=True).start()  # one that hangs holds no process
        return found

    def _run(self, values: Floats) -> list[Floats]:
        found: list[Floats] = self._session.run(OUTPUTS, {INPUT: values})
        return found


def _session(
    file: Path, options: ort.SessionOptions, optimise: ort.GraphOptimizationLevel
) -> ort.InferenceSession:
    options.graph_optimization_level = optimise
    return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
