"""What can break: the machine and whether its cluster can be seen at all."""

from collections.abc import Callable, Iterator

from hops.finding import Finding
from hops.trace.view import View

CHECKS: tuple[Callable[[View], Iterator[Finding]], ...] = ()
