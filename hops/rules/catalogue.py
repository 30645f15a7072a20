"""All rules, by code."""

from collections.abc import Mapping

from hops.rules.families import api_server, clashes, exceptions, host_port_binding, host_ports, tls
from hops.rules.families.exposure import isolation, served_files
from hops.rules.families.ingress import accepted_routes, backends_and_classes, hosts_and_paths
from hops.rules.families.kind_clusters import kind_configurations, kind_networks, kind_ports, pod_admission
from hops.rules.families.request_path import contour_configuration, pods_that_serve, policies_on_path
from hops.rules.families.services import outside_addresses, selected_pods, service_ports
from hops.rules.rule import Rule

_DECLARED = [
    rule
    for module in (
        api_server,
        host_ports,
        host_port_binding,
        kind_ports,
        kind_networks,
        pod_admission,
        kind_configurations,
        clashes,
        backends_and_classes,
        hosts_and_paths,
        accepted_routes,
        tls,
        selected_pods,
        service_ports,
        outside_addresses,
        policies_on_path,
        pods_that_serve,
        contour_configuration,
        served_files,
        isolation,
        exceptions,
    )
    for rule in vars(module).values()
    if isinstance(rule, Rule)
]
_FAMILIES = list(dict.fromkeys(rule.code[:2] for rule in _DECLARED))
RULES: Mapping[str, Rule] = {
    rule.code: rule for rule in sorted(_DECLARED, key=lambda rule: (_FAMILIES.index(rule.code[:2]), rule.code))
}
"""All rules by code, in the order of the families and codes."""
