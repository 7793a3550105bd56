"""A bundle in torch: `TorchClassifier`, and how it is put on a device and proved there: `load_torch`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from model.backends.torch.lanes import DEPTH, Flight, Lanes, PlainSlot
from model.backends.torch.networks import Whole, network_of
from model.backends.torch.proving import alike, faithful, probes
from model.backends.torch.runners import BUCKETS, Eager, Recorded, Recorder, Runner, out_of_memory
from model.bundle import Bundle
from model.errors import LevelRefused
from model.preprocess import Floats, Pixels
from model.types import LEVELS

if TYPE_CHECKING:
    from model.classifier import Output

log = logging.getLogger(__name__)
EXACT, FAST = LEVELS[:2]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a bundle is to be run.

    ``buckets`` are the sizes of batches that are recorded; without, the network runs as it is written.
    With ``depth`` batches are under way at a time; 1 is for a device that does nothing by itself.
    """

    device: torch.device
    level: str = EXACT
    dtype: torch.dtype = torch.float32
    depth: int = 1
    buckets: tuple[int, ...] = ()


def plan_of(level: str) -> Plan:
    """What suits this machine.

    Raises:
        LevelRefused: torch has no such level here.
    """
    if not torch.cuda.is_available():
        if level != EXACT:
            raise LevelRefused(f"the level {level} is ONNX Runtime's on a CPU, not torch's")
        return Plan(torch.device("cpu"))
    from model.backends.torch.cuda import half, single_precision

    single_precision()
    device = torch.device("cuda", torch.cuda.current_device())
    if level == EXACT:
        return Plan(device, EXACT, torch.float32, DEPTH, BUCKETS)
    if level == FAST:
        return Plan(device, FAST, half(device), DEPTH, BUCKETS)
    raise LevelRefused(f"there is no level {level} on a GPU, only {EXACT} and {FAST}")


class TorchClassifier:
    """A bundle in torch, see `model.classifier.Classifier` and `model.classifier.Ahead`.

    ``on`` says what it runs on, for the log; ``ahead`` batches may be under way at a time.
    """

    backend = "torch"

    def __init__(self, bundle: Bundle, plan: Plan, runner: Runner, lanes: Lanes | None, on: str) -> None:
        """``lanes`` lead to ``runner``; without, it is asked at once."""
        self.folder, self.info, self.preprocess = bundle.folder, bundle.info, bundle.preprocess
        self.level, self.gpu, self.on = plan.level, plan.device.type == "cuda", on
        self.runner, self._lanes = runner, lanes
        self.ahead = lanes.depth if lanes is not None else 1
        self.batch = lanes.most if lanes is not None else 0  # 0: no bound of its own

    def __call__(self, pixels: Pixels) -> Output:
        """Look at uint8 pixels ``[B, H, W, 3]``."""
        if self._lanes is None:
            with torch.inference_mode():
                return self._output(self.runner(torch.from_numpy(np.array(pixels))).numpy())
        most = self._lanes.most
        parts = [pixels[start : start + most] for start in range(0, len(pixels), most)]
        return self._output(np.concatenate([self._lanes.begin(part).rows() for part in parts]))

    def begin(self, pictures: Sequence[Pixels]) -> UnderWay:
        """See `model.classifier.Ahead`."""
        assert self._lanes is not None
        return UnderWay(self, self._lanes.begin(pictures))

    def _output(self, rows: Floats) -> Output:
        from model.classifier import Output

        classes = len(self.info.characters)
        return Output(rows[:, :classes], rows[:, classes:])


class UnderWay:
    """A batch that was begun, see `model.classifier.Running`."""

    def __init__(self, classifier: TorchClassifier, flight: Flight) -> None:
        self._classifier, self._flight = classifier, flight

    def result(self) -> Output:
        """Wait for it."""
        return self._classifier._output(self._flight.rows())


