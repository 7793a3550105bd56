"""Asking an image search for addresses of pictures, through ddgs.

Why ddgs and not icrawler: ddgs had a release in each of the last months (icrawler's last one is of January
2025), gives the page and title beside each address, and leaves the fetching to us. icrawler downloads by
itself: any address, any number of bytes, and of Bing's results only those that end in ``.jpg``; its search
address stands in the middle of a method, while an engine of ddgs has it as an attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from training.dataset.fetching import USER_AGENT
from training.errors import CollectError

ENGINES = ("bing", "duckduckgo")
TIMEOUT = 15  # seconds for one page of results
A_PAGE = 35  # results that ddgs asks for at least


@dataclass(frozen=True, slots=True)
class Result:
    """One result: where the picture is, and the page and title that it was found with."""

    address: str
    page: str
    title: str


Search = Callable[[str, int], list[Result]]
"""Words and a page's number, from 1: its results, none after the last. Blocks; raises `CollectError`."""


def image_search(engine: str = "bing", place: str | None = None) -> Search:
    """A search by an engine of ddgs.

    Args:
        place: an address that answers as Bing's ``/images/async`` does, instead of Bing.

    Raises:
        CollectError: there is no such engine or address.
        ImportError: ddgs is not installed.
    """
    from ddgs.engines import ENGINES as THEIRS

    if engine not in ENGINES or engine not in THEIRS["images"]:
        raise CollectError(f"there is no image search {engine!r}, only {' and '.join(ENGINES)}")
    if place is not None and (engine != "bing" or urlsplit(place).scheme not in ("http", "https")):
        raise CollectError("--search-page is an http or https address that answers as Bing does")
    asked = THEIRS["images"][engine](timeout=TIMEOUT)
    asked.http_client.client.headers_update({"User-Agent": USER_AGENT})
    if place is not None:
        asked.search_url = place
    host = urlsplit(asked.search_url).netloc

    def search(words: str, page: int) -> list[Result]:
        try:
            found = asked.search(words, safesearch="on", page=page, max_results=str(A_PAGE))
        except Exception as error:  # a page that changed makes its parser raise anything
            raise CollectError(
                f"the image search at {host} gave no answer that reads: {_first_line(error)}"
            ) from error
        if found is None:
            raise CollectError(f"the image search at {host} refused to answer: wait a while and run it again")
        return [
            Result(str(each.image), str(each.url or "")[:2000], str(each.title or "")[:200])
            for each in found
            if each.image
        ]

    return search


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
