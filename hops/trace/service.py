"""What can break: hop 5 beside the path, and the endpoints that a Service gives hop 6."""

from collections.abc import Callable, Iterator

from hops.finding import Finding
from hops.trace.view import View

CHECKS: tuple[Callable[[View], Iterator[Finding]], ...] = ()
