"""What can break: hop 1, the name."""

from collections.abc import Callable, Iterator

from hops.finding import Finding
from hops.trace.view import View

CHECKS: tuple[Callable[[View], Iterator[Finding]], ...] = ()
