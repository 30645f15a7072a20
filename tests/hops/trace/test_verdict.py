"""The verdict on a whole path, and the forms in which it is handed on."""

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

from hops.model.finding import Level
from hops.trace.formats import as_json, junit
from hops.trace.result import Trace, Verdict
from hops.trace.verdict import status, trace
from tests.hops.trace.names import JSON
from tests.hops.trace.observations import container, failed, healthy, view


def traced(observation: JSON) -> Trace:
    return trace(view(observation).observation)


def test_every_hop_of_a_healthy_path_is_as_planned() -> None:
    reported = traced(healthy())
    assert [hop.verdict for hop in reported.hops if hop.number != 5] == [Verdict.OK] * 11
    assert reported.hops[4].verdict is Verdict.BESIDE
    assert [(hop.planned, hop.found) for hop in reported.hops[1:2]] == [(reported.hops[1].declared,) * 2]
    assert [hop.declared for hop in reported.hops[1:6]] == [hop.found for hop in reported.hops[1:6]]
    assert (reported.first, reported.findings, reported.unseen, status(reported)) == (None, (), (), 0)


def test_the_six_checks_of_the_documents_are_in_the_evidence() -> None:
    evidence = {str(hop.name): "\n".join(hop.evidence) for hop in traced(healthy()).hops}
    assert "look-up of my-service.localhost for IPv4: 127.0.0.1" in evidence["name"]
    assert (
        "docker port ingress-hops-local-worker: 80/tcp on 127.0.0.1:8080, container running" in evidence["port-mapping"]
    )
    assert "Pod/projectcontour/envoy-7xk2p Running, ready" in evidence["host-port"]
    assert "host port 80 -> 8080" in evidence["host-port"]
    assert "Ingress/apps/my-service-ingress: my-service.localhost/ (Prefix) to my-service:8080" in evidence["route"]
    assert "endpoints of apps/my-service: 10.244.81.68:8080" in evidence["service"]
    assert "Pod/apps/example-pod Running, ready" in evidence["pod"]
    assert "listens in its namespace: 0.0.0.0:8080" in evidence["pod"]


def test_counters_show_which_hops_a_request_crossed() -> None:
    evidence = {str(hop.name): "\n".join(hop.evidence) for hop in traced(healthy()).hops}
    assert "5 packets before and 7 after" in evidence["host-port"]
    assert "upstream_rq_total: 6 before and 9 after" in evidence["route"]
    assert "0 packets before and 0 after" in evidence["service"]


def test_nothing_seen_is_no_verdict() -> None:
    observation = {key: healthy()[key] for key in ("taken", "asked")}
    reported = traced(observation)
    assert {hop.verdict for hop in reported.hops} == {Verdict.NOT_SEEN, Verdict.BESIDE}
    assert all(hop.unseen for hop in reported.hops if hop.verdict is Verdict.NOT_SEEN)
    assert status(reported) == 2


def test_an_unexplained_answer_of_envoy_itself_ends_at_envoy() -> None:
    observation = healthy()
    failed(observation, "503", "client", "node", "envoy")
    verdicts = {str(hop.name): hop.verdict for hop in traced(observation).hops}
    assert verdicts["host-port"] is Verdict.OK
    assert verdicts["route"] is Verdict.BROKEN
    (finding,) = traced(observation).findings
    assert (finding.code, finding.remedy) == ("T50", "")
    assert finding.look.startswith(".venv/bin/hops trace local ")
    assert finding.look.endswith(" --bundle trace.json")
    assert verdicts["reply-endpoint"] is Verdict.NOT_SEEN
    assert verdicts["reply-client"] is Verdict.OK
    assert status(traced(observation)) == 1


def test_a_request_from_the_node_crosses_neither_name_nor_docker() -> None:
    observation = healthy()
    observation["asked"]["from_node"] = True
    hops = {str(hop.name): hop for hop in traced(observation).hops}
    assert hops["name"].verdict is Verdict.NOT_SEEN
    assert hops["reply-port-mapping"].unseen == "the request starts in the node"
    assert hops["reply-client"].verdict is Verdict.OK


def test_json_is_plain_and_whole() -> None:
    plain = as_json(traced(healthy()))
    assert json.loads(json.dumps(plain)) == plain
    assert [hop["number"] for hop in plain["hops"]] == list(range(1, 13))
    assert plain["status"] == 0
    assert plain["answer"]["status"] == 200


def test_junit_has_a_case_for_the_machine_and_each_hop() -> None:
    suite = ET.fromstring(junit(traced(healthy())))[0]  # noqa: S314 - it is our own text
    assert [suite.get(key) for key in ("tests", "failures", "skipped")] == ["13", "0", "0"]
    unseen = ET.fromstring(junit(traced({key: healthy()[key] for key in ("taken", "asked")})))[0]  # noqa: S314
    assert unseen.get("skipped") == "11"


def test_json_and_junit_bring_what_to_correct_what_mends_and_what_shows_more() -> None:
    observation = healthy()
    failed(observation, "503", "client", "node", "envoy")
    setting, remedy, look = "stacks/Pulumi.local.yaml: a", "make up STACK=local", "kubectl get pods"
    one = traced(observation)
    broken = replace(one.findings[0], setting=setting, remedy=remedy, look=look)
    advice = replace(broken, code="T51", level=Level.ADVISORY, setting="", remedy="", look="curl x")
    hops = [replace(hop, findings=(broken, advice) if hop.findings else ()) for hop in one.hops]
    one = replace(one, hops=tuple(hops), findings=(broken, advice))
    reported = as_json(one)["findings"]
    assert [(finding["setting"], finding["remedy"], finding["look"]) for finding in reported] == [
        (setting, remedy, look),
        ("", "", "curl x"),
    ]
    case = next(case for case in ET.fromstring(junit(one)).iter("testcase") if case.find("failure") is not None)  # noqa: S314
    failure, out = case.findtext("failure") or "", case.findtext("system-out") or ""
    assert failure.splitlines()[1:4] == [f"correct: {setting}", f"mend: {remedy}", f"look: {look}"]
    assert out.splitlines()[1] == "look: curl x"
    assert "correct:" not in out
    assert "mend:" not in out


def test_an_ipv6_binding_is_reported_in_brackets() -> None:
    observation = healthy()
    container(observation)["NetworkSettings"]["Ports"]["80/tcp"] = [{"HostIp": "::1", "HostPort": "8080"}]
    second = traced(observation).hops[1]
    assert str(second.found) == "[::1]:8080 -> ingress-hops-local-worker:80"


def test_a_request_that_starts_in_the_node_spends_no_time_at_dockers_port() -> None:
    observation = healthy()
    assert traced(observation).hops[1].seconds is not None
    observation["asked"]["from_node"] = True
    assert traced(observation).hops[1].seconds is None
