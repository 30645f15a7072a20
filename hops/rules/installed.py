"""What the project itself installs and what its published files break, finding by finding."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Installed:
    """A finding that an upstream file has to have. path: the finding's, a JSON pointer."""

    code: str
    resource: str
    path: str
    reason: str


INSTALLED = (
    Installed(
        "HP03",
        "DaemonSet/kube-system/calico-node",
        "/spec/template/spec/hostNetwork",
        "Calico's agent writes the routes and interfaces of the node itself, so it runs in the node's network.",
    ),
    Installed(
        "KN08",
        "Namespace/projectcontour",
        "/metadata/labels",
        "Contour's file makes this namespace without a label; whoever adds one is judged by it.",
    ),
    *(
        Installed(
            "EX04",
            "DaemonSet/projectcontour/envoy",
            f"/spec/template/spec/containers/{index}/securityContext/readOnlyRootFilesystem",
            "Contour's file leaves Envoy a file system that can be written; it runs as nobody, without a shell.",
        )
        for index in (0, 1)
    ),
)
