"""Rules over declared objects: a module per family."""

from collections.abc import Mapping

from hops.rules import exposure, fleet, host_ports, ingress, kind_nodes, pack, services, tls
from hops.rules.rule import Rule

RULES: Mapping[str, Rule] = {
    rule.code: rule
    for family in (host_ports, kind_nodes, fleet, ingress, tls, services, exposure, pack)
    for rule in vars(family).values()
    if isinstance(rule, Rule)
}
"""Every rule by its code, in the order of the catalogue."""
