"""A Contour under other names, in another namespace: the trace follows it and mends it by these names."""

import json

from hops.trace.facts.envoy_drift import contour_pods, contour_runs
from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.names import JSON
from tests.hops.trace.observations import healthy, view

PROGRAMS = {"contour": "contour", "shutdown-manager": "contour", "envoy": "envoy"}


def renamed(observation: JSON) -> JSON:
    """The same path behind a Contour that a Helm release made: other names, labels and another namespace."""
    observation["stack"] = None
    text = json.dumps(observation).replace('"projectcontour"', '"edge"').replace("projectcontour/", "edge/")
    text = text.replace('"app": "envoy"', '"part": "proxy"').replace('"app": "contour"', '"part": "server"')
    found: JSON = json.loads(text)
    for item in found["cluster"]["objects"]:
        if item["metadata"].get("namespace") != "edge" or item["kind"] not in ("DaemonSet", "Deployment", "Service"):
            continue
        item["metadata"]["name"] = f"release-{item['metadata']['name']}"
        for container in item["spec"].get("template", {}).get("spec", {}).get("containers", ()):
            container["image"] = f"registry.example/bitnami/{PROGRAMS[container['name']]}:1.33.6"
            container["args"] = ["serve"] if container["name"] == "contour" else []
    return found


def test_the_path_is_followed() -> None:
    seen = view(renamed(healthy()))
    assert str(seen.contour) == "Deployment/edge/release-contour"
    assert str(seen.envoy_workload) == "DaemonSet/edge/release-envoy"
    assert seen.envoy is not None
    assert (len(seen.envoy_pods), len(contour_pods(seen)), contour_runs(seen)) == (1, 1, True)
    assert trace(seen.observation).findings == ()


def test_a_contour_that_does_not_run_is_named_as_it_is() -> None:
    observation = healthy()
    faults.contourless(observation)
    faults.unrouted(observation)
    finding = trace(view(renamed(observation)).observation).findings[0]
    assert str(finding.resource) == "Deployment/edge/release-contour"
    assert finding.remedy.endswith("--namespace edge scale deployment/release-contour --replicas 1")
