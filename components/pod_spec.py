"""The spec of a workload's pods, of its migration and of its network policy, from checked arguments."""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

from hops.model.settings import service_settings

_DRAIN_SECONDS = 5
"""How long an ending pod goes on serving: Contour takes its endpoint from Envoy meanwhile."""
_GRACE_SECONDS = 30
"""How long an ending pod of a Deployment has in all, as is Kubernetes' default. Nothing waits for it."""


def container_ports(ports: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """The names of the container's ports by number; several ports of a Service can lead to one of a container.

    ports: of the Service, each with its target.
    """
    names: dict[int, str] = {}
    for port in ports:
        names.setdefault(port["target_port"], port["name"])
    return names


def file_key(number: int) -> str:
    """The key of a file in the ConfigMap."""
    return f"file-{number}"


def pod_spec(values: Mapping[str, Any]) -> core.PodSpecArgsDict:
    """The spec of a pod that serves.

    values: the workload's checked arguments, with the names of the objects that the pod refers to.
    """
    files = [
        {"name": "files", "mount_path": path, "sub_path": file_key(number), "read_only": True}
        for number, path in enumerate(values["files"])
    ]
    folders = [(f"volume-{number}", volume) for number, volume in enumerate(values["volumes"])]
    deployed = values["kind"] == "Deployment"
    env: list[Any] = [{"name": name, "value": text} for name, text in values["env"].items()]
    env += [
        {"name": name, "value_from": {"secret_key_ref": {"name": values["secret"], "key": name}}}
        for name in values["secret_variables"]
    ]
    return {
        "service_account_name": values["pods"][0],
        "automount_service_account_token": False,
        **({} if values["pull_secret"] is None else {"image_pull_secrets": [{"name": values["pull_secret"]}]}),
        "enable_service_links": False,
        # A process that is number 1 and handles no signal is otherwise waited for 30 s.
        "termination_grace_period_seconds": _GRACE_SECONDS if deployed else 2,
        "security_context": {
            "run_as_non_root": values["user"] != 0,
            "run_as_user": values["user"],
            "run_as_group": values["user"],
            # Storage of the cluster's own belongs to root where it does not know whose it is.
            **({"fs_group": values["user"]} if any(volume["size"] for volume in values["volumes"]) else {}),
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "server",
                "image": values["image"],
                "image_pull_policy": "IfNotPresent",
                **({"command": list(values["command"])} if values["command"] else {}),
                **({"args": list(values["args"])} if values["args"] else {}),
                **({"env": env} if env else {}),
                **({"resources": values["resources"]} if values["resources"] else {}),
                "ports": [
                    {"name": name, "container_port": number}
                    for number, name in container_ports(values["ports"]).items()
                ],
                **_probes(values),
                **({"lifecycle": {"pre_stop": {"sleep": {"seconds": _DRAIN_SECONDS}}}} if deployed else {}),
                "security_context": {
                    "allow_privilege_escalation": False,
                    "read_only_root_filesystem": values["read_only_root"],
                    "capabilities": {"drop": ["ALL"]},
                },
                "volume_mounts": [
                    {"name": "scratch", "mount_path": "/tmp"},  # noqa: S108 - in the pod
                    *({"name": name, "mount_path": volume["path"]} for name, volume in folders),
                    *files,
                ],
            }
        ],
        "volumes": [
            {"name": "scratch", "empty_dir": {}},
            *({"name": name, **_source(values["name"], volume)} for name, volume in folders),
            *([{"name": "files", "config_map": {"name": values["config_map"]}}] if files else []),
        ],
    }


def migration_spec(values: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a migration's pod: the container's image and all that it is given, and another command.

    values: as for pod_spec.
    """
    spec = pod_spec({**values, "command": values["migration"]["command"], "args": ()})
    (container,) = spec["containers"]
    of_a_server = {"ports", "lifecycle", "readiness_probe", "liveness_probe", "startup_probe"}
    kept = {key: value for key, value in container.items() if key not in of_a_server}
    return {
        **spec,
        "restart_policy": "Never",
        "termination_grace_period_seconds": 2,
        "containers": [{**kept, "name": "migration"}],
    }


def _source(service: str, volume: Mapping[str, str]) -> dict[str, Any]:
    if not volume["size"]:
        return {"empty_dir": {}}
    return {"persistent_volume_claim": {"claim_name": service_settings.claim_name(service, volume["path"])}}


def strategy(values: Mapping[str, Any]) -> apps.DeploymentStrategyArgs:
    """How a Deployment replaces its pods. values: as for pod_spec."""
    if any(volume["size"] for volume in values["volumes"]):
        # Two pods, such as two database servers, must not have one folder at a time.
        return apps.DeploymentStrategyArgs(type="Recreate")
    # No old pod goes before a new one is ready.
    rolling = apps.RollingUpdateDeploymentArgs(max_unavailable=0, max_surge=1)
    return apps.DeploymentStrategyArgs(type="RollingUpdate", rolling_update=rolling)


def _probes(values: Mapping[str, Any]) -> dict[str, Any]:
    declared = {kind: probe for kind, probe in (values["probes"] or {}).items() if probe}
    return {
        f"{kind}_probe": _probe(kind, probe, values["ports"])
        for kind, probe in ({"readiness": {"tcp": True}} | declared).items()
    }


def _probe(kind: str, probe: Mapping[str, Any], ports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    numbers = {port["name"]: port["target_port"] for port in ports}
    port = ports[0]["target_port"] if probe.get("port") is None else probe["port"]
    if port not in container_ports(ports).values():
        port = numbers.get(port, port)
    period = probe.get("period") or (10 if kind == "liveness" else 1)
    if probe.get("http") is not None:
        action: dict[str, Any] = {"http_get": {"path": probe["http"], "port": port}}
    elif probe.get("exec") is not None:
        action = {"exec_": {"command": probe["exec"]}}
    elif probe.get("grpc") is not None:
        action = {"grpc": {"port": numbers.get(port, port), "service": probe["grpc"]}}
    else:
        action = {"tcp_socket": {"port": port}}
    # A slow start has the 5 minutes that the pod has.
    patience = {"failure_threshold": -(-300 // period)} if kind == "startup" else {}
    return {**action, "period_seconds": period, **patience}


def admission(values: Mapping[str, Any]) -> networking.NetworkPolicySpecArgs:
    """The network policy of the pods, which admits the controller and the named pods. values: as for pod_spec."""

    def namespaced(name: str) -> meta.LabelSelectorArgs:
        return meta.LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": name})

    return networking.NetworkPolicySpecArgs(
        pod_selector=meta.LabelSelectorArgs(match_labels=dict(values["selector"])),
        policy_types=["Ingress"],
        ingress=[
            networking.NetworkPolicyIngressRuleArgs(
                from_=[
                    networking.NetworkPolicyPeerArgs(namespace_selector=namespaced(values["admit_from"])),
                    *(
                        networking.NetworkPolicyPeerArgs(
                            namespace_selector=namespaced(peer["namespace"]),
                            pod_selector=meta.LabelSelectorArgs(match_labels=peer["labels"]),
                        )
                        for peer in values["admit_pods"]
                    ),
                ],
                ports=[
                    networking.NetworkPolicyPortArgs(port=port, protocol="TCP")
                    for port in container_ports(values["ports"])
                ],
            )
        ],
    )
