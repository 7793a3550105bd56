"""What is around a GPU, with real torch on the CPU: recordings, buckets, half precision, and their proof.

What records and copies on a card stands in `model.backends.torch.cuda` alone; here a recorder runs the same
work again, which is what a CUDA graph promises to do.
"""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.bundle import read_bundle
from model.classifier import Ahead, load_classifier
from model.errors import LevelRefused
from model.preprocess import Preprocess

torch = pytest.importorskip("torch", reason="needs the training dependencies")
pytest.importorskip("transformers", reason="needs the training dependencies")

from model.backends.torch import Plan, TorchClassifier, load_torch  # noqa: E402
from model.backends.torch.lanes import Lanes, PlainSlot  # noqa: E402
from model.backends.torch.networks import Whole, network_of  # noqa: E402
from model.backends.torch.proving import alike, faithful, probes  # noqa: E402
from model.backends.torch.runners import Eager, Recorded, bucket_of, out_of_memory  # noqa: E402
from tests.model.test_torch_backend import tiny_vit  # noqa: E402

CPU = torch.device("cpu")
BUCKETS = (1, 2, 4, 8)
CLASSES = 3


class Again:
    """Runs the same work again into the same memory; ``broken`` says what a faulty device does instead.

    As a CUDA graph does it, it keeps neither the network nor what that reads: weights that nobody else keeps
    are gone when it is played.
    """

    def __init__(self, broken: str = "", room: int = 1000) -> None:
        self.broken, self.room = broken, room
        self.recorded: list[int] = []
        self.forgotten = 0

    def record(self, work: partial[torch.Tensor]) -> tuple[Callable[[], None], torch.Tensor]:
        whole, (pixels,) = weakref.ref(work.func), work.args
        with torch.inference_mode():
            rows = work().clone()
        if len(rows) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")
        if self.broken == "refuses":
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        self.recorded.append(len(rows))

        def play() -> None:
            with torch.inference_mode():
                network = whole()
                assert network is not None, "the weights are gone"
                found = network(pixels)
                if self.broken == "stale":
                    return
                if self.broken == "swapped":
                    found = found.flip(0)
                if self.broken == "not a number":
                    found = found * float("nan")
                if self.broken == "a little off":
                    found[:, 0] += 0.05 * found[:, :CLASSES].abs().max()
                if self.broken == "other embeddings":
                    found[:, CLASSES:] = found[:, CLASSES:].flip(1)
                rows.copy_(found)

        return play, rows

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_vit(tmp_path_factory.mktemp("device") / "vit")


@pytest.fixture(scope="module")
def whole(folder: Path) -> Whole:
    bundle = read_bundle(folder)
    return Whole(network_of(bundle), bundle.preprocess).eval()


def pixels_of(count: int) -> np.ndarray:
    return probes(32, 32, count)


@given(count=st.integers(1, 64))
def test_a_batch_goes_into_the_smallest_bucket_with_room(count: int) -> None:
    size = bucket_of(count, (1, 2, 4, 8, 16, 32, 64))
    assert count <= size < 2 * count


def test_more_than_the_largest_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="9 pictures are more than 8"):
        bucket_of(9, BUCKETS)