def load_torch(
    bundle: Bundle,
    *,
    threads: int = 0,
    level: str = EXACT,
    plan: Plan | None = None,
    recorder: Recorder | None = None,
) -> TorchClassifier:
    """Load a bundle's safetensors, put them on the device, and prove what it says there.

    Args:
        threads: CPU threads of this whole process; 0 leaves it to torch.
        plan: by default what suits this machine.
        recorder: by default that of the plan's device.

    Raises:
        BundleDamaged: the weights are not what the manifest or the config describes.
        LevelRefused: torch has no such level here, or it does not say what single precision says.
    """
    if threads:
        torch.set_num_threads(threads)
    plan = plan or plan_of(level)
    network = network_of(bundle)
    whole = Whole(network, bundle.preprocess).eval().to(plan.device).requires_grad_(requires_grad=False)
    if plan.depth == 1:
        return TorchClassifier(bundle, plan, Eager(whole), None, "cpu")
    classes, how = len(bundle.info.characters), bundle.preprocess
    pixels = probes(how.height, how.width)
    exact, likeness = _asked(whole, pixels, plan.device), ""
    if plan.dtype != torch.float32:
        whole.lower(plan.dtype)
        found = alike(_asked(whole, pixels, plan.device), exact, classes, bundle.info.calibration.temperature)
        if found.shortfall:
            raise LevelRefused(
                f"{bundle.info.id} has no level {plan.level} on this device: {found.shortfall}"
            )
        likeness = f", {found.same:.1%} the same first answer as in single precision"
    width = exact.shape[1]
    runner: Runner = Eager(whole)
    if plan.device.type == "cuda":
        runner, lanes = _on_cuda(plan, whole, pixels, classes, width)
        on = torch.cuda.get_device_name(plan.device)
    else:
        if recorder is not None:
            runner = _recorded(plan, whole, recorder, pixels, classes)
        size = (how.height, how.width)
        lanes = Lanes([PlainSlot(runner, runner.most, size) for _ in range(plan.depth)])
        on = "cpu"
    precision, most = str(plan.dtype).removeprefix("torch."), lanes.most
    log.info("%s on %s: %s, %s, %d at a time%s", bundle.info.id, on, precision, runner.name, most, likeness)
    return TorchClassifier(bundle, plan, runner, lanes, on)


def _on_cuda(plan: Plan, whole: Whole, pixels: Pixels, classes: int, width: int) -> tuple[Runner, Lanes]:
    from model.backends.torch.cuda import CudaRecorder, CudaSlot

    recorder = CudaRecorder(plan.device)
    stream = recorder.stream
    copies = torch.cuda.Stream(plan.device)  # type: ignore[no-untyped-call]
    with torch.cuda.stream(stream):  # what is tried out now runs where it will be run
        runner = _recorded(plan, whole, recorder, pixels, classes)
    stream.synchronize()
    picture = (pixels.shape[1], pixels.shape[2])
    slots = [CudaSlot(runner, runner.most, picture, width, stream, copies) for _ in range(plan.depth)]
    return runner, Lanes(slots)


def _recorded(plan: Plan, whole: Whole, recorder: Recorder, pixels: Pixels, classes: int) -> Runner:
    """Recordings if they say what they should, else the network as it is written, and one line in the log."""
    try:
        runner = Recorded(whole, recorder, (pixels.shape[1], pixels.shape[2]), plan.device, plan.buckets)
        wrong = faithful(runner, whole, pixels, classes, plan.dtype, plan.device)
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        wrong = (str(error).strip().partition("\n")[0] or type(error).__name__) + " was said"
    if not wrong:
        return runner
    recorder.forget()
    log.warning("nothing is recorded on this device, because %s: the network runs as it is written", wrong)
    return Eager(whole, max(plan.buckets))


def _asked(whole: Whole, pixels: Pixels, device: torch.device, many: int = 16) -> Floats:
    """Rows of many pictures, a few at a time."""
    with torch.inference_mode():
        parts = [
            whole(torch.from_numpy(pixels[start : start + many]).to(device)).cpu().numpy()
            for start in range(0, len(pixels), many)
        ]
    return np.concatenate(parts)
