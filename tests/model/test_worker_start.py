"""What a worker begins with before it imports its server: `model.worker.ahead`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import certifi
import psutil
import pytest

from model.choosing import Chooser
from model.client import WorkerClient
from model.errors import BundleMissing
from model.supervisor import WorkerSupervisor, environment
from model.worker.ahead import Ahead, wish_of
from model.worker.options import WorkerOptions
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing

SCRIPT = """
import json, multiprocessing, os, sys
from multiprocessing import forkserver, resource_tracker
from model.worker.ahead import forked, without_authorities
import numpy

def parent():
    return open(f"/proc/{os.getppid()}/cmdline").read()

def found(queue):
    queue.put((os.getpid(), "numpy" in sys.modules, len(os.listdir("/proc/self/fd")), parent()))

if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    with forked():
        forkserver.ensure_running()
    queue = context.SimpleQueue()
    child = context.Process(target=found, args=(queue,))
    child.start()
    pid, there, files, above = queue.get()
    child.join()
    print(json.dumps([pid != os.getpid(), there, files, "forkserver" in above, child.exitcode]))
"""

AUTHORITIES = """
import json, ssl, sys
from concurrent.futures import ThreadPoolExecutor
from model.worker.ahead import without_authorities

changed = []
sys.addaudithook(lambda event, _: changed.append(event) if event in ("os.putenv", "os.unsetenv") else None)

def known():
    return len(ssl.create_default_context().get_ca_certs())

with ThreadPoolExecutor() as threads, without_authorities():
    import aiohttp.connector
    beside = threads.submit(known).result()
contexts = aiohttp.connector._SSL_CONTEXT_VERIFIED, aiohttp.connector._SSL_CONTEXT_UNVERIFIED
print(json.dumps([[len(each.get_ca_certs()) for each in contexts], beside, known(), changed]))
"""


def test_the_server_is_imported_without_authorities_which_others_read_as_ever() -> None:
    """And the environment stays as it is, as native code may read it in the thread that loads the model."""
    done = subprocess.run(
        [sys.executable, "-c", AUTHORITIES],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
        env=environment() | {"SSL_CERT_FILE": certifi.where()},
    )
    imported, beside, later, changed = json.loads(done.stdout)
    assert imported == [0, 0] and beside == later > 10 and changed == []


@pytest.mark.skipif(sys.platform != "linux", reason="only there a fork server is used")
def test_what_decodes_is_forked_with_what_is_imported_and_ends_with_the_worker(tmp_path: Path) -> None:
    """Not a new interpreter; when whoever forked it is gone, nothing of it stays."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        found = json.loads(process.communicate(timeout=60)[0])
    other, imported, files, by_command, status = found
    assert other and imported and not by_command and status == 0
    assert files < 20  # nothing but what the command keeps open


@pytest.mark.skipif(sys.platform != "linux", reason="only there a fork server is used")
async def test_the_worker_and_its_decoders_are_one_family_and_end_together(tmp_path: Path) -> None:
    """kill -9 of the worker leaves nobody."""
    bundle = tiny_bundle(tmp_path / "bundle")
    options = WorkerOptions(use=str(bundle), models_dir=tmp_path, decoders=2)
    async with WorkerSupervisor(options) as supervisor, supervisor.client() as client:
        await client.look(drawing("red", kind="JPEG"))
        assert supervisor.pid
        worker = psutil.Process(supervisor.pid)
        family = worker.children(recursive=True)
        assert len(family) == 4, "a tracker, a fork server and two decoders"
        worker.kill()
        gone, alive = psutil.wait_procs(family, timeout=20)
        assert not alive and len(gone) == 4


async def test_what_was_begun_is_taken_once_and_is_not_checked_twice(tmp_path: Path) -> None:
    """Another model, and the same one later, is loaded as ever."""
    first, second = tiny_bundle(tmp_path / "first"), tiny_bundle(tmp_path / "second")
    options = WorkerOptions(use=str(first), models_dir=tmp_path)
    ahead = Ahead(options, Chooser(wish_of(options), tmp_path))
    loaded = ahead.load(str(first))
    assert not ahead.loading
    ahead.check(loaded)
    again = ahead.load(str(first))
    assert again is not loaded
    other = ahead.load(str(second))
    ahead.check(other)
    assert Path(str(other.source)).parent == second  # type: ignore[attr-defined]


async def test_what_cannot_be_loaded_says_so_where_it_is_waited_for(tmp_path: Path) -> None:
    """In the sentence that it always had."""
    options = WorkerOptions(use=str(tmp_path / "nobody"), models_dir=tmp_path)
    ahead = Ahead(options, Chooser(wish_of(options), tmp_path))
    with pytest.raises(BundleMissing, match="nobody"):
        ahead.load(str(tmp_path / "nobody"))
    with pytest.raises(BundleMissing):
        async with WorkerSupervisor(options):
            pass


async def test_a_worker_with_a_secret_forks_nothing_that_holds_it(tmp_path: Path) -> None:
    """Its decoders come from an interpreter of their own, which never had it."""
    socket = tmp_path / "w"
    command = [sys.executable, "-m", "model.worker", "--use", str(tiny_bundle(tmp_path / "bundle"))]
    command += ["--models-dir", str(tmp_path), "--listen", f"unix:{socket}", "--decoders", "1"]
    variables = environment() | {"WHOSTHAT_WORKER__SECRET": "a long secret of no use"}
    with subprocess.Popen(  # noqa: ASYNC220
        command, stdout=subprocess.PIPE, text=True, env=variables
    ) as process:
        assert process.stdout
        assert any(line.startswith("ready") for line in process.stdout)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        assert all("multiprocessing" in " ".join(child.cmdline()) for child in children)
        async with WorkerClient(f"unix:{socket}", secret="a long secret of no use") as client:
            await client.look(drawing("red", kind="JPEG"))
        process.terminate()
        process.wait(timeout=30)
