"""What can break: hop 4, the route that Envoy takes."""

from collections.abc import Callable, Iterator

from hops.finding import Finding
from hops.trace.view import View

CHECKS: tuple[Callable[[View], Iterator[Finding]], ...] = ()
