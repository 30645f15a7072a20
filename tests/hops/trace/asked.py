"""Asks the checks of the ways between this machine and the pods, all of them together."""

from hops.finding import Finding
from hops.trace import docker, host_port, machine, name, network, owner, wire
from tests.hops.trace.names import JSON
from tests.hops.trace.sights import view

MODULES = (machine, name, docker, owner, host_port, network, wire)


def found(sight: JSON) -> list[Finding]:
    """What they find."""
    seen = view(sight)
    return [finding for module in MODULES for check in module.CHECKS for finding in check(seen)]


def codes(sight: JSON) -> list[str]:
    """The codes of what they find."""
    return [finding.code for finding in found(sight)]
