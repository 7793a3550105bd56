"""Every kind of picture that is read, and every kind of file that is not."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin, features

from model.decode import Decoded, DecodeLimits, _read_heif, decode, store, to_luma
from model.decoders import DecoderOptions, Decoders
from model.errors import PictureError
from model.near import is_near, near_key
from model.preprocess import Preprocess, to_pixels
from tests.standins.drawings import drawing, encoded, picture
from tests.standins.photographs import photograph

HOW = Preprocess(height=64, width=64)
LIMITS = DecodeLimits()
KINDS = ["JPEG", "PNG", "WEBP", "GIF", *(["AVIF"] if features.check("avif") else []), "HEIF"]


@pytest.fixture(autouse=True, scope="module")
def _heif_is_written() -> None:
    """What writes HEIF here is what reads it in the decoder."""
    _read_heif()


def read(data: bytes, *, limits: DecodeLimits = LIMITS, how: Preprocess = HOW, keep: bool = False) -> Decoded:
    return decode(data, limits, how, keep)


def reason(data: bytes, limits: DecodeLimits = LIMITS) -> str:
    with pytest.raises(PictureError) as caught:
        read(data, limits=limits)
    assert caught.value.reason in PictureError.REASONS
    assert str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def png(width: int, height: int, *, rows: int = 0, chunks: bytes = b"") -> bytes:
    """A grey PNG whose header claims a size, with so many rows of zeros behind it."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = zlib.compress(bytes(width + 1) * rows, 9)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunks + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def close(pixels: np.ndarray, expected: tuple[int, int, int], tolerance: int = 6) -> bool:
    return bool(np.abs(pixels.reshape(-1, 3).mean(0) - expected).max() <= tolerance)


# what is read


@pytest.mark.parametrize("kind", KINDS)
def test_each_format_gives_pixels_key_and_size(kind: str) -> None:
    image = picture("red", seed=1)
    seen = read(encoded(image, kind))
    assert seen.pixels.shape == (64, 64, 3)
    assert seen.pixels.dtype == np.uint8
    assert (seen.width, seen.height, seen.format, seen.stored) == (
        320,
        240,
        kind.lower().replace("heif", "heic"),
        None,
    )
    assert is_near(seen.near_key, near_key(to_luma(image)))
    assert np.abs(seen.pixels.astype(int) - to_pixels(image, HOW)).mean() < 4


def test_what_is_stored_is_a_small_webp_without_metadata_and_always_the_same_bytes() -> None:
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture("green", size=(2400, 1200)).save(
        buffer, "JPEG", exif=exif, icc_profile=b"profile" * 20, comment=b"a comment"
    )
    first, again = read(buffer.getvalue(), keep=True), read(buffer.getvalue(), keep=True)
    assert first.stored is not None
    assert first.stored == again.stored
    assert b"where I live" not in first.stored
    with Image.open(io.BytesIO(first.stored)) as stored:
        assert (stored.format, stored.size) == ("WEBP", (512, 1024))  # upright, as it was looked at
        assert not stored.getexif()
        assert not {"exif", "icc_profile", "xmp"} & set(stored.info)
    without = read(buffer.getvalue())
    assert without.near_key == first.near_key
    assert np.array_equal(without.pixels, first.pixels)
    # and what is stored is still a copy of the original
    assert is_near(read(first.stored).near_key, first.near_key)


def test_a_small_picture_is_not_blown_up_for_storage() -> None:
    seen = read(drawing("red", size=(50, 40)), keep=True)
    assert seen.stored is not None
    with Image.open(io.BytesIO(seen.stored)) as stored:
        assert stored.size == (50, 40)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_exif_says_which_way_is_up(orientation: int, kind: str) -> None:
    image = picture("blue", seed=2)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.getexif()[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "HEIF": {"quality": 90}}.get(kind, {})
    image.save(buffer, kind, **options if kind == "HEIF" else options | {"exif": exif})
    upright = ImageOps.exif_transpose(image)
    seen = read(buffer.getvalue())
    assert (seen.width, seen.height) == upright.size
    assert np.abs(seen.pixels.astype(int) - to_pixels(upright, HOW)).mean() < 3


def test_broken_exif_is_no_reason_to_refuse_a_picture() -> None:
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert read(buffer.getvalue()).width == 320


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA", "RGB", "L", "1"])
def test_transparency_is_put_on_white(mode: str) -> None:
    buffer = io.BytesIO()
    if mode in ("RGBA", "LA"):
        Image.new(mode, (40, 30)).save(buffer, "PNG")
    elif mode in ("P", "PA"):
        black = Image.new("P", (40, 30), 3)
        black.putpalette(bytes(768))
        # one index that is transparent, or an alpha for each
        black.save(buffer, "PNG", transparency=3 if mode == "P" else bytes([255, 255, 255, 0]))
    else:
        nothing = (0, 0, 0) if mode == "RGB" else 0
        Image.new(mode, (40, 30)).save(buffer, "PNG", transparency=nothing)
    assert close(read(buffer.getvalue()).pixels, (255, 255, 255), 0)


