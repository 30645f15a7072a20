"""Rules for declared objects; each family is a module or two."""

from collections.abc import Mapping

from hops.rules.families import (
    accepted_routes,
    api_server,
    clashes,
    exceptions,
    exposure,
    host_port_binding,
    host_ports,
    hosts_and_paths,
    ingress,
    kind_clusters,
    kind_configurations,
    request_path,
    services,
    tls,
)
from hops.rules.rule import Rule

_DECLARED = [
    rule
    for family in (
        api_server,
        host_ports,
        host_port_binding,
        kind_clusters,
        kind_configurations,
        clashes,
        ingress,
        hosts_and_paths,
        accepted_routes,
        tls,
        services,
        request_path,
        exposure,
        exceptions,
    )
    for rule in vars(family).values()
    if isinstance(rule, Rule)
]
_FAMILIES = list(dict.fromkeys(rule.code[:2] for rule in _DECLARED))
RULES: Mapping[str, Rule] = {
    rule.code: rule for rule in sorted(_DECLARED, key=lambda rule: (_FAMILIES.index(rule.code[:2]), rule.code))
}
"""All rules by code, in the order of the families and codes."""
