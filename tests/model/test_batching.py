"""What batches become on devices of many kinds: cost curves, played through without a clock."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.classifier import Output
from model.preprocess import Preprocess
from model.types import BundleInfo
from model.worker.batching import FIRST, LONGEST_WAIT, PAIRS, Batching
from model.worker.seat import Seat, batching_of

Curve = Callable[..., float]
"""Seconds of a run by the pictures in it."""


def linear(count: int) -> float:
    return 0.04 * count


def constant(_: int) -> float:
    return 0.02


def saturating(knee: int) -> Curve:
    """Free up to the knee, then each picture costs."""
    return lambda count: 0.02 * max(1.0, count / knee)


def played(batching: Batching, curve: Curve, runs: int, waiting: int = 1000) -> list[int]:
    """The sizes of so many runs while always so many wait."""
    sizes = []
    for _ in range(runs):
        sizes.append(batching.take(waiting))
        batching.took(sizes[-1], curve(sizes[-1]))
    return sizes


def test_where_pictures_cost_the_same_each_it_stays_at_one() -> None:
    batching = Batching(32)
    sizes = played(batching, linear, 3000)
    assert batching.size == 1
    # trials alone are larger, and they become rare
    assert set(sizes) == {1, 2}
    assert sizes.count(2) < 3000 * 0.05
    assert sizes[-500:].count(2) <= 2 * PAIRS


def test_where_a_run_costs_the_same_it_fills() -> None:
    batching = Batching(32)
    sizes = played(batching, constant, 400)
    assert batching.size == 32
    grown = sizes.index(32)
    assert grown < 5 * (FIRST + 2 * PAIRS + 2)
    played(batching, constant, 3000)
    # looking down costs next to nothing
    assert sum(played(batching, constant, 2000)) / (2000 * 32) > 0.98


@given(knee=st.sampled_from([1, 2, 4, 8, 16]), most=st.sampled_from([16, 32, 64]))
def test_the_knee_is_found(knee: int, most: int) -> None:
    batching = Batching(most)
    played(batching, saturating(knee), 2000)
    assert batching.size == knee


@given(start=st.floats(0.001, 0.1), each=st.floats(0.0005, 0.05))
def test_on_a_line_three_quarters_of_what_can_be_had_are_had(start: float, each: float) -> None:
    """A start-up cost and a cost a picture, as GPUs have it."""
    most = 64
    batching = Batching(most)
    played(batching, lambda count: start + each * count, 4000)
    size = batching.size
    best = most / (start + each * most)
    assert (
        size / (start + each * size) > 0.74 * best
    )  # twice the size and less than GAIN of it: not worth the wait


def test_a_noisy_machine_is_not_taken_for_one_on_which_batches_pay() -> None:
    shares = []
    for seed in range(40):
        dice = random.Random(seed)
        sizes = played(
            Batching(32), lambda count, dice=dice: linear(count) * dice.lognormvariate(0, 0.2), 2000
        )
        assert sum(size > 2 for size in sizes) < 0.1 * len(sizes)
        shares.append(sum(size > 1 for size in sizes) / len(sizes))
    assert sum(shares) / len(shares) < 0.1


def test_on_a_noisy_machine_where_they_pay_it_still_grows() -> None:
    for seed in range(40):
        dice = random.Random(seed)
        sizes = played(Batching(16), lambda _, dice=dice: 0.02 * dice.lognormvariate(0, 0.2), 2000)
        assert sum(sizes[-1000:]) > 0.95 * 16 * 1000


def test_it_adapts_when_the_device_changes() -> None:
    batching = Batching(16)
    played(batching, constant, 1000)
    assert batching.size == 16
    played(batching, linear, 300)  # another process has taken the GPU, say
    assert batching.size == 1
    played(batching, linear, 3000)  # for so long that trials are rare
    played(batching, lambda _: 0.005, 2000)
    assert batching.size == 16


@given(most=st.integers(1, 100), waiting=st.lists(st.integers(1, 200), min_size=1, max_size=300))
def test_never_more_than_wait_nor_than_the_bound(most: int, waiting: list[int]) -> None:
    batching = Batching(most)
    for count in waiting:
        taken = batching.take(count)
        assert 1 <= taken <= min(most, count)
        batching.took(taken, 0.02)


@given(
    size=st.sampled_from([1, 2, 8, 32]),
    waiting=st.integers(0, 40),
    gap=st.floats(1e-6, 10),
    run=st.floats(1e-4, 10),
    waited=st.floats(0, 1),
)
def test_the_wait_is_bounded_and_pays(size: int, waiting: int, gap: float, run: float, waited: float) -> None:
    batching = Batching(32, size=size)
    batching.took(size, run)
    batching.arrived(5.0)
    batching.arrived(5.0 + gap)
    wait = batching.wait(waiting, waited)
    assert wait >= 0
    assert wait + waited <= max(waited, min(LONGEST_WAIT, run / 4)) + 1e-9
    if wait:
        assert 0 < waiting < size
        assert waiting * gap < run * (1 + 1e-6)


def test_a_lonely_picture_does_not_wait() -> None:
    batching = Batching(32, size=16)
    batching.took(16, 0.02)
    for second in range(10):
        batching.arrived(float(second))
    assert batching.wait(1, 0.0) == 0.0
    for number in range(200):
        batching.arrived(10 + number / 1000)
    assert batching.wait(1, 0.0) > 0
    assert batching.wait(16, 0.0) == 0.0
    assert batching.wait(1, LONGEST_WAIT) == 0.0


class Device:
    """A classifier that has no room for more than four pictures."""

    info = BundleInfo("device", ("loki", "thor"))
    level = "exact"
    backend = "none"
    preprocess = Preprocess(height=4, width=4)

    def __call__(self, pixels: np.ndarray) -> Output:
        if len(pixels) > 4:
            raise MemoryError("no room")
        mean = pixels.reshape(len(pixels), -1).mean(1, dtype=np.float32)[:, None]
        return Output(np.hstack([mean, -mean]), mean)


async def test_what_the_device_has_no_room_for_is_answered_and_not_tried_again() -> None:
    counters: Counter[str] = Counter()
    batching = Batching(16, size=16)
    seat = Seat(Device(), counters, batching)
    with seat:
        for _ in range(3):
            looks = [seat.look(np.full((4, 4, 3), n, np.uint8), lambda: True) for n in range(16)]
            async with asyncio.timeout(10):
                seen = await asyncio.gather(*looks)
            assert [one[0][0] for one in seen] == list(range(16))
    assert batching.size <= 8
    assert counters["batched"] == 48
    await seat.close()


@pytest.mark.parametrize(("most", "own", "size"), [(8, None, 8), (8, 2, 2), (1, 4, 1), (None, 4, 4)])
def test_a_classifier_may_bound_its_batches(most: int | None, own: int | None, size: int) -> None:
    device = Device()
    if own is not None:
        device.batch = own  # type: ignore[attr-defined]
    batching = batching_of(device, most)
    assert max(played(batching, constant, 500)) == size


def card(launch: float, full: int, each: float) -> Curve:
    """A GPU: a run's own cost, the time of a picture where all of it is busy, and how many make it so.

    Below that a run costs what a full one costs: parts of the card are idle.
    """
    return lambda count: launch + each * max(full, -(-count // 8) * 8)


@pytest.mark.parametrize(
    ("curve", "size"),
    [
        (card(0.002, 64, 0.0002), 64),  # a large card and a small network
        (card(0.001, 24, 0.0002), 32),  # 64 would give 1.07 times as much
        (card(0.001, 8, 0.001), 8),  # a small card: eight pictures keep it busy
    ],
)
def test_on_a_gpu_it_grows_until_the_card_is_busy(curve: Curve, size: int) -> None:
    for seed in range(20):
        dice = random.Random(seed)
        batching = Batching(64)
        played(batching, lambda count, dice=dice: curve(count) * dice.lognormvariate(0, 0.03), 400)
        assert batching.size == size, seed
    # sooner than anybody notices: all runs until then, at a few milliseconds each
    batching, seconds = Batching(64), 0.0
    while batching.size < size:
        count = batching.take(1000)
        batching.took(count, curve(count))
        seconds += curve(count)
    assert seconds < 4


@given(launch=st.floats(0.0003, 0.01), full=st.integers(1, 64), each=st.floats(0.00005, 0.002))
def test_on_any_gpu_three_quarters_of_its_best_rate_are_had(launch: float, full: int, each: float) -> None:
    curve = card(launch, full, each)
    batching = Batching(64)
    played(batching, curve, 4000)
    best = max(size / curve(size) for size in (1, 2, 4, 8, 16, 32, 64))
    assert batching.size / curve(batching.size) > 0.74 * best