def test_half_transparent_red_is_pink() -> None:
    half = Image.new("RGBA", (40, 30), (255, 0, 0, 128))
    assert close(read(encoded(half, "PNG")).pixels, (255, 127, 127), 2)
    assert close(read(encoded(half, "WEBP", quality=100)).pixels, (255, 127, 127), 6)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (40, 30), 90), (90, 90, 90)),
        (Image.new("1", (40, 30), 1), (255, 255, 255)),
        (Image.fromarray(np.full((30, 40), 128 * 256 + 77, np.uint16)), (128, 128, 128)),
        (Image.new("P", (40, 30), 0), (0, 0, 0)),
        (Image.new("LA", (40, 30), (90, 255)), (90, 90, 90)),
    ],
    ids=["grey", "1 bit", "16 bits of grey", "palette", "grey with alpha"],
)
def test_every_mode_becomes_rgb(image: Image.Image, expected: tuple[int, int, int]) -> None:
    assert close(read(encoded(image, "PNG")).pixels, expected, 1)


def test_sixteen_bits_a_colour() -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    row = b"\0" + struct.pack(">HHH", 0xFFFF, 0x8000, 0x0100) * 10
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 10, 10, 16, 2, 0, 0, 0))
    data += chunk(b"IDAT", zlib.compress(row * 10)) + chunk(b"IEND", b"")
    assert close(read(data).pixels, (255, 128, 1), 1)


def test_cmyk_of_adobe_is_inverted_and_comes_out_right() -> None:
    data = encoded(Image.new("RGB", (64, 48), (200, 40, 40)).convert("CMYK"), "JPEG")
    assert b"Adobe" in data  # Pillow writes what Photoshop does: inverted, with an Adobe marker
    assert close(read(data).pixels, (200, 40, 40), 8)


def test_a_large_jpeg_is_not_decoded_whole_and_still_gives_the_same() -> None:
    image = picture("purple", seed=4, size=(5000, 4000))
    seen = read(encoded(image, "JPEG"), keep=True)
    assert (seen.width, seen.height) == (5000, 4000)
    assert is_near(seen.near_key, near_key(to_luma(image)))
    assert np.abs(seen.pixels.astype(int) - to_pixels(image, HOW)).mean() < 3
    assert seen.stored is not None
    with Image.open(io.BytesIO(seen.stored)) as stored:
        assert stored.size == (1024, 819)


