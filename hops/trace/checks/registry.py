"""All checks of the trace, in the order of the path."""

from collections.abc import Callable, Iterator, Mapping

from hops.model.finding import Finding
from hops.trace.checks import bisect
from hops.trace.checks.envoy import (
    contour_start,
    encryption,
    envoy_answers,
    envoy_proxy,
    redirect,
    route,
)
from hops.trace.checks.host import client, machine, name, port_conflicts, port_mapping
from hops.trace.checks.nodes import between_nodes, endpoint, host_port, node, pod_interfaces
from hops.trace.checks.pods import (
    admission,
    cluster_dns,
    pod,
    process,
    service,
    share,
)
from hops.trace.code import Code
from hops.trace.facts.path_facts import PathFacts

Check = Callable[[PathFacts], Iterator[Finding]]

_MODULES = (
    machine,
    node,
    cluster_dns,
    name,
    client,
    port_mapping,
    port_conflicts,
    host_port,
    envoy_proxy,
    contour_start,
    route,
    envoy_answers,
    encryption,
    redirect,
    service,
    endpoint,
    pod_interfaces,
    between_nodes,
    pod,
    process,
    admission,
    share,
)

CHECKS: tuple[Check, ...] = tuple(check for module in _MODULES for check in module.CHECKS)
"""Each yields the faults that it finds, and nothing where it cannot see."""

CODES: Mapping[str, Code] = {
    code.code: code
    for code in sorted(
        (code for module in (*_MODULES, bisect) for code in vars(module).values() if isinstance(code, Code)),
        key=lambda code: code.code,
    )
}
"""Every code of a running path; the rules have theirs in `hops.rules.catalogue.RULES`."""

RULES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("IN01", "IN02", "IN05", "IN09", "IN18", "RP05"), ()),
    "IN17": ("T57",),
    "SV01": ("T42",),
    "SV02": (),
}
"""The rules that a trace asks of the objects in the cluster, and the codes that explain each away."""
