"""Work in threads, with a time limit for each result."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
Progress = Callable[[Mapping[str, float | None]], None]
"""Receives the seconds that each part took; None for a part that still runs."""


def later(call: Callable[[], T]) -> Future[T]:
    """The result or exception of a call, from a daemon thread: a call that hangs does not keep the program alive."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - the caller of result() gets it
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


class TimedTasks:
    """The parts of a look, each in its own thread.

    unseen: why a part has no result, by its name.
    seconds: how long each part took; None while it runs.
    """

    def __init__(self, progress: Progress) -> None:
        self.unseen: dict[str, str] = {}
        self.seconds: dict[str, float | None] = {}
        self._progress = progress

    def start(self, what: str, call: Callable[[], T], bound: float) -> Callable[[], T | None]:
        """Starts a part. The returned function waits for its result; None if the part fails or takes too long.

        what: name of the part.
        call: the work.
        bound: how many seconds to wait, from the call of the returned function.
        """
        self._report(what, None)

        def timed() -> T:
            began = time.monotonic()
            try:
                return call()
            finally:
                self._report(what, time.monotonic() - began)

        future = later(timed)

        def result() -> T | None:
            try:
                return future.result(bound)
            except TimeoutError:
                self.unseen[what] = f"it took longer than {bound:.0f} s"
            except Exception as error:  # noqa: BLE001 - a part that fails must not stop the others
                self.unseen[what] = str(error) or repr(error)
            return None

        return result

    def _report(self, what: str, seconds: float | None) -> None:
        self.seconds[what] = seconds
        self._progress(dict(self.seconds))
