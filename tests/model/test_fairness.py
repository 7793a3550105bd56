"""One who floods cannot starve the others: who is let in, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from model.errors import WorkerBusy
from model.worker.queue import Admission, FairQueue

TOTAL = 64


def flooded(door: Admission, keys: list[str], stack: ExitStack, tries: int = 200) -> Counter[str]:
    """How many of each key come in while all of them keep trying."""
    entered = Counter[str]()
    for number in range(tries):
        key = keys[number % len(keys)]
        try:
            stack.enter_context(door.enter(key))
        except WorkerBusy:
            continue
        entered[key] += 1
    return entered


@given(noisy=st.integers(1, 30))
def test_whoever_comes_after_a_flood_still_finds_room(noisy: int) -> None:
    door = Admission(TOTAL, TOTAL // 2, 10**9)
    with ExitStack() as stack:
        entered = flooded(door, [f"server {n}|somebody" for n in range(noisy)], stack, tries=40 * noisy)
        # alike, and the more there are the less each
        assert max(entered.values()) - min(entered.values()) <= 1
        assert max(entered.values()) <= TOTAL / (noisy + 1) + 1
        with door.enter("quiet|somebody"):
            pass
    assert len(door) == 0


def test_a_server_with_many_posters_is_one_server() -> None:
    door = Admission(TOTAL, TOTAL // 2, 10**9)
    with ExitStack() as stack:
        entered = flooded(door, [f"noisy|{n}" for n in range(100)], stack)
        assert entered.total() == TOTAL // 2
        with door.enter("quiet|1"), door.enter("quiet|2"):
            pass


async def test_servers_take_turns_and_people_in_them() -> None:
    queue = FairQueue[str]()
    for number in range(6):
        queue.put("noisy|a", f"a{number}")
        queue.put("noisy|b", f"b{number}")
    queue.put("quiet|c", "c0")
    queue.put("alone", "d0")
    async with asyncio.timeout(5):
        order = [await queue.get() for _ in range(len(queue))]
    assert order[:6] == ["a0", "c0", "d0", "b0", "a1", "b1"]
    assert len(order) == 14
    assert len(queue) == 0


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["a|1", "a|2", "b|1", "c"]), st.booleans()), min_size=1, max_size=60
    )
)
def test_whoever_leaves_is_gone_and_nobody_else(steps: list[tuple[str, bool]]) -> None:
    queue = FairQueue[int]()
    held = dict[int, str]()
    for number, (key, leave) in enumerate(steps):
        queue.put(key, number)
        held[number] = key
        if leave:
            first = next(iter(held))
            queue.discard(held.pop(first), first)
            queue.discard(key, -1)
    assert len(queue) == len(held)

    async def everybody() -> list[int]:
        return [await queue.get() for _ in range(len(queue))]

    assert sorted(asyncio.run(everybody())) == sorted(held)
