"""Work in threads that nobody has to wait for."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
Progress = Callable[[Mapping[str, float | None]], None]
"""Is told how many seconds each part took, None for one that still runs."""


def later(call: Callable[[], T]) -> Future[T]:
    """What a call gives or raises, from a thread that ends with the program: what hangs in it keeps nobody."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it raised
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


class TimedTasks:
    """The parts of a look, each in its thread. unseen: why a part gave nothing. seconds: that each took."""

    def __init__(self, progress: Progress) -> None:
        self.unseen: dict[str, str] = {}
        self.seconds: dict[str, float | None] = {}
        self._progress = progress

    def start(self, what: str, call: Callable[[], T], bound: float) -> Callable[[], T | None]:
        """Begins a part. What it returns gives the part's result, None where it failed or takes longer than bound.

        bound: seconds, from the moment in which the result is asked for.
        """
        self._tell(what, None)

        def timed() -> T:
            began = time.monotonic()
            try:
                return call()
            finally:
                self._tell(what, time.monotonic() - began)

        future = later(timed)

        def result() -> T | None:
            try:
                return future.result(bound)
            except TimeoutError:
                self.unseen[what] = f"it took longer than {bound:.0f} s"
            except Exception as error:  # noqa: BLE001 - a look that fails in one part goes on with the others
                self.unseen[what] = str(error) or repr(error)
            return None

        return result

    def _tell(self, what: str, seconds: float | None) -> None:
        self.seconds[what] = seconds
        self._progress(dict(self.seconds))