@pytest.mark.parametrize("how", [Preprocess(), Preprocess(how="crop", shortest=256)], ids=["squash", "crop"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("size", "orientation"), [((2003, 1333), n) for n in range(1, 9)] + [((1999, 1501), 1)]
)
def test_what_is_not_decoded_whole_is_at_most_three_levels_off(
    how: Preprocess, kind: str, size: tuple[int, int], orientation: int
) -> None:
    """The sides are no multiples of what they are decoded at: the last row is only partly there."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    photograph(3, size=size).save(buffer, kind, exif=exif, **({"quality": 92} if kind == "JPEG" else {}))
    with Image.open(buffer) as opened:
        exact = to_pixels(ImageOps.exif_transpose(opened), how).astype(int)
    seen = read(buffer.getvalue(), limits=DecodeLimits(stored_side=512), how=how)
    assert np.abs(seen.pixels - exact).max() <= 3


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
@pytest.mark.parametrize("how", [HOW, Preprocess(height=64, width=64, how="crop", shortest=72)])
def test_odd_sizes(size: tuple[int, int], how: Preprocess) -> None:
    seen = read(encoded(Image.new("RGB", size, (9, 90, 200)), "PNG"), how=how, keep=True)
    assert seen.pixels.shape == (64, 64, 3)
    assert (seen.width, seen.height) == size
    assert seen.stored


def repeated_gif(frames: int) -> bytes:
    """A GIF of so many frames, each 640 x 480."""
    one = encoded(picture("green", size=(640, 480)).quantize(64), "GIF")
    start = one.index(b",\0\0\0\0\x80\x02\xe0\x01")  # the image descriptor
    return one[:start] + one[start:-1] * frames + b";"


def test_of_an_animation_only_the_first_frame_is_looked_at() -> None:
    many = repeated_gif(2000)
    assert len(many) < LIMITS.bytes
    with Image.open(io.BytesIO(many)) as opened:
        assert opened.n_frames == 2000
    whole = read(many)
    assert close(whole.pixels, (30, 200, 40), 25)
    # whatever comes after the first frame is not even parsed
    cut = many[: len(repeated_gif(1)) - 1] + b",\0\0\0\0\xff\xff\xff\xff" + bytes(2000)
    assert np.array_equal(read(cut).pixels, whole.pixels)


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_the_first_frame_of_other_animations(kind: str) -> None:
    buffer = io.BytesIO()
    first, second = picture("red", seed=1), picture("blue", seed=2)
    first.save(buffer, kind, save_all=True, append_images=[second] * 3)
    assert close(read(buffer.getvalue()).pixels, tuple(to_pixels(first, HOW).reshape(-1, 3).mean(0)), 4)


def heif(image: Image.Image, *more: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "HEIF", save_all=bool(more), append_images=more, **options)
    return buffer.getvalue()


def test_of_a_heif_collection_the_primary_image_is_looked_at() -> None:
    red, blue = picture("red", seed=1), picture("blue", seed=2, size=(100, 80))
    assert close(read(heif(red, blue)).pixels, tuple(to_pixels(red, HOW).reshape(-1, 3).mean(0)))
    seen = read(heif(red, blue, primary_index=1))
    assert (seen.width, seen.height) == (100, 80)


def test_a_photo_of_a_telephone_is_made_of_tiles_and_turned_once() -> None:
    image = picture("purple", seed=4, size=(1200, 900))
    upright = image.transpose(Image.Transpose.ROTATE_270)
    image.getexif()[0x0112] = 6
    data = heif(image, tile_size=512)
    assert b"irot" in data  # the file's own transformation, and EXIF says the same again
    assert b"Exif" in data
    assert b"grid" in data
    seen = read(data, keep=True)
    assert (seen.width, seen.height) == (900, 1200)
    assert is_near(seen.near_key, near_key(to_luma(upright)))
    assert np.abs(seen.pixels.astype(int) - to_pixels(upright, HOW)).mean() < 4
    assert seen.stored is not None
    assert b"Exif" not in seen.stored


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_heif_of_other_modes(mode: str) -> None:
    clear = Image.new(mode, (64, 48), {"L": 255, "LA": (0, 0), "RGBA": (0, 0, 0, 0)}[mode])
    assert close(read(heif(clear, quality=-1)).pixels, (255, 255, 255), 3)


def test_what_exif_alone_says_of_a_heif_is_only_information() -> None:
    """ISO/IEC 23008-12, annex A: a reader turns a picture as its properties say, not as its EXIF does."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = heif(picture("red"), exif=exif)
    assert b"irot" not in data
    assert read(data).width == 320


def test_heif_of_ten_bits() -> None:
    levels = np.full((48, 64), 128 << 8, np.uint16)
    assert close(read(heif(Image.fromarray(levels))).pixels, (128, 128, 128), 4)


# what is not read


def test_no_bytes() -> None:
    assert reason(b"") == "empty"


@pytest.mark.parametrize(
    "data",
    [
        b"hello, this is a text",
        b"\0" * 4096,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"PK\x03\x04" + bytes(100),
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
        b"\0\0\0\x18ftypmif1" + bytes(4) + b"mif1vvic" + bytes(40),
        b"\0\0\0\x18ftypisom" + bytes(4) + b"isommp42" + bytes(40),
        encoded(picture(), "BMP"),
        encoded(picture(), "TIFF"),
        encoded(picture(), "PPM"),
        encoded(Image.new("RGB", (16, 16)), "ICO"),
    ],
    ids=["text", "zeros", "svg", "pdf", "zip", "wav", "vvc", "mp4", "bmp", "tiff", "ppm", "ico"],
)
def test_what_is_not_on_the_list_is_no_picture(data: bytes) -> None:
    assert reason(data) == "not-a-picture"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.03, 0.3, 0.7, 0.95])
def test_a_picture_that_breaks_off(kind: str, part: float) -> None:
    data = drawing("red", kind=kind, seed=3)
    assert reason(data[: max(16, int(len(data) * part))]) == "truncated"


@pytest.mark.parametrize("data", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF"])
def test_hardly_more_than_a_signature(data: bytes) -> None:
    assert reason(data) == "truncated"


def test_a_picture_that_is_damaged_inside() -> None:
    data = bytearray(png(100, 100, rows=100))
    at = data.index(b"IDAT") + 4
    data[at : at + 20] = b"\xff" * 20
    assert reason(bytes(data)) == "damaged"
    webp = bytearray(drawing(kind="WEBP"))
    webp[20:60] = bytes(40)
    assert reason(bytes(webp)) == "damaged"
    coded = bytearray(drawing(kind="HEIF"))
    at = coded.index(b"mdat") + 4
    coded[at:] = bytes(len(coded) - at)
    assert reason(bytes(coded)) == "damaged"
    boxes = bytearray(drawing(kind="HEIF"))
    at = boxes.index(b"iloc") + 4
    boxes[at : at + 20] = b"\xff" * 20
    assert reason(bytes(boxes)) == "damaged"


def test_a_heif_that_is_larger_inside_than_its_header_says() -> None:
    """libheif itself refuses it before it takes memory for more than what the header said."""
    data = bytearray(heif(picture("red", size=(1600, 1200))))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 4, 4)
    assert reason(bytes(data), DecodeLimits(pixels=1000)) == "damaged"
    data[at : at + 8] = struct.pack(">II", 60_000, 60_000)
    assert reason(bytes(data)) == "too-many-pixels"


