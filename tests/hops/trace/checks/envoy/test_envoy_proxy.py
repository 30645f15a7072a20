"""Envoy itself, and what Contour gives it: T16, T20, T21."""

from collections.abc import Callable
from datetime import datetime

import pytest

from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.faults import reported
from tests.hops.trace.names import CONTOUR, ENVOY, JSON, WORKER
from tests.hops.trace.objects import pod, thing
from tests.hops.trace.observations import added, container, failed, found, healthy, view, without

DOWN = ("route", "T16")


def event(pod: str, reason: str, message: str) -> JSON:
    about = {"kind": "Pod", "name": pod, "namespace": "projectcontour"}
    return thing("v1", "Event", f"{pod}.1", "projectcontour", involvedObject=about, reason=reason, message=message)


def in_existing(observation: JSON) -> str:
    """The remedy of the same in an existing cluster."""
    return trace(view(faults.unowned(observation)).observation).findings[0].remedy


def without_envoy() -> JSON:
    observation = healthy()
    faults.envoyless(observation)
    return observation


def test_an_image_that_cannot_be_had_stops_envoy_alone() -> None:
    observation = without_envoy()
    faults.waiting(observation, "ImagePullBackOff", ENVOY)
    assert reported(observation) == [DOWN]
    finding = trace(view(observation).observation).findings[0]
    assert finding.remedy == "make up STACK=local"
    assert finding.look == f".venv/bin/hops kubectl local --namespace projectcontour describe pod {ENVOY}"
    undo = ".venv/bin/hops kubectl local --namespace projectcontour rollout undo daemonset/envoy"
    assert in_existing(observation) == undo


def test_a_node_selector_that_no_node_meets_leaves_no_envoy() -> None:
    observation = without_envoy()
    without(observation, "Pod", ENVOY)
    found(observation, "DaemonSet", "envoy")["spec"]["template"]["spec"]["nodeSelector"] = {"no": "where"}
    assert reported(observation) == [DOWN]
    finding = trace(view(observation).observation).findings[0]
    assert finding.remedy == "make up STACK=local"
    assert finding.look == ""
    assert "no=where" in finding.message
    removal = '[{"op":"remove","path":"/spec/template/spec/nodeSelector"}]'
    assert in_existing(observation) == (
        f".venv/bin/hops kubectl local --namespace projectcontour patch daemonset envoy --type json --patch '{removal}'"
    )


def test_a_crash_names_its_exit_code_and_last_line() -> None:
    observation = without_envoy()
    last = {"terminated": {"reason": "Error", "exitCode": 139}}
    faults.waiting(observation, "CrashLoopBackOff", ENVOY, **last)
    observation["cluster"]["logs"] = {
        f"projectcontour/{ENVOY}/shutdown-manager previous": "starting\nsegmentation fault\n"
    }
    assert reported(observation) == [DOWN]
    finding = trace(view(observation).observation).findings[0]
    assert "exit code 139" in finding.message
    assert "segmentation fault" in finding.evidence
    assert finding.remedy == "make up STACK=local"
    logs = f"logs {ENVOY} --container shutdown-manager --previous"
    assert finding.look == f".venv/bin/hops kubectl local --namespace projectcontour {logs}"


def test_no_envoy_at_all_is_the_stacks_to_mend() -> None:
    observation = without_envoy()
    without(observation, "Pod", ENVOY)
    without(observation, "DaemonSet", "envoy")
    assert reported(observation)[0] == DOWN
    assert trace(view(observation).observation).findings[0].remedy == "make up STACK=local"
    assert in_existing(observation) == (
        ".venv/bin/hops kubectl local apply --filename https://projectcontour.io/quickstart/contour.yaml"
    )


def test_an_envoy_that_runs_is_not_down() -> None:
    observation = healthy()
    failed(observation, "reset", "client")
    assert DOWN not in reported(observation)


def test_what_cannot_be_listed_is_not_missing() -> None:
    observation = without_envoy()
    without(observation, "Pod", ENVOY)
    observation["unseen"]["cluster: Pod"] = "forbidden"
    assert DOWN not in reported(observation)