def test_on_the_device_pixels_become_what_they_become_with_numpy(whole: Whole) -> None:
    seen = []
    whole.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    how = Preprocess(32, 32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    pixels = pixels_of(4)
    with torch.inference_mode():
        whole(torch.from_numpy(pixels))
    assert np.array_equal(seen[0].numpy(), how.normalise(pixels))
    assert seen[0].is_contiguous()
    whole.network._forward_pre_hooks.clear()


def test_a_recording_says_what_the_network_says_for_every_count(whole: Whole) -> None:
    recorder = Again()
    runner = Recorded(whole, recorder, (32, 32), CPU, BUCKETS)
    assert recorder.recorded == [8, 4, 2, 1]  # the largest first: the others find its memory
    assert runner.most == 8
    pixels = pixels_of(8)
    with torch.inference_mode():
        expected = whole(torch.from_numpy(pixels)).numpy()
        for count in (8, 1, 3, 5, 2, 7, 4, 6):
            found = runner(torch.from_numpy(pixels[:count])).numpy()
            assert found.shape == (count, CLASSES + 32)
            assert np.abs(found - expected[:count]).max() < 1e-4
    assert not faithful(runner, whole, pixels_of(16), CLASSES, torch.float32, CPU)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("stale", "off by"),
        ("swapped", "off by"),
        ("not a number", "gives no numbers"),
        ("a little off", "off by"),
        ("other embeddings", "embeddings"),
        ("refuses", "operation not permitted when stream is capturing"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_device_that_says_something_else_is_not_believed(
    folder: Path, broken: str, said: str, dtype: torch.dtype, caplog: pytest.LogCaptureFixture
) -> None:
    plan = Plan(CPU, "fast", dtype, depth=2, buckets=BUCKETS)
    caplog.set_level(logging.INFO)
    classifier = load_torch(read_bundle(folder), plan=plan, recorder=Again(broken))
    assert classifier.runner.name == "eager"
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert said in warning.getMessage()
    assert "the network runs as it is written" in warning.getMessage()
    assert "\n" not in warning.getMessage()
    reference = load_torch(read_bundle(folder))(pixels_of(11))
    found = classifier(pixels_of(11))
    assert (found.logits.argmax(1) == reference.logits.argmax(1)).mean() > 0.9
    assert np.abs(found.logits - reference.logits).max() < (0.2 if dtype == torch.bfloat16 else 1e-4)


def test_without_room_the_largest_buckets_are_left_out(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Again(room=2)
    plan = Plan(CPU, "exact", torch.float32, depth=2, buckets=BUCKETS)
    classifier = load_torch(read_bundle(folder), plan=plan, recorder=recorder)
    assert classifier.runner.name == "graphs"
    assert classifier.batch == classifier.runner.most == 2
    assert recorder.forgotten == 2
    assert ["8 pictures" in caplog.text, "4 pictures" in caplog.text] == [True, True]
    assert classifier(pixels_of(5)).logits.shape == (5, CLASSES)


def test_no_room_at_all_is_an_error(folder: Path) -> None:
    plan = Plan(CPU, "exact", torch.float32, depth=2, buckets=BUCKETS)
    with pytest.raises(torch.OutOfMemoryError):
        load_torch(read_bundle(folder), plan=plan, recorder=Again(room=0))


def test_an_error_in_the_end_of_a_recording_still_tells_of_memory() -> None:
    try:
        try:
            raise torch.OutOfMemoryError("CUDA out of memory")
        finally:
            raise RuntimeError("the capture was invalidated")
    except RuntimeError as error:
        assert out_of_memory(error)
    assert not out_of_memory(RuntimeError("something else"))


@pytest.mark.parametrize("kind", ["ViT", "Dinov2", "DeiT"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_inside_alone(tmp_path: Path, kind: str, dtype: torch.dtype) -> None:
    folder = tiny_vit(tmp_path / kind, kind)
    plan = Plan(CPU, "fast", dtype, depth=2, buckets=BUCKETS)
    classifier = load_torch(read_bundle(folder), plan=plan, recorder=Again())
    assert (classifier.level, classifier.runner.name) == ("fast", "graphs")
    seen = classifier(pixels_of(12))
    assert seen.logits.dtype == seen.embedding.dtype == np.float32
    assert np.allclose(np.linalg.norm(seen.embedding, axis=1), 1, atol=1e-5)
    exact = load_torch(read_bundle(folder))(pixels_of(12))
    apart = np.abs(seen.logits - exact.logits).max()
    assert 0 < apart < 0.1  # computed in half, or nothing would differ
    # no row has gone through eight bits of mantissa on its way out
    rows = torch.from_numpy(np.hstack([seen.logits, seen.embedding]))
    assert (rows.to(dtype).float() != rows).float().mean() > 0.9


def test_the_last_layer_keeps_every_bit(folder: Path) -> None:
    network = network_of(read_bundle(folder))
    before = {name: value.clone() for name, value in network.network.classifier.state_dict().items()}
    network.lower(torch.bfloat16)
    assert network.network.vit.embeddings.cls_token.dtype == torch.bfloat16
    for name, value in network.network.classifier.state_dict().items():
        assert torch.equal(value, before[name])


def test_half_precision_that_says_something_else_is_refused(tmp_path: Path) -> None:
    """Networks have activations beyond what fp16 holds: 65,504."""
    from safetensors.torch import load_file, save_file

    folder = tiny_vit(tmp_path / "vit")
    tensors = load_file(folder / "model.safetensors")
    (name,) = [name for name in tensors if name.endswith("layer.0.output.dense.weight")]
    tensors[name] *= 1e6
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    plan = Plan(CPU, "fast", torch.float16, depth=2, buckets=BUCKETS)
    with pytest.raises(LevelRefused, match="has no level fast on this device: it"):
        load_torch(read_bundle(folder), plan=plan, recorder=Again())


def rows_of(shares: list[list[float]], embedding: tuple[float, float] = (1.0, 0.0)) -> np.ndarray:
    return np.array([[*np.log(each), *embedding] for each in shares], np.float32)


def test_likeness_is_by_first_answers_probabilities_and_embeddings() -> None:
    exact = rows_of([[0.7, 0.3]] * 99 + [[0.505, 0.495]])
    draw = rows_of([[0.7, 0.3]] * 99 + [[0.495, 0.505]])
    assert alike(draw, exact, 2).same == 1.0  # that one was a draw
    assert not alike(draw, exact, 2).shortfall
    two = rows_of([[0.3, 0.7]] * 2 + [[0.7, 0.3]] * 97 + [[0.505, 0.495]])
    assert "same answer for 98.0%" in alike(two, exact, 2).shortfall
    assert "probabilities differ by 0.102" in alike(rows_of([[0.8, 0.2]] * 100), exact, 2).shortfall
    turned = rows_of([[0.7, 0.3]] * 100, (0.8, 0.6))
    assert "cosine of 0.8000" in alike(turned, exact, 2).shortfall
    nothing = np.full_like(exact, np.nan)
    assert alike(nothing, exact, 2).shortfall


def test_two_batches_are_under_way_and_do_not_touch_one_another(whole: Whole) -> None:
    runner = Recorded(whole, Again(), (32, 32), CPU, BUCKETS)
    lanes = Lanes([PlainSlot(runner, runner.most, (32, 32)) for _ in range(2)])
    pixels = pixels_of(16)
    with torch.inference_mode():
        expected = whole(torch.from_numpy(pixels)).numpy()
    first, second = lanes.begin(list(pixels[:8])), lanes.begin(list(pixels[8:13]))
    assert np.abs(second.rows() - expected[8:13]).max() < 1e-4
    third = lanes.begin(list(pixels[13:]))
    assert np.abs(first.rows() - expected[:8]).max() < 1e-4
    assert np.abs(third.rows() - expected[13:]).max() < 1e-4


def test_a_batch_that_fails_gives_its_slot_back() -> None:
    def fails(_: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no")

    lanes = Lanes([PlainSlot(Eager(fails, 4), 4, (32, 32))])
    for _ in range(5):  # with one slot that is lost this would wait for ever
        with pytest.raises(RuntimeError, match="no"):
            lanes.begin(list(pixels_of(2)))


def test_a_classifier_on_a_device_takes_batches_ahead_and_of_any_size(folder: Path) -> None:
    plan = Plan(CPU, "exact", torch.float32, depth=2, buckets=BUCKETS)
    classifier = load_torch(read_bundle(folder), plan=plan, recorder=Again())
    assert isinstance(classifier, Ahead)
    assert (classifier.ahead, classifier.batch) == (2, 8)
    gc.collect()
    pixels = pixels_of(21)
    reference = load_torch(read_bundle(folder))
    assert (reference.ahead, reference.batch) == (1, 0)
    expected = reference(pixels)
    assert np.abs(classifier(pixels).logits - expected.logits).max() < 1e-4
    running = classifier.begin(list(pixels[:3]))
    assert np.abs(running.result().embedding - expected.embedding[:3]).max() < 1e-4


@pytest.mark.parametrize("kind", ["ViT", "Dinov2", "DeiT"])
@pytest.mark.parametrize("plan", [Plan(CPU), Plan(CPU, "fast", torch.bfloat16, 2, BUCKETS)])
def test_a_network_that_nobody_asks_any_more_is_gone_without_a_collection(
    tmp_path: Path, kind: str, plan: Plan
) -> None:
    """A worker freezes what it has loaded before it is ready: no collection looks through that."""
    classifier = load_torch(read_bundle(tiny_vit(tmp_path / kind, kind)), plan=plan, recorder=Again())
    classifier(pixels_of(3))
    network = classifier.runner._whole
    kept = [weakref.ref(network), *map(weakref.ref, network.parameters())]
    del network
    gc.freeze()
    try:
        del classifier
        gc.collect()
        assert [each() for each in kept] == [None] * len(kept)
    finally:
        gc.unfreeze()


def test_torch_on_a_cpu_has_no_other_level(folder: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    for level in ("fast", "turbo"):
        with pytest.raises(LevelRefused, match="ONNX Runtime's on a CPU"):
            load_classifier(str(folder), level=level, models_dir=tmp_path)


def test_probes_are_the_same_every_time_and_differ() -> None:
    once, again = probes(32, 48, 20), probes(32, 48, 20)
    assert np.array_equal(once, again)
    assert once.shape == (20, 32, 48, 3)
    assert all(np.abs(once[n].astype(int) - once[n + 1]).mean() > 5 for n in range(19))


def test_the_classifier_is_what_the_bundle_says(folder: Path) -> None:
    classifier = load_torch(read_bundle(folder), plan=Plan(CPU, depth=2, buckets=(1, 2)), recorder=Again())
    assert isinstance(classifier, TorchClassifier)
    assert classifier.info == read_bundle(folder).info
    assert not classifier.gpu
