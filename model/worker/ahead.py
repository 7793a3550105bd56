"""What a worker begins with, before it imports the server that it speaks through.

On its way to *ready* a worker imports some hundred modules, starts the processes that decode, loads a model
and has it answer once. Only the imports need Python's lock: while they go on, the model is loaded in a
thread. And what decodes is forked off before there is any thread, so that Python, NumPy and Pillow are
imported once, and lie once in memory, for the worker and all that decode for it.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from model.worker.options import WorkerOptions

if TYPE_CHECKING:
    from ssl import SSLContext

    from model.choosing import Chooser, Wish
    from model.classifier import Classifier, Progress


class Ahead:
    """A model that is being loaded, for the engine: `load` and `check` stand in for its own."""

    def __init__(self, options: WorkerOptions, chooser: Chooser, progress: Progress | None = None) -> None:
        """Begin to load in a thread, unless it is not known yet which one, or it is to be downloaded."""
        self.chooser = chooser
        self._checked: Classifier | None = None
        self._use = _first_use(options)
        self._begun: Future[Classifier] | None = None
        if self._use:
            self._begun = Future()
            threading.Thread(target=self._work, args=(self._begun, progress), daemon=True).start()

    @property
    def loading(self) -> bool:
        """Whether the thread is at it still, which nothing can stop."""
        return self._begun is not None and not self._begun.done()

    def load(self, use: str, *, progress: Progress | None = None, **rest: object) -> Classifier:
        """What was begun with, once; everything else as `model.choosing.Chooser.load` does, and it raises
        what that does."""
        begun, self._begun = self._begun, None
        if begun is not None and use == self._use:
            return begun.result()
        return self.chooser.load(use, progress=progress, **rest)

    def check(self, classifier: Classifier) -> None:
        """As `model.checking.probe`, which is not done twice."""
        from model.checking import probe

        if classifier is not self._checked:
            probe(classifier)
        self._checked = None

    def _work(self, begun: Future[Classifier], progress: Progress | None) -> None:
        from model.checking import probe

        try:
            classifier = self.chooser.load(self._use, progress=progress)
            probe(classifier)
            self._checked = classifier
        except BaseException as error:
            begun.set_exception(error)
        else:
            begun.set_result(classifier)


def begin(options: WorkerOptions, progress: Progress | None = None) -> Ahead:
    """Fork off what decodes, then begin to load the model. To be called while there is one thread.

    Raises:
        BundleError: what is asked of the choice of a level cannot be.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy multiplies nothing large here
    import model.decoders  # also all that decoding takes

    if sys.platform == "linux" and not options.secret:  # which nobody who decodes shall hold
        with forked():
            model.decoders.start_fork_server()
    from model.choosing import Chooser

    chooser = Chooser(wish_of(options), Path(options.models_dir))
    if options.backend != "torch":
        with suppress(ImportError):  # not in the thread: it holds Python's lock, and is what all waits for
            import model.backends.onnx
    return Ahead(options, chooser, progress)


@contextmanager
def forked() -> Iterator[None]:
    """Have multiprocessing's helpers be forks of this process instead of new interpreters, in this block.

    They run the same command with the same files open, but what is imported by now is there already.
    """
    from multiprocessing import util

    new = util.spawnv_passfds
    if threading.active_count() == 1:
        util.spawnv_passfds = _fork  # type: ignore[assignment]
    try:
        yield
    finally:
        util.spawnv_passfds = new


def _fork(_: str | bytes, arguments: Sequence[str], keep: Sequence[int]) -> int:
    """In place of ``multiprocessing.util.spawnv_passfds``: the last argument is what ``python -c`` runs."""
    gc.freeze()  # a collection would write to every object, and have each process copy it
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        gc.enable()
        bounds = sorted({2, *keep})
        for below, above in zip(bounds, [*bounds[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
            os.closerange(below + 1, above)
        exec(arguments[-1], {"__name__": "__fork__"})  # noqa: S102  # multiprocessing's own
        status = 0
    except SystemExit:
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def wish_of(options: WorkerOptions) -> Wish:
    """What is asked of the choice of a level, a backend and threads."""
    from model.choosing import Wish

    return Wish(options.backend, options.level, options.threads, options.target)


def _first_use(options: WorkerOptions) -> str:
    """What is loaded first; empty where that is decided later: a download, or a choice that is counted."""
    if options.use.startswith("hub:"):
        return ""
    if options.follow:
        from model.errors import BundleError
        from model.versions import Versions

        versions = Versions(Path(options.models_dir), options.use)
        try:
            if versions.choice().now != versions.setting:
                return ""
        except (BundleError, OSError):
            return ""
    return options.use


@contextmanager
def without_authorities() -> Iterator[list[SSLContext]]:
    """Import aiohttp without reading the machine's certificates, which takes a twentieth of a start.

    It does so when its client is imported, twice. A worker asks nobody by it: that client would believe
    nobody. Others read them then, for the contexts that this gives: `read_authorities`.
    Other threads read them as ever. And not by ``SSL_CERT_FILE``: a model is being loaded meanwhile, and
    native code there may read the environment, which must not change then.
    """
    import ssl

    unread: list[SSLContext] = []
    read, here = ssl.SSLContext.set_default_verify_paths, threading.get_ident()

    def unless_here(context: SSLContext) -> None:
        if threading.get_ident() == here:
            unread.append(context)
        else:
            read(context)

    ssl.SSLContext.set_default_verify_paths = unless_here  # type: ignore[method-assign, assignment]
    try:
        yield unread
    finally:
        ssl.SSLContext.set_default_verify_paths = read  # type: ignore[method-assign]


def read_authorities(unread: Sequence[SSLContext]) -> None:
    """What was left out: for contexts that ask who somebody is. Python's lock is not held meanwhile."""
    from ssl import CERT_NONE

    for context in unread:
        if context.verify_mode != CERT_NONE:
            context.set_default_verify_paths()
