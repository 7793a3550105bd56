"""What a worker has freed the system gets back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

LEFT = """if True:
    import psutil
    from model.worker.freeing import give_back

    large = bytearray(20 << 20)
    del large  # from now on smaller blocks come from the heap
    if {given_back}:
        give_back()
    before = psutil.Process().memory_info().rss
    blocks = [bytearray(b"x") * (1 << 18) for _ in range(200)]
    above = [bytearray(b"x") * (1 << 14) for _ in range(200)]  # so that the heap cannot simply shrink
    del blocks
    print(psutil.Process().memory_info().rss - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_large_blocks_go_back_as_soon_as_they_are_freed() -> None:
    kept, left = (
        int(subprocess.check_output([sys.executable, "-c", LEFT.format(given_back=given)]))
        for given in (False, True)
    )
    assert left < 16 << 20 < kept
