"""Traces as a look would leave them, made by hand: a path in order, and the same with faults."""

from collections.abc import Mapping
from dataclasses import replace

from hops.model.finding import Finding, Identity, Level, Place, Severity
from hops.model.hop import HopName, HopRole
from hops.model.plan import plan
from hops.model.settings.stack_settings import Settings
from hops.trace.observed.observation import Failure, FollowedRequest, SentRequest
from hops.trace.result import HopAddress, Trace, TracedHop, Verdict

_FOUND = {
    1: HopAddress("127.0.0.1, ::1"),
    2: HopAddress("0.0.0.0:80", "sam-test-cluster-worker:80"),
    3: HopAddress("sam-test-cluster-worker:80", "10.244.55.130:8080"),
    4: HopAddress("/", "default/my-service/8080/da39a3ee5e"),
    5: HopAddress("10.96.4.17:8080"),
    6: HopAddress("10.244.55.129:8080", device="cali47b61747c2f"),
    7: HopAddress("10.244.55.129:8080"),
    8: HopAddress("answered to Envoy"),
    9: HopAddress("relayed by Envoy"),
    10: HopAddress("back from the node's port"),
    11: HopAddress("back through the published port"),
    12: HopAddress("200"),
}
_PLANNED = {
    1: HopAddress("127.0.0.1"),
    2: HopAddress("0.0.0.0:80", "sam-test-cluster-worker:80"),
    3: HopAddress("80", "8080"),
    4: HopAddress("/", "default/my-service/8080/da39a3ee5e"),
    6: HopAddress(None, device="cali47b61747c2f"),
    7: HopAddress(":8080"),
}
_SPENT = {1: 0.0004, 2: 0.0005, 3: 0.0002, 4: 0.0021, 6: 0.0001, 7: 0.0031}
_SEEN = {
    1: ("hosts file: 127.0.0.1 my-service.local", "look-up of my-service.local for IPv4: 127.0.0.1 in 0.4 ms"),
    2: ("docker port sam-test-cluster-worker: 80/tcp on 0.0.0.0:80, container running",),
    3: ("nat CNI-DN-a1d4c8: port 80 to 10.244.55.130:8080, 41 packets before and 43 after",),
    4: ("Ingress/default/example-ingress: my-service.local/ (Prefix) to my-service:8080",),
    5: ("kube-proxy's rules in sam-test-cluster-worker: to 10.244.55.129:8080, 0 packets before and 0 after",),
    6: ("route in sam-test-cluster-worker: 10.244.55.129 dev cali47b61747c2f",),
    7: ("Pod/default/example-pod Running, ready, 0 restarts", "listens in its namespace: 0.0.0.0:8080"),
}


def finding(
    code: str, hop: str | None, message: str, remedy: str, evidence: str = "", *, level: Level = Level.MANDATORY
) -> Finding:
    return Finding(
        code=code,
        level=level,
        severity=Severity.HIGH,
        hop=HopName(hop) if hop else None,
        resource=Identity("docker", "Container", None, "sam-test-cluster-worker"),
        place=Place(),
        path="",
        message=message,
        remedy=remedy,
        evidence=evidence,
    )


def healthy(seed: Settings) -> Trace:
    """The documented path in order."""
    hops = tuple(
        TracedHop(
            number=hop.number,
            name=hop.name,
            component=hop.component,
            standing=hop.standing,
            verdict=Verdict.BESIDE if hop.standing is HopRole.BESIDE else Verdict.OK,
            planned=_PLANNED.get(hop.number),
            declared=_PLANNED.get(hop.number),
            found=_FOUND[hop.number],
            seconds=_SPENT.get(hop.number),
            evidence=_SEEN.get(hop.number, ()),
            findings=(),
        )
        for hop in plan(seed).paths[0].hops
    )
    answer = SentRequest(
        where="client",
        address="127.0.0.1",
        port=80,
        status=200,
        headers={"x-envoy-upstream-service-time": "3", "server": "envoy"},
        size=922,
        seconds={"name": 0.0004, "connect": 0.0009, "first byte": 0.0061, "total": 0.0066},
    )
    return Trace(
        asked=FollowedRequest(host="my-service.local", path="/etc/passwd", port=80),
        taken="2026-11-24T10:02:03+00:00",
        stack="seed",
        hops=hops,
        findings=(),
        answer=answer,
        unseen=(),
    )


def changed(trace: Trace, verdicts: Mapping[int, Verdict], *found: tuple[int | None, Finding]) -> Trace:
    """The same with other verdicts, and with findings at their hops. Where it isn't ok, nothing was found."""
    hops = tuple(
        replace(
            hop,
            found=None if hop.number in verdicts else hop.found,
            seconds=None if hop.number in verdicts else hop.seconds,
            evidence=() if hop.number in verdicts else hop.evidence,
            verdict=verdicts.get(hop.number, hop.verdict),
            findings=tuple(one for number, one in found if number == hop.number),
        )
        for hop in trace.hops
    )
    return replace(trace, hops=hops, findings=tuple(one for _, one in found))


