"""Built-in exceptions for findings in the published manifests that the project installs."""

from dataclasses import dataclass

from hops.model.path import CONTOUR_NAMESPACE
from hops.model.pod_network import POD_NETWORK
from hops.rules.rule import CONTROLLER


@dataclass(frozen=True)
class Installed:
    """One exact built-in exception.

    code: code of the rule.
    resource: the object, as Kind/namespace/name.
    path: JSON pointer of the finding.
    reason: why the published manifest requires it.
    """

    code: str
    resource: str
    path: str
    reason: str


INSTALLED = (
    Installed(
        "HP03",
        f"DaemonSet/{POD_NETWORK.agent_namespace}/{POD_NETWORK.agent}",
        "/spec/template/spec/hostNetwork",
        "Calico's agent configures the routes and interfaces of the node and requires the node's network.",
    ),
    Installed(
        "KN08",
        f"Namespace/{CONTOUR_NAMESPACE}",
        "/metadata/labels",
        "Contour's manifest creates this namespace without the label; if the label is added, the rule applies.",
    ),
    *(
        Installed(
            "EX04",
            CONTROLLER,
            f"/spec/template/spec/containers/{index}/securityContext/readOnlyRootFilesystem",
            "Contour's manifest gives Envoy a writable file system; Envoy runs as nobody, and its image has no shell.",
        )
        for index in (0, 1)
    ),
)
