"""Where in the project a finding comes from: a setting in the stack's file, or the component that declares it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import yaml

from hops.kubernetes.values import at
from hops.model.finding import Finding
from hops.model.settings.defaults import with_derived
from hops.model.settings.service_settings import ServiceSettings
from hops.model.settings.setting_types import NAMESPACE
from hops.pull_requests.events import Preview, PreviewedResource
from hops.rules.files.documents import UnreadableError, child, documents, line, nodes, parts
from hops.rules.formats import Located

PROGRAM = "stacks/build.py"
"""What no component declares, it does."""

# component, kind, JSON pointer in the object, pointer in the configuration. {} is the entry of the service.
_SETTINGS = tuple(
    (component, kind, re.compile(pointer), setting)
    for component, kind, pointer, setting in (
        # Those of IPv4 come first.
        ("KindCluster", "Cluster", r"/nodes/\d+/extraPortMappings/[01]/listenAddress", "cluster/listenAddress"),
        ("KindCluster", "Cluster", r"/nodes/\d+/extraPortMappings/[23]/listenAddress", "cluster/listenAddressIPv6"),
        ("KindCluster", "Cluster", r"/nodes/\d+/extraPortMappings/[02](/(hostPort|protocol))?", "cluster/httpPort"),
        ("KindCluster", "Cluster", r"/nodes/\d+/extraPortMappings/[13](/(hostPort|protocol))?", "cluster/httpsPort"),
        ("KindCluster", "Cluster", r"/networking/ipFamily", "cluster/ipFamily"),
        ("KindCluster", "Cluster", r"/networking/podSubnet", "cluster/podSubnet"),
        ("KindCluster", "Cluster", r"/networking/serviceSubnet", "cluster/serviceSubnet"),
        ("KindCluster", "Cluster", r"/name", "cluster/name"),
        ("Contour", "DaemonSet", r".*/containers/\d+/ports/0/hostPort", "cluster/httpPort"),
        ("Contour", "DaemonSet", r".*/containers/\d+/ports/1/hostPort", "cluster/httpsPort"),
        ("Contour", "", r".*/image", "contour/registry"),
        ("Contour", "Deployment", r"/spec/replicas", "contour/replicas"),
        ("Calico", "", r".*/image", "calico/registry"),
        ("Workload", "", r"/metadata/namespace", "services/{}/namespace"),
        ("Workload", "Pod", r"/metadata/name", "services/{}/pod"),
        ("Workload", "Deployment", r"/metadata/name", "services/{}/name"),
        ("Workload", "Deployment", r"/spec/replicas", "services/{}/replicas"),
        ("Workload", "", r"(/spec/template)?/spec/containers/\d+/image", "services/{}/image"),
        ("Workload", "", r"(/spec/template)?/spec/containers/\d+/command(/.*)?", "services/{}/command"),
        ("Workload", "", r"(/spec/template)?/spec/containers/\d+/args(/.*)?", "services/{}/args"),
        ("Workload", "", r"(/spec/template)?/spec/containers/\d+/env(/.*)?", "services/{}/env"),
        ("Workload", "", r"(/spec/template)?/spec/containers/\d+/resources(/.*)?", "services/{}/resources"),
        (
            "Workload",
            "",
            r"(/spec/template)?/spec/containers/\d+/(readiness|liveness|startup)Probe(/.*)?",
            "services/{}/probes",
        ),
        ("Workload", "", r".*/securityContext/(runAs.*)", "services/{}/user"),
        ("Workload", "", r".*/securityContext/readOnlyRootFilesystem", "services/{}/readOnlyRoot"),
        ("Workload", "ConfigMap", r"/data(/.*)?", "services/{}/files"),
        ("Workload", "", r"(/spec/template)?/spec/containers/\d+/ports(/.*)?", "services/{}/port"),
        ("Workload", "Service", r"/metadata/name", "services/{}/name"),
        ("Workload", "Service", r"/spec/ports(/.*)?", "services/{}/port"),
        ("Workload", "Service", r"/spec/clusterIP", "services/{}/clusterIP"),
        ("Workload", "Service", r"/spec/ipFamil(ies|yPolicy)(/.*)?", "services/{}/ipFamily"),
        ("Ingress", "Ingress", r"/metadata/namespace", "services/{}/namespace"),
        ("Ingress", "Ingress", r"/metadata/name", "services/{}/ingress"),
        ("Ingress", "Ingress", r"/spec/rules/\d+/host", "services/{}/host"),
        ("Ingress", "Ingress", r"/spec/rules/\d+/http/paths/\d+/path", "services/{}/path"),
        ("Ingress", "Ingress", r"/spec/rules/\d+/http/paths/\d+/backend/service/name", "services/{}/name"),
        ("Ingress", "Ingress", r"/spec/rules/\d+/http/paths/\d+/backend/service/port(/.*)?", "services/{}/port"),
        ("Ingress", "Ingress", r"/spec/tls(/.*)?", "services/{}/tls"),
    )
)
_WHOLE = {"EX07": "/metadata/namespace"}
"""What a rule means that speaks of a whole object."""
_NAME_OF_SERVICE = {"Workload": "name", "Ingress": "ingress"}


def located(preview: Preview, stack_file: str, sources: Mapping[str, str]) -> list[Located]:
    """The findings of a preview with the files and lines that they come from.

    stack_file: its name among the sources. sources: texts of the project by file name; none of them has to be there.
    """
    config = _node(sources.get(stack_file, ""))
    return [_located(finding, preview, stack_file, config, sources) for finding in preview.findings]


def _located(
    finding: Finding, preview: Preview, stack_file: str, config: yaml.Node | None, sources: Mapping[str, str]
) -> Located:
    declared = preview.resources.get(finding.place.urn or "")
    pointer = _setting(finding, declared, preview.config)
    if pointer and _written(config, pointer):
        return _at(finding, stack_file, line(config, pointer))
    where = _component(finding.resource.kind, declared, sources) if declared else None
    return _at(finding, *(where or (stack_file, None)))


def _at(finding: Finding, file: str, number: int | None) -> Located:
    return Located(replace(finding, place=replace(finding.place, file=file)), number)


def _node(text: str) -> yaml.Node | None:
    try:
        # Read first, since this refuses what would be nested too deeply for the second, slower reading.
        found = nodes(text) if documents(text) else []
    except (UnreadableError, RecursionError):
        return None
    return found[0] if found else None


def _setting(finding: Finding, declared: PreviewedResource | None, config: Mapping[str, Any]) -> str | None:
    """The pointer in a stack's file of the setting that a finding comes from."""
    if finding.resource.kind == "Policy":
        return f"/config/{NAMESPACE}:policy{finding.path}"
    if declared is None:
        return None
    pointer = finding.path or _WHOLE.get(finding.code, "")
    if finding.patch and finding.patch.resource == finding.resource:
        # It often says better which value it is.
        changed = {str(operation["path"]) for operation in finding.patch.operations}
        pointer = next((path for path in changed if len(changed) == 1 and path.startswith(pointer)), pointer)
    for component, kind, pattern, setting in _SETTINGS:
        if component == declared.component and kind in ("", finding.resource.kind) and pattern.fullmatch(pointer):
            number = _service(declared, config) if "{}" in setting else 0
            key = _of_publisher(setting, pointer, config).format(number)
            return None if number is None else f"/config/{NAMESPACE}:{key}"
    return None


