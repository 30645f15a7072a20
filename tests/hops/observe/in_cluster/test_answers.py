"""What is asked of a running cluster, by a stand-in for Docker whose nodes run on this machine."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from hops.kubernetes.resources.pod_start import SECONDS_RUNNING
from hops.model.hop import Backend, Entrypoint, PortMapping
from hops.observe.in_cluster import answers as module
from hops.observe.in_cluster.answers import RouteAnswer, answers, cluster_objects, failed_migration, rollouts
from tests.hops.observe.conftest import StandIn

READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}

_CURL = """#!/bin/sh
printf 'curl %s\\n' "$*" >>"$STAND_IN/calls"
for url; do :; done
rm "$STAND_IN/deaf" 2>/dev/null && exit 7
case "$url" in *silent*) exit 28 ;; *envoy*) printf 'HTTP/1.1 404 Not Found\\r\\nserver: envoy\\r\\n' ;;
  *) printf 'HTTP/1.1 404 Not Found\\r\\nX-Envoy-Upstream-Service-Time: 3\\r\\n' ;; esac
"""
_KUBECTL = """#!/bin/sh
case "$*" in *logs*) printf 'one\\ntwo\\n' ;; *) cat "$STAND_IN/objects" ;; esac
"""


ENTRYPOINT = Entrypoint(
    "127.0.0.1", "c-worker", (PortMapping("http", 8080, 80, 8080), PortMapping("https", 8443, 443, 8443))
)


def backend(name: str, tls: str | None = None) -> Backend:
    return Backend(name, "apps", f"{name}-ingress", f"{name}.local", "/", 80, 80, {}, (f"{name}-pod",), tls=tls)


@pytest.fixture
def nodes(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    (stand_in.bin / "curl").unlink(missing_ok=True)
    for name, script in (("curl", _CURL), ("kubectl", _KUBECTL)):
        stand_in.program(name, script)
    (stand_in.bin / "rm").symlink_to("/bin/rm")
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    return stand_in


def holds(nodes: StandIn, **pods: dict[str, Any]) -> list[dict[str, Any]]:
    items = [
        {"kind": "Pod", "metadata": {"namespace": "apps", "name": f"{name}-pod"}, "status": status}
        for name, status in pods.items()
    ]
    (nodes.folder / "objects").write_text(json.dumps({"kind": "List", "items": items}))
    return items


def asked(*names: str, seconds: Iterator[float] | None = None) -> tuple[Any, list[RouteAnswer]]:
    clock = seconds or iter(count())
    return asyncio.run(answers("c-control-plane", ENTRYPOINT, [backend(n) for n in names], lambda: next(clock)))


def test_each_route_is_asked_until_a_pod_answers(nodes: StandIn) -> None:
    items = holds(nodes, a=READY, b=READY)
    (nodes.folder / "deaf").write_text("")
    objects, found = asked("a", "b")
    assert objects == items
    assert [answer.answered for answer in found] == [True, True]
    urls = [call.split()[-1] for call in nodes.calls if call.startswith("curl")]
    assert len(urls) == 3, "one was deaf once, and no route is asked again after its answer"
    assert set(urls) == {"http://a.local/", "http://b.local/"}
    assert all("--connect-to ::c-worker:80" in call for call in nodes.calls if call.startswith("curl"))


def test_a_route_with_a_certificate_is_asked_over_https(nodes: StandIn) -> None:
    holds(nodes, a=READY)
    clock = count()
    _, (a,) = asyncio.run(answers("c-control-plane", ENTRYPOINT, [backend("a", "a-tls")], lambda: next(clock)))
    assert a.answered
    (call,) = (call for call in nodes.calls if call.startswith("curl"))
    assert call.endswith("--connect-to ::c-worker:443 https://a.local/")


def test_a_grpc_route_is_asked_by_a_call(nodes: StandIn) -> None:
    holds(nodes, a=READY)
    clock = count()
    asyncio.run(answers("c-control-plane", ENTRYPOINT, [replace(backend("a"), grpc=True)], lambda: next(clock)))
    (call,) = (call for call in nodes.calls if call.startswith("curl"))
    assert "--request POST --header content-type: application/grpc --header te: trailers" in call


def test_envoys_own_answer_is_none_and_the_others_are_reported(nodes: StandIn) -> None:
    holds(nodes, a=READY, envoy=UNREADY)
    _, (a, envoy) = asked("a", "envoy", seconds=iter(range(0, 9999, SECONDS_RUNNING)))
    assert (a.answered, envoy.answered) == (True, False)
    assert a.logs == {}
    assert envoy.logs == {"apps/envoy-pod": ["one", "two"]}


def test_an_answered_route_waits_for_its_other_pods(nodes: StandIn) -> None:
    holds(nodes, a=UNREADY)
    _, (a,) = asked("a", seconds=iter(range(0, 9999, SECONDS_RUNNING)))
    assert a.answered
    assert not a.pods["apps/a-pod"].ready


def test_a_pod_that_does_not_exist_is_missing(nodes: StandIn) -> None:
    holds(nodes)
    _, (silent,) = asked("silent", seconds=iter(range(0, 9999, SECONDS_RUNNING)))
    assert silent.pods["apps/silent-pod"].phase == "missing"


def test_a_cluster_that_does_not_answer_holds_nothing(nodes: StandIn) -> None:
    assert cluster_objects("c-control-plane") == []
    (nodes.folder / "objects").write_text('{"items": null}')
    assert cluster_objects("c-control-plane") == []
    (nodes.folder / "objects").write_text("[]")
    assert cluster_objects("c-control-plane") == []
    (nodes.folder / "dead-c-control-plane").write_text("")
    assert cluster_objects("c-control-plane") == []


def migrated(nodes: StandIn, *phases: str, namespace: str = "apps", service: str = "api") -> None:
    """Pods of a migration, the oldest last."""
    items = [
        {
            "kind": "Pod",
            "metadata": {
                "namespace": namespace,
                "name": f"m-{number}",
                "labels": {"ingress-hops/migration": service},
                "creationTimestamp": f"2026-11-29T09:0{9 - number}:00Z",
            },
            "status": {"phase": phase, "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]},
        }
        for number, phase in enumerate(phases)
    ]
    (nodes.folder / "objects").write_text(json.dumps({"kind": "List", "items": items}))


def test_the_last_pod_of_a_failed_migration_is_reported(nodes: StandIn) -> None:
    migrated(nodes, "Failed", "Succeeded")
    reported = failed_migration(cluster_objects("c-control-plane"), "apps/api")
    assert reported is not None
    name, start = reported
    assert (name, start.phase, start.exit_code) == ("apps/m-0", "Failed", 3)


def test_a_migration_that_succeeded_in_the_end_is_not_reported(nodes: StandIn) -> None:
    migrated(nodes, "Succeeded", "Failed")
    assert failed_migration(cluster_objects("c-control-plane"), "apps/api") is None
    migrated(nodes, "Failed", service="other")
    assert failed_migration(cluster_objects("c-control-plane"), "apps/api") is None
    migrated(nodes, "Failed", namespace="other")
    assert failed_migration(cluster_objects("c-control-plane"), "apps/api") is None


DEPLOYED = Backend("web", "apps", "web-ingress", "web.local", "/", 80, 80, {"service": "web-pod"}, (), deployment=True)


def deployed(nodes: StandIn, *pods: tuple[str, dict[str, Any]], observed: int = 1) -> None:
    """A Deployment of one pod. pods: version and status of each pod."""
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"service": "web-pod"}},
        "template": {"metadata": {"annotations": {"ingress-hops/spec": "new"}}},
    }
    metadata = {"namespace": "apps", "name": "web", "generation": 1}
    items = [
        {"kind": "Deployment", "metadata": metadata, "spec": spec, "status": {"observedGeneration": observed}},
        *(
            {
                "kind": "Pod",
                "metadata": {
                    "namespace": "apps",
                    "name": f"web-{version}",
                    "labels": {"service": "web-pod"},
                    "annotations": {"ingress-hops/spec": version},
                    "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": True}],
                },
                "status": status,
            }
            for version, status in pods
        ),
    ]
    (nodes.folder / "objects").write_text(json.dumps({"kind": "List", "items": items}))


def wait_for(backend: Backend) -> RouteAnswer:
    seconds = count(0, 10)
    _, (answer,) = asyncio.run(answers("c-control-plane", ENTRYPOINT, [backend], lambda: next(seconds)))
    return answer


def test_a_deployment_is_waited_for_until_its_new_pods_are_ready(nodes: StandIn) -> None:
    deployed(nodes, ("old", READY), ("new", READY))
    answer = wait_for(DEPLOYED)
    assert (answer.answered, list(answer.pods)) == (True, ["apps/web-new"])
    assert rollouts(cluster_objects("c-control-plane"), [DEPLOYED]) == {}


def test_a_deployment_whose_new_pod_is_not_ready_ends_the_wait(nodes: StandIn) -> None:
    deployed(nodes, ("old", READY), ("new", UNREADY))
    answer = wait_for(DEPLOYED)
    assert answer.answered, "the old version still answers"
    assert [(name, start.ready) for name, start in answer.pods.items()] == [("apps/web-new", False)]
    assert answer.logs == {"apps/web-new": ["one", "two"]}
    assert list(rollouts(cluster_objects("c-control-plane"), [backend("a"), DEPLOYED])["apps/web"]) == ["apps/web-new"]


def test_a_deployment_that_is_not_rolled_out_yet_is_not_done(nodes: StandIn) -> None:
    deployed(nodes, ("new", READY), observed=0)
    assert list(wait_for(DEPLOYED).pods) == ["apps/web"]
    deployed(nodes)
    assert wait_for(DEPLOYED).pods["apps/web"].phase == "missing"
