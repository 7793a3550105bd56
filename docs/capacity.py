"""Remakes capacity.md and its picture from capacity.toml: ``python docs/capacity.py``.

With ``--set KEY=VALUE`` (any number of them) the sheet for your own figures is printed, nothing is written.
``--measure`` first has `tests.bench.capacity` measure this machine (some two minutes when it does nothing
else), ``--measured FILE`` takes the JSON of such a run, and the figures are put into capacity.toml.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DAY = 86400.0
SERVERS = (1, 100, 1_000, 10_000, 100_000, 1_000_000)
Inputs = Mapping[str, Mapping[str, float]]
MEASURED = {
    "CPU to decode, keep and prepare a picture of 1920 x 1080": "small.decode_ms",
    "CPU of the worker a picture, decoding and keeping in it": "small.worker_ms",
    "CPU of the bot's own process a picture, on Discord": "small.bot_ms",
    "CPU of an answer in SQLite, the database's own in it": "ledger.sqlite_answer_ms",
    "CPU of a vote in SQLite": "ledger.sqlite_vote_ms",
    "CPU of an answer in PostgreSQL, the database's own in it": "ledger.postgres_answer_ms",
    "CPU of a vote in PostgreSQL": "ledger.postgres_vote_ms",
}
"""Rows of the bench and where their medians belong."""


def read() -> dict[str, dict[str, float]]:
    """The figures of capacity.toml."""
    return tomllib.loads((HERE / "capacity.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Part:
    """Something that can be the limit: pictures a second that it takes at most, and what helps then."""

    name: str
    pictures: float
    then: str


@dataclass(frozen=True)
class Fleet:
    """Machines that look: ``pictures`` a second at most, ``dollars`` an hour, and what holds them back."""

    name: str
    pictures: float
    dollars: float
    held_by: str

    def million(self, busy: float) -> float:
        """Dollars for a million pictures when the machines are that busy on average."""
        return self.dollars / 3600 / (self.pictures * busy) * 1e6


def gpu_alone(given: Inputs) -> float:
    """Pictures a second of one GPU, were there nothing else to do."""
    gpu = given["gpu"]
    return gpu["measured"] or gpu["published"] * gpu["tokens"] * gpu["kept"]


def fleets(given: Inputs) -> list[Fleet]:
    """One small box, one GPU, ten GPUs."""
    small, gpu, prices = given["small"], given["gpu"], given["prices"]
    new = 1 - given["assumed"]["repeated"]
    looking = small["worker_ms"] - small["decode_ms"]
    box = 1000 * small["cores"] / (small["decode_ms"] + new * looking)
    decoded = 1000 * gpu["cores"] / small["decode_ms"]
    looked = gpu_alone(given) / new
    held = "decoding" if decoded < looked else "the GPU"
    one = min(decoded, looked)
    assumed = "" if gpu["measured"] else " (assumed)"
    return [
        Fleet("1 small box", box, prices["small_box"], "looking"),
        Fleet(f"1 GPU{assumed}", one, prices["gpu_box"], held),
        Fleet(f"10 GPUs{assumed}", 10 * one, 10 * prices["gpu_box"], held),
    ]


def ledger(given: Inputs, kind: str) -> float:
    """Pictures a second, with the votes that come with them; writes wait for one another."""
    written, votes = given["ledger"], given["assumed"]["votes_a_picture"]
    commit = written["commit_ms"]
    # an answer is two writes: the picture, and where our reply stands
    answer = written[f"{kind}_answer_ms"] + 2 * commit
    return 1000 / (answer + votes * (written[f"{kind}_vote_ms"] + commit))


def parts(given: Inputs) -> list[Part]:
    """Everything that can be the limit but the worker."""
    votes = given["assumed"]["votes_a_picture"]
    # an answer is one request; a vote is answered outside of the limit, and brings the counts up to date once
    requests = 1 + votes
    return [
        Part(
            "one process of the bot", 1000 / given["small"]["bot_ms"], "more processes, each with its shards"
        ),
        Part(
            "SQLite",
            ledger(given, "sqlite"),
            "faster cores; PostgreSQL is for several machines, it is not faster",
        ),
        Part(
            "PostgreSQL",
            ledger(given, "postgres"),
            "faster cores; then several bots, each with a ledger of its own: one lock is for all writes",
        ),
        Part(
            "one Discord bot",
            given["discord"]["requests_a_second"] / requests,
            "asking Discord for a higher limit, or answering only who asks",
        ),
        Part(
            "one Telegram bot",
            given["telegram"]["messages_a_second"] / requests,
            "paid broadcasting, or a second bot",
        ),
    ]


def needed(given: Inputs, servers: float) -> float:
    """Pictures a second in the busiest minute of so many servers."""
    assumed = given["assumed"]
    return servers * assumed["pictures_a_server_a_day"] * assumed["peak"] / DAY


def carried(given: Inputs, pictures: float) -> float:
    """Servers that a part of so many pictures a second carries."""
    return pictures * given["assumed"]["busy"] / needed(given, 1)


def count(number: float) -> str:
    """Two digits that mean something, written out."""
    if number <= 0:
        return "0"
    digits = 1 - math.floor(math.log10(number))
    rounded = round(number, digits)
    return f"{rounded:,.0f}" if digits <= 0 else f"{rounded:.{digits}f}".rstrip("0").rstrip(".")


def dollars(number: float) -> str:
    """A price."""
    return f"${number:.2f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """In Markdown; numbers to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def page(given: Inputs | None = None) -> str:
    """The whole sheet."""
    given = given or read()
    assumed, discord = given["assumed"], given["discord"]
    machines = fleets(given)
    every = parts(given)
    busy, peak = assumed["busy"], assumed["peak"]
    measured = bool(given["gpu"]["measured"])
    gpu = "as measured" if measured else "**assumed, not measured**"
    looks = table(
        [
            "",
            "pictures a second",
            "held back by",
            "a million pictures, always busy",
            "… sized for the busiest minute",
            "servers",
        ],
        [
            [
                each.name,
                count(each.pictures),
                each.held_by,
                dollars(each.million(busy)),
                dollars(each.million(busy / peak)),
                count(carried(given, each.pictures)),
            ]
            for each in machines
        ],
    )
    limits = table(
        ["", "pictures a second", "servers", "what then"],
        [
            [part.name, count(part.pictures), count(carried(given, part.pictures)), part.then]
            for part in sorted(every, key=lambda part: part.pictures)
        ],
    ).replace("--: |\n", "--- |\n", 1)
    growing = table(
        [
            "servers",
            "pictures a second",
            "workers: small boxes",
            "or GPUs",
            "processes",
            "shards",
            "to connect them",
            "Discord requests a second",
            "what is full",
        ],
        [row(given, servers, every) for servers in SERVERS],
    ).replace("--: |\n", "--- |\n", 1)
    source = (
        ""
        if measured
        else ", which is what timm publishes of a network of this size on an RTX 3090, times 197/257 for our "
        "tokens, times one half for serving instead of benchmarking"
    )
    paragraphs = [
        "# How much it carries, and what it costs",
        "Computed by [capacity.py](capacity.py) from [capacity.toml](capacity.toml), which says of "
        "every figure how it was measured, where it is published, or that it is assumed. For your "
        "own: `python docs/capacity.py --set small.worker_ms=90 --set "
        "assumed.pictures_a_server_a_day=20` prints this page with them.",
        f"**Assumed**: a server posts {count(assumed['pictures_a_server_a_day'])} pictures a day that "
        "are answered (the mean over all servers, most of them silent), the busiest minute has "
        f"{count(peak)} times the mean, one picture in {count(1 / assumed['votes_a_picture'])} gets a "
        f"vote, one in {count(1 / assumed['repeated'])} is in the worker's cache, and no part is "
        f"planned for more than {busy:.0%} of what it can do.",
        "## Looking",
        looks,
        f"The small box was measured: {count(given['small']['worker_ms'])} ms of CPU a picture at "
        "level *exact* (a JPEG of 1920 × 1080, decoded, looked at, and kept), of which "
        f"{count(given['small']['decode_ms'])} ms decode, keep and prepare it. The GPU is {gpu}: "
        f"{count(gpu_alone(given))} pictures a second were it only looking{source}. What its machine "
        f"really does is the smaller of that and what its {count(given['gpu']['cores'])} cores "
        "decode: *min(GPU ÷ (1 − repeated), cores × 1000 ÷ decode_ms)*. Put in what you measured on "
        "yours: `--set gpu.measured=…`. Ten GPUs are ten such machines that the bots ask in turn "
        "(`worker.url`); nothing is shared between them, so they add up.",
        f"Prices are assumed ({dollars(given['prices']['small_box'])} and "
        f"{dollars(given['prices']['gpu_box'])} an hour) and leave out the database, the pictures' "
        "disk and traffic.",
        "## What is full first",
        limits,
        "Discord counts requests, not pictures: an answer is one, and the counts below it are "
        "brought up to date with one more a vote; answers to clicks are outside of the limit. Writes "
        "to the ledger wait for one another, on SQLite and on PostgreSQL (one lock of the whole "
        "ledger, so that nothing is counted twice): more machines do not make them faster, faster "
        "cores and disks do. An answer is two of them, one for the picture and one for where our reply "
        "stands. What they cost is counted as if all of it happened behind that lock, and what they "
        "cost the bot's own process is part of what a picture costs it.",
        "## From one server to a million",
        "![Pictures a second that are wanted and that each part takes, by the number of "
        "servers](pictures/capacity.svg)",
        growing,
        f"*Workers* and *processes* are how many are needed at {busy:.0%} load; shards are Discord's "
        f"({count(discord['servers_a_shard'])} servers each at most), of which "
        f"{count(discord['concurrency'])} may identify every {count(discord['identify_seconds'])} "
        "seconds. *What is full* is every part that cannot be made wider by adding machines.",
    ]
    return "\n\n".join(paragraphs) + "\n"


