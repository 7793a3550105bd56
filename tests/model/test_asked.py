"""What a client remembers of pictures that it has asked about."""

from __future__ import annotations

from model.asked import Asked


async def test_the_latest_are_remembered_and_asking_is_being_later() -> None:
    asked = Asked(most=2)
    tags = [await asked.tag(name) for name in (b"a", b"b", b"c")]
    asked.remember(tags[0], "00")
    asked.remember(tags[1], "01")
    assert asked.sha256(tags[0]) == "00"
    asked.remember(tags[2], "02")
    assert [asked.sha256(tag) for tag in tags] == ["00", None, "02"]
    assert len(asked) == 2


async def test_pictures_that_differ_in_one_bit_anywhere_are_not_the_same() -> None:
    asked = Asked()
    for size in (100, 2**20, 2**22 + 1):  # the last is hashed in a thread
        picture = bytes(size)
        for at in (0, size // 2, size - 1):
            other = bytearray(picture)
            other[at] ^= 1
            assert await asked.tag(bytes(other)) != await asked.tag(picture)
        assert await asked.tag(picture) == await asked.tag(bytes(size))
    assert await asked.tag(b"") != await asked.tag(b"\0")


async def test_what_a_picture_is_known_by_is_known_to_one_process_only() -> None:
    assert await Asked().tag(b"picture") != await Asked().tag(b"picture")
