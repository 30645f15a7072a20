"""The values that the API server refuses in pods and their containers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hops.kubernetes.schemas.refusals import Refusal
from hops.kubernetes.validation.quantities import refused_quantity, refused_resources
from hops.kubernetes.validation.value_checks import (
    Check,
    decided,
    present,
    refused,
    refused_port_names,
    refused_requirement,
)
from hops.kubernetes.values import address, at, entries, flag, mapping, number, pointer, sequence, text

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_ENV_FIELDS = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.host", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)
_GRACE_PERIOD = 30
"""Seconds that a pod has to end by default."""
_SUBSCRIPT = re.compile(r"metadata\.(?:labels|annotations)\['.+'\]")


def _probes(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        given = container.get(key)
        if given is None:
            continue
        probe, path = mapping(given), f"{base}/{key}"
        handlers = present(probe, *_HANDLERS)
        if not handlers:
            yield refused(path, "has no handler", "Set httpGet, tcpSocket, grpc or exec.")
        elif len(handlers) > 1:
            yield refused(f"{path}/{handlers[1]}", f"is set beside {handlers[0]}", "Remove one of the two.")
        threshold = number(probe.get("successThreshold"))
        # 0 means the default.
        if key != "readinessProbe" and threshold is not None and threshold > 1:
            yield refused(f"{path}/successThreshold", f"is {threshold}, which is not 1", "Write 1, or remove it.")


def _env(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for index, variable in entries(sequence(container.get("env"))):
        source = mapping(variable).get("valueFrom")
        path = f"{base}/env/{index}/valueFrom"
        if source is None:
            continue
        given = present(source, "fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
        field = text(at(source, "fieldRef", "fieldPath"))
        if text(variable.get("value")):
            yield refused(path, "is set beside value", "Remove value or valueFrom.")
        elif not given:
            yield refused(path, "has no source", "Set fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef.")
        elif len(given) > 1:
            yield refused(path, f"has {given[1]} beside {given[0]}", "Remove one of the two.")
        elif field and field not in _ENV_FIELDS and not _SUBSCRIPT.fullmatch(field):
            yield refused(
                f"{path}/fieldRef/fieldPath",
                f"is {field[:60]!r}, which no variable can have",
                "Write a field such as metadata.name.",
            )


def _mount_paths(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    seen: set[str] = set()
    for index, mount in entries(sequence(container.get("volumeMounts"))):
        path = text(mount.get("mountPath"))
        if path and path in seen:
            yield refused(
                f"{base}/volumeMounts/{index}/mountPath",
                f"is {path[:60]}, as that of another mount",
                "Change one of the paths.",
            )
        seen.add(path or "")


def _privileges(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    context = mapping(container.get("securityContext"))
    if flag(context.get("privileged")) and flag(context.get("allowPrivilegeEscalation")) is False:
        yield refused(
            f"{base}/securityContext/allowPrivilegeEscalation",
            "is false, and the container is privileged",
            "Set privileged to false, or remove allowPrivilegeEscalation.",
        )


def _env_from(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for index, source in entries(sequence(container.get("envFrom"))):
        given = present(source, "configMapRef", "secretRef")
        if len(given) != 1:
            what = "has configMapRef and secretRef" if given else "has no source"
            yield refused(f"{base}/envFrom/{index}", what, "Set configMapRef or secretRef, and one of them only.")


def _lifecycle(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for hook in present(container.get("lifecycle"), "postStart", "preStop"):
        path, handlers = f"{base}/lifecycle/{hook}", present(at(container, "lifecycle", hook), *_HOOK_HANDLERS)
        if not handlers:
            yield refused(path, "has no handler", "Set exec, httpGet, sleep or tcpSocket.")
        elif len(handlers) > 1:
            yield refused(f"{path}/{handlers[1]}", f"is set beside {handlers[0]}", "Remove one of the two.")


_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")


def _of_init(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    """What only containers that stay may have."""
    if "/initContainers/" in base and text(container.get("restartPolicy")) != "Always":
        for key in present(container, "lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            yield refused(
                f"{base}/{key}", "is set, and an init container ends", "Remove it, or set restartPolicy to Always."
            )


def _commands(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    hooks = [("lifecycle", "postStart"), ("lifecycle", "preStop")]
    for keys in (*hooks, ("livenessProbe",), ("readinessProbe",), ("startupProbe",)):
        action = at(container, *keys, "exec")
        if isinstance(action, dict) and not sequence(action.get("command")):
            yield refused(pointer(base, *keys, "exec", "command"), "is missing", "Set the command as a list.")


def _sub_paths(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for index, mount in entries(sequence(container.get("volumeMounts"))):
        if text(mapping(mount).get("subPath")) and text(mapping(mount).get("subPathExpr")):
            path = f"{base}/volumeMounts/{index}/subPathExpr"
            yield refused(path, "is set beside subPath", "Remove one of the two.")


def _pod_wide(spec: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    if flag(spec.get("hostPID")) and flag(spec.get("shareProcessNamespace")):
        yield refused(f"{base}/shareProcessNamespace", "is set beside hostPID", "Remove one of the two.")
    for index, alias in entries(sequence(spec.get("hostAliases"))):
        given = text(mapping(alias).get("ip"))
        if given is not None and address(given) is None:
            yield refused(f"{base}/hostAliases/{index}/ip", f"is {given[:60]!r}, which is no address", "Write an IP.")


def _volumes(spec: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for index, volume in entries(sequence(spec.get("volumes"))):
        sources = [key for key, value in mapping(volume).items() if key != "name" and value is not None]
        path = f"{base}/volumes/{index}"
        if len(sources) > 1:
            yield refused(f"{path}/{sources[1]}", f"is set beside {sources[0]}", "Write two volumes, one for each.")
        yield from refused_quantity(at(volume, "emptyDir", "sizeLimit"), f"{path}/emptyDir/sizeLimit")
        for source, key in (("configMap", "name"), ("secret", "secretName")):
            if isinstance(mapping(volume).get(source), dict) and not at(volume, source, key):
                yield refused(f"{path}/{source}/{key}", "is missing", f"Set the name of the {source}.")


def _tolerations(spec: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    for index, given in entries(sequence(spec.get("tolerations"))):
        path = f"{base}/tolerations/{index}"
        operator = text(given.get("operator"))
        if operator == "Exists" and text(given.get("value")):
            yield refused(f"{path}/value", "is set, and the operator is Exists", "Remove value, or write Equal.")
        elif operator != "Exists" and not text(given.get("key")):
            yield refused(f"{path}/operator", "is not Exists, and there is no key", "Set key, or write Exists.")
        if given.get("tolerationSeconds") is not None and text(given.get("effect")) != "NoExecute":
            yield refused(f"{path}/effect", "is not NoExecute, and tolerationSeconds is set", "Write NoExecute.")


def _dns(spec: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    if text(spec.get("dnsPolicy")) == "None" and not sequence(at(spec, "dnsConfig", "nameservers")):
        yield refused(f"{base}/dnsPolicy", "is None, and dnsConfig has no nameservers", "Set dnsConfig.nameservers.")


def _affinity(spec: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    node = mapping(at(spec, "affinity", "nodeAffinity"))
    path = f"{base}/affinity/nodeAffinity"
    required, preferred = (
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    )
    terms = [
        (term, f"{path}/{required}/nodeSelectorTerms/{index}")
        for index, term in entries(sequence(at(node, required, "nodeSelectorTerms")))
    ]
    terms += [
        (at(term, "preference"), f"{path}/{preferred}/{index}/preference")
        for index, term in entries(sequence(node.get(preferred)))
    ]
    for term, place in terms:
        for index, demand in entries(sequence(at(term, "matchExpressions"))):
            yield from decided(refused_requirement, demand, f"{place}/matchExpressions/{index}")


def refused_restart_policy(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    """A restartPolicy of a container, of which Kubernetes before 1.34 has only that of a sidecar."""
    given = text(container.get("restartPolicy"))
    if given and "/initContainers/" not in base:
        yield refused(f"{base}/restartPolicy", "is set, and the container is no init container", "Remove it.")
    elif given and given != "Always":
        yield refused(f"{base}/restartPolicy", f"is {given[:60]!r}, which is not Always", "Write Always, or remove it.")


def refused_sleep(spec: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    """A sleep of a hook that outlasts the time that the pod has to end."""
    grace = number(spec.get("terminationGracePeriodSeconds"))
    grace = _GRACE_PERIOD if grace is None else grace
    for key in ("containers", "initContainers"):
        for index, container in entries(sequence(spec.get(key))):
            for hook in ("postStart", "preStop"):
                seconds = number(at(container, "lifecycle", hook, "sleep", "seconds"))
                if seconds is not None and not 0 <= seconds <= grace:
                    yield refused(
                        pointer(base, key, index, "lifecycle", hook, "sleep", "seconds"),
                        f"is {seconds}, which is not from 0 to terminationGracePeriodSeconds, {grace}",
                        "Write a shorter time, or raise terminationGracePeriodSeconds of the pod.",
                    )


POD_CHECKS: tuple[Check, ...] = (_affinity, _dns, _pod_wide, _tolerations, _volumes)
CONTAINER_CHECKS: tuple[Check, ...] = (
    *(_commands, _env, _env_from, _lifecycle, _mount_paths, _of_init, _privileges, _probes, _sub_paths),
    *(refused_port_names, refused_resources),
)