def rival(observation: JSON) -> None:
    """Another pod has the host port that Envoy's pod waits for."""
    waits = found(observation, "Pod", ENVOY)
    scheduled = next(c for c in waits["status"]["conditions"] if c["type"] == "PodScheduled")
    message = "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    scheduled |= {"status": "False", "reason": "Unschedulable", "message": message}
    ports = [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
    added(observation, pod("web-7d9c-x", "default", "10.244.81.70", {"app": "web"}, containers={"web": ports}))


def sandbox(observation: JSON) -> None:
    """Envoy's pod waits for its network, and Calico does not run on its node."""
    found(observation, "Pod", ENVOY)["status"] |= {"phase": "Pending", "podIP": ""}
    added(observation, event(ENVOY, "FailedCreatePodSandBox", 'plugin type="calico" failed (add): no such file'))
    without(observation, "Pod", "calico-node-5kq8v")


def inotify(observation: JSON) -> None:
    """Envoy gets no inotify instance."""
    name = found(observation, "Pod", ENVOY)["status"]["containerStatuses"][0]["name"]
    observation["cluster"]["logs"][f"projectcontour/{ENVOY}/{name}"] = "inotify_init: too many open files"
    observation["host"]["inotify"]["max_user_instances"] = 128


def secret(observation: JSON) -> None:
    """Envoy's pod waits for its certificate, which is gone."""
    mounted(observation)
    without(observation, "Secret", "envoycert")
    found(observation, "Pod", ENVOY)["status"]["phase"] = "Pending"
    added(observation, event(ENVOY, "FailedMount", 'MountVolume.SetUp failed: secret "envoycert" not found'))


@pytest.mark.parametrize(("fault", "code"), [(rival, "T15"), (sandbox, "T37"), (inotify, "T49"), (secret, "T21")])
def test_what_another_code_reports_of_envoys_pod_is_not_reported_twice(
    fault: Callable[[JSON], None], code: str
) -> None:
    observation = without_envoy()
    faults.waiting(observation, "ContainerCreating", ENVOY)
    assert reported(observation) == [DOWN]
    fault(observation)
    assert [code for _, code in reported(observation)] == [code]


def test_an_envoy_on_a_stopped_node_is_not_reported_twice() -> None:
    observation = without_envoy()
    faults.waiting(observation, "ContainerCreating", ENVOY)
    container(observation, WORKER)["State"] |= {"Running": False, "Status": "exited"}
    assert DOWN not in reported(observation)


def test_a_free_port_that_no_pod_seems_to_have_is_reported_of_envoy() -> None:
    observation = without_envoy()
    faults.waiting(observation, "ContainerCreating", ENVOY)
    rival(observation)
    without(observation, "Pod", "web-7d9c-x")
    assert reported(observation) == [DOWN]


# Contour


def test_contour_gone_after_a_change_leaves_the_old_answer() -> None:
    observation = healthy()
    faults.contourless(observation)
    faults.path(observation)["backend"]["service"]["name"] = "other"
    port = {"name": "http", "port": 8080, "protocol": "TCP", "targetPort": 8080}
    spec = {"clusterIP": "10.96.1.1", "selector": {"service": "example-pod"}, "ports": [port]}
    added(observation, thing("v1", "Service", "other", "apps", spec=spec))
    assert ("route", "T20") in reported(observation)
    traced = trace(view(observation).observation)
    assert traced.first
    assert traced.first.name == "route"
    assert traced.findings[0].remedy == "make up STACK=local"
    assert in_existing(observation) == (
        ".venv/bin/hops kubectl local --namespace projectcontour scale deployment/contour --replicas 1"
    )


def test_contour_gone_and_the_host_changed() -> None:
    observation = healthy()
    faults.contourless(observation)
    faults.ingress(observation)["spec"]["rules"][0]["host"] = "new.localhost"
    assert reported(observation) == [("route", "T20")]


def test_contour_gone_and_the_pod_made_anew() -> None:
    observation = healthy()
    faults.contourless(observation)
    found(observation, "EndpointSlice", "my-service-8fmwz")["endpoints"][0]["addresses"] = ["10.244.81.99"]
    assert reported(observation) == [("route", "T20")]


def test_pods_that_envoy_got_while_the_look_went_on_are_no_stale_ones() -> None:
    """The objects were read before that: a pod that just became unready is ready in them."""
    observation = healthy()
    faults.envoy(observation)["clusters"]["cluster_statuses"][0] |= {
        "observability_name": "apps_my-service_8080",
        "host_statuses": [],
    }
    failed(observation, "503", "client", "node", "envoy")
    failed(observation, "timeout", "pod", "pod from envoy")
    taken = datetime.fromisoformat(observation["taken"]).timestamp() * 1000
    faults.envoy(observation)["stats"]["cluster.apps_my-service_8080.update_time"] = int(taken) - 60_000
    assert ("route", "T20") in reported(observation)
    faults.envoy(observation)["stats"]["cluster.apps_my-service_8080.update_time"] = int(taken) + 900
    assert ("route", "T20") not in reported(observation)


def test_contour_gone_and_nothing_changed_is_advice() -> None:
    observation = healthy()
    faults.contourless(observation)
    traced = trace(view(observation).observation)
    assert [(f.code, str(f.level)) for f in traced.findings] == [("T20", "advisory")]
    assert traced.first is None


def test_contour_that_runs_and_gives_nothing_is_reported_when_a_request_suffers() -> None:
    observation = healthy()
    faults.unrouted(observation)
    assert reported(observation) == [("route", "T20")]
    well = healthy()
    found(well, "EndpointSlice", "my-service-8fmwz")["endpoints"][0]["addresses"] = ["10.244.81.99"]
    assert reported(well) == []


def test_contour_unseen_is_not_gone() -> None:
    observation = healthy()
    faults.contourless(observation)
    observation["unseen"]["cluster: Pod"] = "forbidden"
    assert reported(observation) == []


def held_up(observation: JSON) -> None:
    """Contour's pod waits, and Envoy has other pods than the objects want."""
    faults.waiting(observation, "ContainerCreating", CONTOUR)
    found(observation, "EndpointSlice", "my-service-8fmwz")["endpoints"][0]["addresses"] = ["10.244.81.99"]


def test_a_contour_without_a_network_is_calicos_where_calico_is_away() -> None:
    observation = healthy()
    held_up(observation)
    found(observation, "Pod", CONTOUR)["status"] |= {"phase": "Pending", "podIP": ""}
    added(observation, event(CONTOUR, "FailedCreatePodSandBox", 'plugin type="calico" failed (add): no such file'))
    assert reported(observation) == [("route", "T20")]
    without(observation, "Pod", "calico-node-5kq8v")
    assert reported(observation) == [("endpoint", "T37")]
    failed(observation, "timeout", *faults.DIRECT, *faults.THROUGH_ENVOY)
    assert ("route", "T37") in reported(observation)
    assert ("route", "T20") not in reported(observation)


def test_a_contour_out_of_inotify_instances_is_the_machines() -> None:
    observation = healthy()
    held_up(observation)
    name = found(observation, "Pod", CONTOUR)["status"]["containerStatuses"][0]["name"]
    observation["cluster"]["logs"][f"projectcontour/{CONTOUR}/{name}"] = "inotify_init: too many open files"
    assert reported(observation) == [("route", "T20")]
    observation["host"]["inotify"]["max_user_instances"] = 128
    assert reported(observation) == [(None, "T49")]


# Certificates


def test_an_expired_certificate_that_ended_the_connection() -> None:
    observation = healthy()
    observation["cluster"]["certificates"]["projectcontour/contourcert/tls.crt"] = "2026-11-23T09:00:00+00:00"
    faults.disconnected(observation)
    assert reported(observation) == [("route", "T21")]
    assert "2026-11-23" in trace(view(observation).observation).findings[0].message


def test_an_expired_certificate_with_the_connection_still_up_is_advice() -> None:
    observation = healthy()
    observation["cluster"]["certificates"]["projectcontour/envoycert/tls.crt"] = "2026-11-23T09:00:00+00:00"
    for key in ("stats", "stats_after"):
        faults.envoy(observation)[key]["listener_manager.lds.control_plane.connected_state"] = 1
    assert [str(finding.level) for finding in trace(view(observation).observation).findings] == ["advisory"]


def mounted(observation: JSON) -> None:
    for name, held_in in ((CONTOUR, "contourcert"), (ENVOY, "envoycert")):
        found(observation, "Pod", name)["spec"]["volumes"] = [{"name": "cert", "secret": {"secretName": held_in}}]


def test_a_certificate_that_is_gone_keeps_envoy_from_starting() -> None:
    observation = without_envoy()
    mounted(observation)
    without(observation, "Secret", "envoycert")
    faults.waiting(observation, "PodInitializing", ENVOY)
    found(observation, "Pod", ENVOY)["status"]["phase"] = "Pending"
    added(observation, event(ENVOY, "FailedMount", 'MountVolume.SetUp failed for volume: secret "envoycert" not found'))
    assert reported(observation) == [("route", "T21")]


def test_a_certificate_of_another_authority_is_read_from_the_logs() -> None:
    observation = healthy()
    faults.disconnected(observation)
    line = "http: TLS handshake error from 10.244.81.67:41312: remote error: tls: unknown certificate authority"
    observation["cluster"]["logs"][f"projectcontour/{CONTOUR}/contour"] = line
    assert reported(observation) == [("route", "T21")]


def two_authorities(observation: JSON) -> None:
    observation["cluster"]["authorities"] = {
        "projectcontour/contourcert": "a" * 64,
        "projectcontour/envoycert": "b" * 64,
    }


def unstarted(observation: JSON) -> None:
    """Envoy runs and has got nothing from Contour, its admin listener included."""
    observation["envoys"] = []
    failed(observation, "refused", "node", "envoy")
    failed(observation, "reset", "client")
    faults.unready(observation, ENVOY)
    start = "[info][main] envoy.tls.upstream_certificate_selectors: envoy.tls.certificate_selectors.on_demand_secret"
    observation["cluster"]["logs"][f"projectcontour/{ENVOY}/envoy"] = start


def test_two_authorities_leave_a_new_envoy_unready() -> None:
    observation = healthy()
    unstarted(observation)
    two_authorities(observation)
    assert reported(observation) == [("route", "T21")]


def test_what_envoy_prints_at_its_start_is_no_word_of_distrust() -> None:
    observation = healthy()
    unstarted(observation)
    assert ("route", "T21") not in reported(observation)


def test_two_authorities_are_no_matter_while_the_connection_holds() -> None:
    observation = healthy()
    two_authorities(observation)
    assert reported(observation) == []


def test_a_lost_connection_without_a_word_of_certificates_is_no_matter_of_trust() -> None:
    observation = healthy()
    faults.disconnected(observation)
    assert reported(observation) == []


def test_no_certificate_is_blamed_while_contour_is_gone() -> None:
    observation = healthy()
    faults.contourless(observation)
    observation["cluster"]["certificates"]["projectcontour/contourcert/tls.crt"] = "2026-11-23T09:00:00+00:00"
    assert [code for _, code in reported(observation)] == ["T20"]


def held(observation: JSON, *names: str, ends: str) -> None:
    """A certificate that Envoy holds, for the names."""
    chain = {"subject_alt_names": [{"dns": name} for name in names], "expiration_time": ends}
    faults.envoy(observation).setdefault("certs", {"certificates": []})["certificates"].append({"cert_chain": [chain]})


def test_an_ended_certificate_that_envoy_still_holds() -> None:
    observation = healthy()
    held(observation, "envoy", "envoy.projectcontour", ends="2026-11-23T09:00:00Z")
    faults.disconnected(observation)
    (finding,) = trace(view(observation).observation).findings
    assert (finding.hop, finding.code) == ("route", "T21")
    assert finding.message == (
        "Envoy still uses a certificate that ended on 2026-11-23T09:00:00+00:00; that of its Secret is good."
    )
    observation["cluster"]["certificates"] = {}
    (finding,) = trace(view(observation).observation).findings
    assert finding.message == "Envoy still uses a certificate that ended on 2026-11-23T09:00:00+00:00."


def test_a_good_certificate_of_envoy_and_an_ended_one_of_a_workload_are_not_reported() -> None:
    observation = healthy()
    held(observation, "envoy", ends="2027-11-23T09:00:00Z")
    held(observation, "shop.example", ends="2026-11-23T09:00:00Z")
    faults.disconnected(observation)
    assert reported(observation) == []


def proxied(status: str) -> JSON:
    """The host served by an HTTPProxy for another Service, Envoy with what it had before, and Contour gone."""
    observation = healthy()
    faults.contourless(observation)
    without(observation, "Ingress", "my-service-ingress")
    port = {"name": "http", "port": 8080, "protocol": "TCP", "targetPort": 8080}
    spec = {"clusterIP": "10.96.1.1", "selector": {"service": "example-pod"}, "ports": [port]}
    routes = [{"services": [{"name": "other", "port": 8080, "weight": 1}]}]
    proxy = {"virtualhost": {"fqdn": "my-service.localhost"}, "routes": routes}
    made = thing("projectcontour.io/v1", "HTTPProxy", "web", "apps", spec=proxy, status={"currentStatus": status})
    added(observation, thing("v1", "Service", "other", "apps", spec=spec), made)
    return observation


def test_what_an_http_proxy_wants_and_envoy_has_not_is_shown() -> None:
    findings = trace(view(proxied("valid")).observation).findings
    assert "HTTPProxy/apps/web declares other:8080, Envoy has / -> " in "".join(f.message for f in findings)


def test_what_an_http_proxy_wants_that_contour_refuses_is_not_expected_of_envoy() -> None:
    findings = trace(view(proxied("invalid")).observation).findings
    assert "Envoy has" not in "".join(f.message + f.evidence for f in findings)


def test_what_an_http_proxy_wants_and_envoy_has_is_no_difference() -> None:
    observation = proxied("valid")
    found(observation, "HTTPProxy", "web")["spec"]["routes"][0]["services"][0]["name"] = "my-service"
    findings = trace(view(observation).observation).findings
    assert "Envoy has" not in "".join(f.message + f.evidence for f in findings)
