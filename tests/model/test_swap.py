"""Swapping the model under load: nothing is lost, and no answer comes of a model that was not there whole."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from model.bundle import MANIFEST, ONNX, read_bundle, seal
from model.checking import check_bundle
from model.client import WorkerClient
from model.errors import BundleDamaged, BundleError, BundleMissing
from model.supervisor import WorkerSupervisor
from model.types import Sight
from model.versions import Choice, Versions
from model.worker.options import WorkerOptions
from tests.model.test_worker import running
from tests.model.worker_contract import until
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing

REQUESTS, SWAPS = 1000, 20
BIASES = {"plain": 0.0, "some": 3.0, "more": 7.0}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ws-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three that say different numbers of every picture (some 4 ms each), and three that cannot serve."""
    folder = tmp_path_factory.mktemp("bundles")
    for name, bias in BIASES.items():
        tiny_bundle(folder / name, name=name, bias=bias, slow=20)
    damaged = tiny_bundle(folder / "damaged", name="damaged")
    content = bytearray((damaged / ONNX).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (damaged / ONNX).write_bytes(content)
    resealed = tiny_bundle(folder / "resealed", name="resealed")
    info = read_bundle(resealed).info
    (resealed / ONNX).write_bytes(b"no model at all")
    seal(resealed, info, licence="MIT")
    tiny_bundle(folder / "nan", name="nan", bias=float("nan"))
    return folder


def id_of(folder: Path) -> str:
    return read_bundle(folder).info.id


async def test_a_thousand_in_flight_across_twenty_swaps(bundles: Path, folder: Path) -> None:
    """Every answer is of one model alone: the numbers are those that the bundle it names gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    options = WorkerOptions(
        listen=f"unix:{folder}/w",
        use=str(bundles / "plain"),
        models_dir=bundles,
        threads=1,
        queue=2 * REQUESTS,
        per_key=2 * REQUESTS,
        cache_entries=0,
        deadline=200,
    )
    colours = ("red", "green", "blue", "purple")
    pictures = [drawing(colours[n % 4], seed=n, size=(48, 48), kind="PNG") for n in range(REQUESTS)]
    async with running(options) as worker, WorkerClient(worker.url, deadline=200) as client:
        asked = [asyncio.create_task(client.look(each)) for each in pictures]
        order = [list(BIASES)[n % 3] for n in range(1, SWAPS + 1)]
        in_flight = []
        for number, name in enumerate(order):
            await until(lambda n=number: sum(task.done() for task in asked) > n * REQUESTS // SWAPS / 2, 100)
            in_flight.append(sum(not task.done() for task in asked))
            if number % 5 == 2:
                for bad in ("damaged", "resealed", "nan"):
                    with pytest.raises(BundleDamaged):
                        await client.swap(str(bundles / bad))
            assert (await client.swap(str(bundles / name))).id == id_of(bundles / name)
        seen: list[Sight] = await asyncio.gather(*asked)
    assert min(in_flight) > 0, in_flight  # each swap had somebody waiting
    said = {id_of(bundles / name): bias for name, bias in BIASES.items()}
    for one in seen:
        logits = np.array(one.logits)
        tilt = said[one.bundle]
        # the first class is tilted by the bundle's bias, the others are the logarithms of shares
        shares = np.exp(logits - np.array([tilt, 0, 0, 0, 0, 0]))
        assert shares.sum() == pytest.approx(1, abs=0.01), (one.bundle, logits)
    assert len({one.sha256 for one in seen}) == REQUESTS
    assert set(Counter(one.bundle for one in seen)) == set(said)


async def test_a_running_worker_follows_the_choice_and_refuses_what_does_not_load(
    bundles: Path, tmp_path: Path, folder: Path
) -> None:
    options = WorkerOptions(
        listen=f"unix:{folder}/w", use=str(bundles / "plain"), models_dir=tmp_path, follow=True
    )
    versions = Versions(tmp_path, options.use)
    some = versions.add(bundles / "some").info.id
    assert versions.workers() == []
    async with running(options) as worker, WorkerClient(worker.url) as client:
        assert [each.serial for each in versions.workers()] == [0]
        wrong = 0
        stop = asyncio.Event()

        async def ask(seed: int) -> None:
            nonlocal wrong
            while not stop.is_set():
                seed += 2
                sight = await client.look(drawing("green", seed=seed, kind="JPEG"))
                wrong += sight.answer.character != "hulk"

        asking = [asyncio.create_task(ask(n)) for n in range(2)]
        chosen = versions.choose(some)
        await until(lambda: [each.serial for each in versions.workers()] == [chosen.serial])
        assert (await client.bundle()).id == some
        for number in range(4):
            broken = tmp_path / "versions" / f"broken{number}"
            shutil.copytree(bundles / ("damaged", "resealed", "nan", "resealed")[number], broken)
            refused = versions.choose(broken.name)
            await until(lambda n=refused.serial: versions.choice().serial > n)
            now = versions.choice()
            assert (now.now, now.refused, now.before[-1]) == (some, broken.name, options.use)
            assert now.why and "\n" not in now.why
            await until(lambda n=now.serial: [each.serial for each in versions.workers()] == [n])
            assert (await client.bundle()).id == some
        back = versions.back()
        await until(lambda: [each.serial for each in versions.workers()] == [back.serial])
        assert (await client.bundle()).id == id_of(bundles / "plain")
        stop.set()
        await asyncio.gather(*asking)
        assert not wrong
        with pytest.raises(BundleMissing, match="nothing to go back to"):
            versions.back()
        versions.choose(some)
        os.kill(worker.process.pid, signal.SIGKILL)
        await worker.process.wait()
    assert versions.workers() == []
    assert list((tmp_path / "workers").iterdir()) == []


async def test_after_a_death_it_comes_back_with_what_was_chosen(bundles: Path, tmp_path: Path) -> None:
    options = WorkerOptions(use=str(bundles / "plain"), models_dir=tmp_path, follow=True)
    versions = Versions(tmp_path, options.use)
    some = versions.add(bundles / "some").info.id
    async with WorkerSupervisor(options, pause=0.01) as supervisor, supervisor.client() as client:
        chosen = versions.choose(some)
        await until(lambda: [each.serial for each in versions.workers()] == [chosen.serial])
        assert supervisor.pid
        os.kill(supervisor.pid, signal.SIGKILL)
        await until(lambda: supervisor.restarts == 1)
        assert (await client.look(drawing())).bundle == some
        # the version is damaged behind everybody's back: what served before it serves again
        (tmp_path / "versions" / some / ONNX).write_bytes(b"gone")
        os.kill(supervisor.pid or 0, signal.SIGKILL)
        await until(lambda: supervisor.restarts == 2, 20)
        assert (await client.look(drawing())).bundle == id_of(bundles / "plain")
        assert (versions.choice().now, versions.choice().refused) == (options.use, some)


async def test_a_model_that_kills_the_worker_while_it_loads_is_given_up(
    bundles: Path, tmp_path: Path, folder: Path
) -> None:
    options = WorkerOptions(
        listen=f"unix:{folder}/w", use=str(bundles / "plain"), models_dir=tmp_path, follow=True
    )
    versions = Versions(tmp_path, options.use)
    some = versions.add(bundles / "some").info.id
    chosen = versions.choose(some)
    (tmp_path / ".loading.json").write_text(json.dumps({"serial": chosen.serial, "tries": 2}))
    async with running(options) as worker, WorkerClient(worker.url) as client:
        assert (await client.bundle()).id == id_of(bundles / "plain")
    assert versions.choice().refused == some
    assert "died 2 times" in versions.choice().why


# the folder


def test_a_choice_is_made_gone_back_on_and_overruled_by_the_setting(bundles: Path, tmp_path: Path) -> None:
    versions = Versions(tmp_path, "builtin")
    assert versions.choice() == Choice(0, "builtin", "builtin")
    names = [versions.add(bundles / name).info.id for name in BIASES]
    assert sorted(versions.names()) == sorted(names)
    for name in names:
        versions.choose(name)
    assert versions.choose(names[2]).serial == 3  # the same again is nothing new
    assert versions.choice() == Choice(3, "builtin", names[2], ("builtin", names[0], names[1]))
    assert versions.serving() == str(tmp_path / "versions" / names[2])
    versions.remove(names[2])
    versions.remove(names[1])
    assert len(versions.names()) == 3  # it serves, or would after a rollback
    versions.remove(names[0])
    assert versions.back().now == names[1]
    assert versions.back().now == "builtin"  # what was removed is passed over
    other = Versions(tmp_path, "hub:a/b")
    assert (other.choice().now, other.choice().before) == ("hub:a/b", ())
    versions.file.write_text("{")
    assert versions.choice().now == "builtin"
    assert versions.folder_of("../versions") is None
    assert list(tmp_path.glob(".choice.json-*")) == []


def test_a_folder_without_a_manifest_gets_one_and_a_pickle_stays_outside(
    bundles: Path, tmp_path: Path
) -> None:
    plain = shutil.copytree(bundles / "plain", tmp_path / "My Model")
    (plain / MANIFEST).unlink()
    (plain / "pytorch_model.bin").write_bytes(b"pickle")
    versions = Versions(tmp_path / "models", "builtin")
    taken = versions.add(plain)
    assert taken.info.id.startswith("my-model-")
    assert taken.folder.name == taken.info.id
    assert not (taken.folder / "pytorch_model.bin").exists()
    assert versions.add(plain).folder == taken.folder
    check_bundle(str(taken.folder), backend="auto", models_dir=tmp_path)


def test_another_bundle_of_the_same_name_is_refused(bundles: Path, tmp_path: Path) -> None:
    versions = Versions(tmp_path / "models", "builtin")
    versions.add(bundles / "plain")
    other = shutil.copytree(bundles / "plain", tmp_path / "other")
    (other / "README.md").write_text("another one")
    seal(other, read_bundle(other).info, licence="MIT")
    with pytest.raises(BundleError, match="another version called"):
        versions.add(other)
    with pytest.raises(BundleMissing):
        versions.add(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["damaged", "resealed", "nan"])
def test_what_cannot_serve_is_found_out_before(bundles: Path, name: str) -> None:
    with pytest.raises(BundleDamaged) as caught:
        check_bundle(str(bundles / name), backend="auto", models_dir=bundles)
    assert "\n" not in str(caught.value)


async def test_nothing_grows_with_swaps(bundles: Path, folder: Path) -> None:
    """A model that was swapped out is let go: its threads end."""
    options = WorkerOptions(listen=f"unix:{folder}/w", use=str(bundles / "plain"), models_dir=bundles)
    async with running(options) as worker, WorkerClient(worker.url) as client:
        process = psutil.Process(worker.process.pid)

        async def swap_all() -> int:
            for name in BIASES:
                await client.swap(str(bundles / name))
                await client.look(drawing())
            return process.num_threads()

        counts = [await swap_all() for _ in range(12)]
        assert max(counts[8:]) <= max(counts[:4]) + 6, counts  # asyncio's own pool fills up at first
    assert "--follow" in replace(options, follow=True).to_arguments()
    assert "--follow" not in options.to_arguments()