def unanswered(trace: Trace, failure: Failure, seconds: float) -> Trace:
    assert trace.answer
    lost = SentRequest(
        where="client",
        address=trace.answer.address,
        port=trace.answer.port,
        failure=failure,
        error=f"connection {failure}",
        seconds={"name": 0.0004, "total": seconds},
    )
    return replace(trace, answer=lost)


def port_taken(seed: Settings) -> Trace:
    """Hop 2 is broken, and what stands behind it is in order or was not met."""
    fault = finding(
        "T08",
        "port-mapping",
        "Port 80 of this machine belongs to nginx (pid 911) and not to Docker.",
        "sudo systemctl stop nginx && docker restart sam-test-cluster-worker",
        "0.0.0.0:80 is held by nginx\nHostConfig.PortBindings 80/tcp: 0.0.0.0:80\nNetworkSettings.Ports 80/tcp: none",
    )
    trace = changed(healthy(seed), {2: Verdict.BROKEN} | dict.fromkeys(range(8, 13), Verdict.NOT_SEEN), (2, fault))
    return unanswered(trace, "reset", 0.0021)


def policy_blocks(seed: Settings) -> Trace:
    """Hop 6 is broken and Envoy says so; the pod is broken too, and a look-up stalls."""
    blocked = finding(
        "T33",
        "endpoint",
        "NetworkPolicy default/deny-all selects the pod and lets nothing of projectcontour in.",
        "kubectl --context kind-sam-test-cluster -n default delete networkpolicy deny-all",
        "policyTypes: [Ingress]\ningress: []\nfrom Envoy's namespace: no answer in 4 s\nfrom the node: 200 in 3 ms",
    )
    loopback = finding(
        "T40",
        "pod",
        "The process listens on 127.0.0.1:8080 only, where no other pod reaches it.",
        "kubectl --context kind-sam-test-cluster -n default set env pod/example-pod BIND=0.0.0.0",
        "LISTEN 0 5 127.0.0.1:8080",
    )
    stalls = finding(
        "T03",
        "name",
        "The look-up of IPv6 took 5.0 s.",
        "printf '::1 my-service.local\\n' | sudo tee -a /etc/hosts",
        "getaddrinfo IPv6: 5.0 s",
        level=Level.ADVISORY,
    )
    trace = changed(
        healthy(seed),
        {6: Verdict.BROKEN, 7: Verdict.BROKEN, 8: Verdict.NOT_SEEN},
        (6, blocked),
        (7, loopback),
        (1, stalls),
    )
    assert trace.answer
    answer = trace.answer.model_copy(
        update={
            "status": 503,
            "headers": {"server": "envoy"},
            "seconds": {"name": 0.0004, "connect": 0.001, "first byte": 2.0031, "total": 2.0034},
        }
    )
    return replace(trace, answer=answer)


def half_seen(seed: Settings) -> Trace:
    """Nobody may look into Docker or the node, and no answer came."""
    trace = changed(healthy(seed), dict.fromkeys((2, 3, 6, *range(8, 13)), Verdict.NOT_SEEN))
    why = {
        2: "docker info: permission denied on /var/run/docker.sock",
        3: "no node can be entered without Docker",
        6: "no node can be entered without Docker",
    }
    hops = tuple(replace(hop, unseen=why.get(hop.number)) for hop in trace.hops)
    unseen = (
        ("docker", "permission denied on /var/run/docker.sock"),
        ("node sam-test-cluster-worker", "Docker was not seen"),
    )
    return unanswered(replace(trace, hops=hops, unseen=unseen), "timeout", 4.0)


def spoken(seed: Settings, text: str) -> Trace:
    """A trace in which every free text holds this one."""
    trace = policy_blocks(seed)
    hops = tuple(
        replace(
            hop,
            component=text,
            planned=HopAddress(text, text, text),
            declared=HopAddress(text),
            found=HopAddress(text, device=text),
            evidence=(text,),
            unseen=text,
            findings=tuple(replace(one, code=text, message=text, evidence=text) for one in hop.findings),
        )
        for hop in trace.hops
    )
    resource = Identity(text, text, text, text)
    found = tuple(replace(one, code=text, resource=resource, message=text, remedy=text) for one in trace.findings)
    assert trace.answer
    answer = trace.answer.model_copy(update={"address": text, "status": None, "error": text, "failure": "other"})
    asked = FollowedRequest(host=text, path=text, port=1, method=text, headers={text: text})
    return replace(
        trace, asked=asked, hops=hops, findings=found, answer=answer, stack=text, taken=text, unseen=((text, text),)
    )
