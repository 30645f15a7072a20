"""All that is asked of a view, in the order of the path."""

from collections.abc import Callable, Iterator, Mapping

from hops.finding import Finding
from hops.trace import docker, host_port, ladder, machine, name, network, owner, pod, proxy, route, service, wire
from hops.trace.code import Code
from hops.trace.view import View

Check = Callable[[View], Iterator[Finding]]

_MODULES = (machine, name, docker, owner, host_port, proxy, route, service, network, wire, pod)

CHECKS: tuple[Check, ...] = tuple(check for module in _MODULES for check in module.CHECKS)
"""Each yields the faults that it finds, and nothing where it cannot see."""

CODES: Mapping[str, Code] = {
    code.code: code
    for code in sorted(
        (code for module in (*_MODULES, ladder) for code in vars(module).values() if isinstance(code, Code)),
        key=lambda code: code.code,
    )
}
"""Every code of a running path; the rules have theirs in `hops.rules.RULES`."""
