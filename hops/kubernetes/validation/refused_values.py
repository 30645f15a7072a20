"""The values of an object that the API server refuses although each of them has the form that its schema demands.

Each check reads one kind, or one part of a pod. An unknown value is accepted. Source: in Kubernetes 1.34,
validation.go of core, apps, autoscaling, batch, networking, policy and rbac (pkg/apis/*/validation). Those of Gateway
API are in schemas/expressions.py.
"""

from collections.abc import Iterator
from contextlib import suppress

from hops.kubernetes.resources.pods import Pod
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.schemas.refusals import Refusal
from hops.kubernetes.validation import object_values, policy_values, quantities, workload_values
from hops.kubernetes.validation.pod_values import (
    CONTAINER_CHECKS,
    POD_CHECKS,
    refused_restart_policy,
    refused_sleep,
)
from hops.kubernetes.validation.quantities import refused_claim_templates
from hops.kubernetes.validation.value_checks import decided
from hops.kubernetes.validation.workload_values import refused_zone_in_schedule
from hops.kubernetes.values import Undecidable, Unknown, at, mapping, steps

_NO_ZONE_IN_SCHEDULE_SINCE = 29
_CLAIM_TEMPLATES_SINCE = 34
_SLEEP_SINCE = 30
_RESTART_POLICIES_SINCE = 34
"""Before, the API server refuses what it drops in this version and allows in the next one."""
_CHECKS = {**object_values.CHECKS, **policy_values.CHECKS, **quantities.CHECKS, **workload_values.CHECKS}
"""The checks of a kind, by API version and kind."""


def refused_values(resource: Resource, pod: Pod | None, minor: int) -> Iterator[Refusal]:
    """What the API server refuses in an object beyond its schema.

    resource: the object.
    pod: its pod template; None if it has none.
    minor: the minor version of Kubernetes.
    """
    kind = f"{resource.api_version} {resource.body.get('kind')}"
    yield from decided(object_values.refused_annotations, mapping(resource.body.get("metadata")), "/metadata")
    for check in _CHECKS.get(kind, ()):
        yield from decided(check, resource.body, "")
    if kind == "batch/v1 CronJob" and minor >= _NO_ZONE_IN_SCHEDULE_SINCE:
        yield from decided(refused_zone_in_schedule, resource.body, "")
    if kind == "apps/v1 StatefulSet" and minor >= _CLAIM_TEMPLATES_SINCE:
        yield from decided(refused_claim_templates, resource.body, "")
    if pod is None or isinstance(pod.spec, Unknown):
        return
    template = pod.pointer.removesuffix("/spec")
    if template:
        metadata = mapping(at(resource.body, *steps(template), "metadata"))
        yield from decided(object_values.refused_annotations, metadata, f"{template}/metadata")
    for check in (*POD_CHECKS, *[refused_sleep] * (minor >= _SLEEP_SINCE)):
        yield from decided(check, pod.spec, pod.pointer)
    with suppress(Undecidable):
        for container in pod.containers:
            for check in (*CONTAINER_CHECKS, *[refused_restart_policy] * (minor < _RESTART_POLICIES_SINCE)):
                yield from decided(check, container.body, container.pointer)