def row(given: Inputs, servers: int, every: list[Part]) -> list[str]:
    """One line of the last table."""
    assumed, discord = given["assumed"], given["discord"]
    busy, wanted = assumed["busy"], needed(given, servers)
    box, gpu, _ = fleets(given)
    shards = math.ceil(servers / discord["servers_a_shard"])
    seconds = math.ceil(shards / discord["concurrency"]) * discord["identify_seconds"]
    fixed = [part.name for part in every if part.name not in ("one process of the bot", "one Telegram bot")]
    by_name = {part.name: part.pictures for part in every}
    full = [name for name in fixed if wanted > busy * by_name[name]]
    process = by_name["one process of the bot"]
    return [
        f"{servers:,}",
        count(wanted),
        count(math.ceil(wanted / (busy * box.pictures))),
        count(math.ceil(wanted / (busy * gpu.pictures))),
        count(max(math.ceil(wanted / (busy * process)), 1)),
        count(shards),
        f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s",
        count(wanted * (1 + assumed["votes_a_picture"])),
        ", ".join(full) or "nothing",
    ]


# -- the picture ----------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 860, 480, 70, 30, 640, 420
INK, FAINT, LINE = "#30343a", "#d9dce0", "#1f6fb2"
COLOURS = ("#b0472c", "#8a6d1d", "#3f7d3a", "#6b4fa0", "#0f7a80", "#9a3f6d", "#5c6166")


