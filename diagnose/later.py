"""Work in threads that nobody has to wait for."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


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
