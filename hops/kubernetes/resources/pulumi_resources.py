"""Resources of Pulumi that are no Kubernetes objects, such as a provider or a reference to another stack.

The policy pack gives their inputs at the top of the body; a manifest has them under `spec`.
"""

from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.values import JSON


def inputs(resource: Resource) -> JSON:
    """What a resource was given."""
    return resource.body.get("spec", resource.body)


def inputs_pointer(resource: Resource) -> str:
    """JSON pointer of the inputs inside the body."""
    return "/spec" if "spec" in resource.body else ""
