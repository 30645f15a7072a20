"""What can break: hop 4, Envoy itself and what Contour gives it."""

from collections.abc import Callable, Iterator

from hops.finding import Finding
from hops.trace.view import View

CHECKS: tuple[Callable[[View], Iterator[Finding]], ...] = ()