def drawing(given: Inputs | None = None) -> str:
    """Servers to the right, pictures a second upwards, both in powers of ten."""
    given = given or read()
    low, high = -4.0, 5.0

    def x(servers: float) -> float:
        return LEFT + (RIGHT - LEFT) * math.log10(servers) / 6

    def y(pictures: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (math.log10(pictures) - low) / (high - low)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="{INK}" role="img" aria-label="Pictures a second by the number of servers">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for power in range(7):
        out.append(f'<path d="M{x(10**power):.1f} {TOP}V{BOTTOM}" stroke="{FAINT}"/>')
        out.append(
            f'<text x="{x(10**power):.1f}" y="{BOTTOM + 18}" text-anchor="middle">{10**power:,}</text>'
        )
    for power in range(int(low), int(high) + 1):
        out.append(f'<path d="M{LEFT} {y(10.0**power):.1f}H{RIGHT}" stroke="{FAINT}"/>')
        label = f"{10.0**power:,.0f}" if power >= 0 else f"{10.0**power:.{-power}f}"
        out.append(f'<text x="{LEFT - 8}" y="{y(10.0**power) + 4:.1f}" text-anchor="end">{label}</text>')
    out.append(f'<text x="{(LEFT + RIGHT) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">servers</text>')
    top = f"pictures a second; of every part {given['assumed']['busy']:.0%}, as planned for"
    out.append(f'<text x="{LEFT - 8}" y="{TOP - 12}" text-anchor="start">{top}</text>')
    busy = given["assumed"]["busy"]
    lines = [(f"{each.name}", each.pictures * busy) for each in fleets(given)]
    lines += [(part.name, part.pictures * busy) for part in parts(given) if part.name != "one Telegram bot"]
    taken: list[float] = []
    for (name, pictures), colour in zip(sorted(lines, key=lambda line: -line[1]), COLOURS, strict=True):
        at = y(pictures)
        place = max([at, *(each + 17 for each in taken[-1:])])
        taken.append(place)
        stroke = f'stroke="{colour}" fill="none"'
        out.append(f'<path d="M{LEFT} {at:.1f}H{RIGHT}" {stroke} stroke-dasharray="6 3"/>')
        out.append(f'<path d="M{RIGHT} {at:.1f}L{RIGHT + 12} {place:.1f}" {stroke}/>')
        out.append(
            f'<text x="{RIGHT + 16}" y="{place + 4:.1f}" fill="{colour}">{name}: {count(pictures)}</text>'
        )
    path = " L".join(f"{x(servers):.1f} {y(needed(given, servers)):.1f}" for servers in (1, 1_000_000))
    out.append(f'<path d="M{path}" stroke="{LINE}" stroke-width="3" fill="none"/>')
    across, down = x(2_000), y(needed(given, 2_000)) + 24
    words = "wanted in the busiest minute"
    out.append(f'<text x="{across:.1f}" y="{down:.1f}" fill="{LINE}">{words}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


# -- what was measured ----------------------------------------------------------------------------


def measure() -> list[dict[str, Any]]:
    """The rows of the bench, measured now."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bench.json"
        command = [sys.executable, "-m", "tests.bench", "--only", "capacity", "--out", str(out)]
        subprocess.run(command, cwd=HERE.parent, check=True)  # noqa: S603  # our own command
        found: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
    return found


def taken_over(toml: str, rows: list[dict[str, Any]]) -> str:
    """capacity.toml with the medians of a run in it, comments and all else as they were.

    Raises:
        ValueError: there is nothing in those rows that the sheet is computed from.
    """
    medians = {MEASURED[row["name"]]: float(row["median"]) for row in rows if row["name"] in MEASURED}
    if not medians:
        raise ValueError("none of these rows is one that the sheet is computed from")
    section, lines = "", []
    for line in toml.splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
        name, equals, _ = line.partition(" = ")
        median = medians.get(f"{section}.{name}") if equals else None
        lines.append(line if median is None else f"{name} = {median:.1f}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page and its picture, or print a page for other figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure this machine first")
    parser.add_argument("--measured", type=Path, metavar="FILE", help="take what such a run has written")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="assumed.peak=6")
    arguments = parser.parse_args()
    if arguments.measure or arguments.measured:
        toml = HERE / "capacity.toml"
        try:
            rows = measure() if arguments.measure else json.loads(arguments.measured.read_text("utf-8"))
            toml.write_text(taken_over(toml.read_text(encoding="utf-8"), rows), encoding="utf-8")
        except (OSError, ValueError) as error:
            parser.error(str(error))
    given = read()
    chosen = arguments.set
    for each in chosen:
        key, _, value = each.partition("=")
        section, _, name = key.partition(".")
        if name not in given.get(section, {}):
            parser.error(f"there is no {key} in capacity.toml")
        try:
            number = float(value)
        except ValueError:
            parser.error(f"{key} is a number, not {value!r}")
        if not math.isfinite(number) or number < 0 or (number == 0 and key != "gpu.measured"):
            parser.error(f"{key} is more than nothing")
        given[section][name] = number
    if chosen:
        sys.stdout.write(page(given))
        return
    (HERE / "capacity.md").write_text(page(given), encoding="utf-8")
    (HERE / "pictures" / "capacity.svg").write_text(drawing(given), encoding="utf-8")


if __name__ == "__main__":
    main()
