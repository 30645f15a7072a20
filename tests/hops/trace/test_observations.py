"""The observation that all checks are tried on."""

from hops.trace.checks.registry import CHECKS
from tests.hops.trace.names import ENVOY, POD, WORKER
from tests.hops.trace.observations import healthy, view


def test_nothing_is_wrong_with_a_healthy_path() -> None:
    seen = view(healthy())
    assert [str(finding) for check in CHECKS for finding in check(seen)] == []


def test_a_healthy_path_is_seen_whole() -> None:
    seen = view(healthy())
    assert seen.planned
    assert seen.entrypoint
    assert seen.entrypoint.node == WORKER
    assert [pod["metadata"]["name"] for pod in (*seen.envoy_pods, *seen.pods)] == [ENVOY, POD]
    assert seen.envoy
    assert seen.service
