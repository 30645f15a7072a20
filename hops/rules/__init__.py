"""Rules for declared objects; each family is a module."""

from collections.abc import Mapping

from hops.rules.families import (
    accepted_routes,
    api_server,
    clashes,
    exceptions,
    exposure,
    host_ports,
    ingress,
    kind_clusters,
    kind_configurations,
    request_path,
    services,
    tls,
)
from hops.rules.rule import Rule

RULES: Mapping[str, Rule] = {
    rule.code: rule
    for family in (
        api_server,
        host_ports,
        kind_clusters,
        kind_configurations,
        clashes,
        ingress,
        accepted_routes,
        tls,
        services,
        request_path,
        exposure,
        exceptions,
    )
    for rule in vars(family).values()
    if isinstance(rule, Rule)
}
"""All rules by code, in the order of the families and codes."""