def _of_publisher(setting: str, pointer: str, config: Mapping[str, Any]) -> str:
    """The pointer of a port's setting, in the entry of the further worker whose mapping it is."""
    node = re.match(r"/nodes/(\d+)/extraPortMappings/", pointer)
    further = at(config, "cluster", "alsoPublish")
    workers = [at(one, "worker") for one in further] if isinstance(further, list) else []
    if node is None or int(node[1]) not in workers or not setting.endswith("Port"):
        return setting
    return setting.replace("cluster/", f"cluster/alsoPublish/{workers.index(int(node[1]))}/")


def _service(declared: PreviewedResource, config: Mapping[str, Any]) -> int | None:
    """The number of the service whose component declares a resource."""
    services = config.get("services")
    for number, service in enumerate(services if isinstance(services, list) else ()):
        whole = with_derived(service)
        own = str(at(whole, _NAME_OF_SERVICE[declared.component]))
        namespace = at(whole, "namespace") or ServiceSettings.model_fields["namespace"].default
        if declared.parent in (own, f"{namespace}/{own}"):
            return number
    return None


def _written(config: yaml.Node | None, pointer: str) -> bool:
    """Whether a stack's file has the section of a setting, or the entry of its service; defaults have no line."""
    node = config
    for part in parts(pointer)[: 3 if f"{NAMESPACE}:services" in pointer else 2]:
        found = child(node, part)
        if found is None:
            return False
        _, node = found
    return True


def _component(kind: str, declared: PreviewedResource, sources: Mapping[str, str]) -> tuple[str, int | None] | None:
    """File and line of the call that declares a resource, or else of the component's class."""
    if not declared.component:
        number = _line(sources.get(PROGRAM, ""), rf"\.{re.escape(kind)}\(")
        return (PROGRAM, number) if number else None
    for file, text in sources.items():
        start = _line(text, rf"class {re.escape(declared.component)}\b") if file.startswith("components/") else None
        if start:
            return file, _line(text, rf"\b\w+\.{re.escape(kind)}\(", start) or start
    return None


def _line(text: str, pattern: str, after: int = 0) -> int | None:
    """The number of the first line with a match, from 1."""
    compiled = re.compile(pattern)
    found = (n for n, one in enumerate(text.split("\n"), 1) if n > after and compiled.search(one[:1000]))
    return next(found, None)
