"""The names of kind: of its configuration's API, and those that it gives a cluster's containers and its context.

Source: kind 0.32, pkg/cluster/internal/providers/common/namer.go.
"""

KIND_GROUPS = ("kind.x-k8s.io", "kind.sigs.k8s.io")
"""The API groups of kind's configuration; the second is the old one."""
KIND_API = f"{KIND_GROUPS[0]}/v1alpha4"
"""The apiVersion of kind's configuration."""
CONTROL_PLANE = "control-plane"
"""The role of a node that runs the Kubernetes API, and the end of its name."""
KIND_CONTEXT = "kind-"
"""The beginning of a context's name."""
KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
"""kubectl inside a control plane, with kubeadm's own kubeconfig file."""


def control_plane(cluster: str) -> str:
    """The container of a cluster's only control plane."""
    return f"{cluster}-{CONTROL_PLANE}"


def workers(cluster: str, number: int) -> tuple[str, ...]:
    """The containers of a cluster's workers."""
    return tuple(f"{cluster}-worker{n if n > 1 else ''}" for n in range(1, number + 1))


def is_control_plane(node: str) -> bool:
    """Whether a container is a control plane by its name; kind numbers the further ones."""
    return node.rstrip("0123456789").endswith(f"-{CONTROL_PLANE}")


def context(cluster: str) -> str:
    """The context of a cluster in a kubeconfig file."""
    return f"{KIND_CONTEXT}{cluster}"
