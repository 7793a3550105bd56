"""A Ray cluster on loopback, in a process of its own: ``python -m tests.standins.ray_cluster``.

It reads a Serve configuration a line, as JSON, and says ``ready`` or ``failed WHY`` for each. When its stdin
ends, so does the cluster.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

from model.cluster import launching
from model.cluster.plan import ClusterOptions
from model.errors import ModelError

ROOT = Path(__file__).parents[2]
START_SECONDS, STOP_SECONDS = 400.0, 90.0


class RayCluster:
    """``with RayCluster() as cluster: await cluster.deploy(config)``."""

    def __enter__(self) -> RayCluster:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            env={
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("RAY_", "WHOSTHAT_"))
            },
        )
        watchdog = threading.Timer(START_SECONDS, self._process.kill)
        watchdog.start()
        try:
            self.folder = Path(self._said("folder"))
            self._said("up")
        except RuntimeError:
            self._process.wait(10)
            raise
        finally:
            watchdog.cancel()
        return self

    def __exit__(self, *_: object) -> None:
        every = self.processes()
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self.left = psutil.wait_procs(every, 15)[1]
            for each in self.left:
                each.kill()
            self._process.wait(10)
            assert self._process.stdout
            self._process.stdout.close()

    def processes(self) -> list[psutil.Process]:
        """All of the cluster's, the one that holds it included."""
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]

    def workers(self) -> list[psutil.Process]:
        """Our own workers, one in each replica."""
        return [each for each in self.processes() if _is_a_worker(each)]

    async def deploy(self, config: dict[str, Any]) -> str:
        """Why it cannot be deployed; empty once every replica is ready."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(config) + "\n")
        self._process.stdin.flush()
        said = await asyncio.to_thread(self._said, ("ready", "failed"))
        return "" if said == "ready" else said.removeprefix("failed ")

    def _said(self, words: str | tuple[str, ...]) -> str:
        """The rest of the first line that begins with such a word; what Ray prints is passed over."""
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith(words):
                return line.strip() if isinstance(words, tuple) else line.removeprefix(words).strip()
        raise RuntimeError("the cluster ended")


def _is_a_worker(process: psutil.Process) -> bool:
    """What a worker has forked off itself is called as it is, and is none."""
    try:
        parent = process.parent()
        return _called(process) and (parent is None or not _called(parent))
    except psutil.Error:
        return False


def _called(process: psutil.Process) -> bool:
    return process.cmdline()[1:3] == ["-m", "model.worker"]


def main() -> None:
    """The cluster's own process."""
    cluster = ClusterOptions()
    os.environ.update(launching.environment(cluster, os.environ))
    import ray
    from ray import serve

    folder = launching.private_folder()
    print("folder", folder, flush=True)
    try:
        launching.connect(ray, cluster, folder, cpus=2)
        print("up", flush=True)
        for line in sys.stdin:
            try:
                config = json.loads(line)
                launching.deploy(serve, config)
                launching.running(serve, threading.Event(), config["applications"][0]["name"])
                print("ready", flush=True)
            except ModelError as error:
                print("failed", str(error).replace("\n", " "), flush=True)
        serve.shutdown()  # type: ignore[no-untyped-call]
    finally:
        launching.ended(ray, folder)


if __name__ == "__main__":
    main()
