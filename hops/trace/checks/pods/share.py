"""What can break: hop 7, for some of the requests, since one of several pods or backends fails them."""

from collections.abc import Callable, Iterator

from hops.kubernetes import objects
from hops.model.finding import Finding, Identity
from hops.model.hop import HopName
from hops.trace.code import Code
from hops.trace.facts.declared_routes import Share, shares
from hops.trace.facts.envoy_drift import dialled
from hops.trace.facts.evidence import request_line
from hops.trace.facts.path_facts import PathFacts, identity
from hops.trace.facts.remedies import kubectl
from hops.trace.observed.observation import SentRequest

some_fail = Code(
    code="T83",
    hop=HopName.POD,
    title="Some of the pods behind the route fail the request",
    symptom="Some requests are answered and others fail: a part of them gets 500, 503 or another page.",
    cause="One of several replicas, or one of two weighted backends such as a canary, differs from the others. "
    "Envoy distributes the requests among the pods.",
    confirmed_by="The trace sends a request to each ready pod of each backend from Envoy's network: some answer well "
    "and some do not. The finding is advisory if the followed request reached a good pod.",
    remedy="Read the log of the pod that the trace names. Meanwhile, set the weight of its backend to 0.",
    references=("https://projectcontour.io/docs/1.33/config/request-routing/#upstream-weighting",),
    yields_to=("T41", "T66", "T67", "T90"),
)


def _some(view: PathFacts) -> Iterator[Finding]:
    if dialled(view) is None and view.envoy is not None:
        return
    asked = [(share, sent) for share in shares(view) if (sent := _direct(view, share))]
    bad = [(share, sent) for share, sent in asked if not _good(sent)]
    if not bad or len(bad) == len(asked):
        return
    for share, sent in bad:
        pod = next((pod for pod in view.of("Pod", share.namespace) if share.address in objects.addresses(pod)), None)
        who = identity(pod) if pod else Identity("v1", "Service", share.namespace, share.service)
        how = str(sent.status) if sent.status is not None else f"nothing ({sent.failure})"
        part = f"about {share.part:.0%} of the requests"
        weight = f" (weight {share.weight})" if share.weight is not None else ""
        message = (
            f"It answers {how}, and gets {part} as a pod of the Service {share.service}{weight}; others answer well."
        )
        evidence = [
            f"{one.service} {one.address}:{one.port} gets {one.part:.0%}: {request_line(own)}" for one, own in asked
        ]
        target = who.name if pod else f"service/{who.name}"
        look = kubectl(view, "logs", target, "--tail", "20", namespace=share.namespace)
        yield some_fail.finding(who, message, "", evidence, stops=view.well is False, look=look)


def _direct(view: PathFacts, share: Share) -> SentRequest | None:
    """The request to a pod, from Envoy's network or else from the pod's node."""
    own = [r for r in view.observation.requests if (r.address, r.port) == (share.address, share.port)]
    return next((r for place in ("pod from envoy", "pod") for r in own if r.where == place), None)


def _good(sent: SentRequest) -> bool:
    return sent.served and sent.failure is None and sent.expected is not False


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (_some,)