async def test_the_memory_of_a_decoder_is_enough_for_a_photo_of_a_telephone() -> None:
    data = heif(picture("green", size=(4032, 3024)), tile_size=512, quality=40)
    async with Decoders(DecoderOptions(children=1, seconds=30)) as decoders:
        seen = await decoders.decode(data, HOW, keep=True)
        assert (seen.width, seen.height, seen.format) == (4032, 3024, "heic")


def test_thirty_thousand_by_thirty_thousand_is_refused_from_its_header() -> None:
    assert reason(png(30_000, 30_000, rows=3_000)) == "too-many-pixels"
    assert reason(png(30_000, 30_000)) == "too-many-pixels"  # there is nothing behind the header


def test_sizes_are_checked_before_anything_is_decoded_in_each_format() -> None:
    small = DecodeLimits(pixels=1000)
    for kind in KINDS:
        assert reason(drawing(kind=kind), small) == "too-many-pixels"
    webp = bytearray(drawing(kind="WEBP"))
    webp[26:30] = struct.pack("<HH", 16383, 16383)
    assert reason(bytes(webp)) == "too-many-pixels"
    extended = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\0" + b"\xff\x3f\0" + bytes(100)
    riff = b"RIFF" + struct.pack("<I", 4 + len(extended)) + b"WEBP" + extended
    assert reason(riff) == "too-many-pixels"
    lossless = b"VP8L" + struct.pack("<I", 100) + b"\x2f\xff\xff\xff\x0f" + bytes(100)
    riff = b"RIFF" + struct.pack("<I", 4 + len(lossless)) + b"WEBP" + lossless
    assert reason(riff) == "too-many-pixels"


def test_a_gif_whose_frame_is_larger_than_its_screen() -> None:
    data = bytearray(encoded(Image.new("P", (10, 10)), "GIF"))
    at = data.index(b",\0\0\0\0")
    data[at + 5 : at + 9] = struct.pack("<HH", 60_000, 60_000)
    assert reason(bytes(data)) == "too-many-pixels"


def test_too_many_bytes() -> None:
    assert reason(drawing(), DecodeLimits(bytes=100)) == "too-many-bytes"


def test_text_that_unpacks_to_gigabytes_is_not_unpacked() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 50_000_000, zip=True)
    buffer = io.BytesIO()
    picture().save(buffer, "PNG", pnginfo=info)
    assert len(buffer.getvalue()) < 200_000
    assert reason(buffer.getvalue()) == "damaged"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(KINDS), st.integers(0, 2**32), st.integers(1, 40))
def test_whatever_is_done_to_the_bytes_it_is_read_or_one_sentence(kind: str, seed: int, hits: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(drawing("orange", kind=kind, size=(64, 48)))
    for at in rng.integers(0, len(data), hits):
        data[at] = rng.integers(0, 256)
    try:
        assert read(bytes(data), limits=DecodeLimits(pixels=1_000_000), keep=True).pixels.shape == (64, 64, 3)
    except PictureError as error:
        assert error.reason in PictureError.REASONS


# what is stored, from a decoding of its own


@pytest.mark.parametrize(
    ("kind", "size", "apart"),
    [("JPEG", (1280, 960), True), ("JPEG", (600, 450), False), ("PNG", (1280, 960), False)],
)
def test_what_is_stored_is_the_same_whoever_makes_it(kind: str, size: tuple[int, int], apart: bool) -> None:
    data, how = encoded(picture("red", seed=5, size=size), kind), Preprocess()
    bare, whole = read(data, how=how), read(data, how=how, keep=True)
    first = decode(data, LIMITS, how, True, apart=True)
    assert whole.stored is not None
    assert first.stored == (None if apart else whole.stored)
    assert store(data, LIMITS, how) == whole.stored
    for seen in (whole, first):
        assert np.array_equal(seen.pixels, bare.pixels)
        assert (seen.near_key, seen.marks, seen.width) == (bare.near_key, bare.marks, size[0])
    assert is_near(read(whole.stored, how=how).near_key, bare.near_key)


def test_what_cannot_be_stored_has_the_reasons_of_what_cannot_be_decoded() -> None:
    for data, reason in [(b"", "empty"), (b"text", "not-a-picture"), (drawing()[:300], "truncated")]:
        with pytest.raises(PictureError) as caught:
            store(data, LIMITS, HOW)
        assert caught.value.reason == reason
