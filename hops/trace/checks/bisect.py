"""What no check explains: the requests answer on one side of a hop and not on the other."""

from collections.abc import Iterator, Mapping

from hops.model.commands import HOPS
from hops.model.finding import Finding, Identity
from hops.model.hop import HopName
from hops.trace.code import Code
from hops.trace.facts.evidence import request_line
from hops.trace.facts.path_facts import PathFacts
from hops.trace.facts.remedies import command
from hops.trace.observed.observation import SentRequest, Where

unexplained = Code(
    code="T50",
    hop=None,
    title="The request stops here, and the cause was not seen",
    symptom="The followed request fails.",
    cause="Unknown: no other code fits the observation.",
    confirmed_by="Requests were sent at each hop: the fault is between the last one that failed and the first one "
    "that was answered.",
    remedy="`hops trace --bundle FILE` saves the whole observation for further analysis.",
)

_RUNGS: tuple[tuple[Where, HopName], ...] = (
    ("client", HopName.PORT_MAPPING),
    ("node", HopName.HOST_PORT),
    ("envoy", HopName.ROUTE),
    ("pod from envoy", HopName.ENDPOINT),
    ("pod", HopName.POD),
)
"""Where requests are sent, in the order of the path, and the hop that only those cross which start there or before."""

_SENT: Mapping[Where, str] = {
    "client": "from this machine",
    "node": "from the node to its own port",
    "envoy": "at Envoy's pod",
    "pod from envoy": "from Envoy's network to the pod",
    "pod": "at the pod from its own node",
    "service": "at the ClusterIP",
}


def climbed(view: PathFacts) -> Iterator[Finding]:
    """The hop that stops the request by the requests alone; nothing where a rung beside it is missing."""
    if view.well is not False:
        return
    rungs = [(place, hop, view.request(place)) for place, hop in _RUNGS]
    for (place, hop, request), (_, _, beyond) in zip(rungs, [*rungs[1:], (None, None, None)], strict=True):
        if request is None or _fine(request):
            return
        if place == "pod" or (beyond and _fine(beyond)):
            yield _stopped(view, hop, request, beyond)
            return


def _fine(request: SentRequest) -> bool:
    return request.served and request.failure is None


def _stopped(view: PathFacts, hop: HopName, request: SentRequest, beyond: SentRequest | None) -> Finding:
    who = Identity("ingress-hops", "Hop", None, hop)
    answers = f", and is answered {_SENT[beyond.where]}" if beyond else ""
    evidence = [request_line(request), *([request_line(beyond)] if beyond else [])]
    message = f"The request fails {_SENT[request.where]}{answers}; the cause was not seen."
    return unexplained.finding(who, message, "", evidence, hop=hop, look=_again(view))


def _again(view: PathFacts) -> str:
    """The command that follows the same request again and keeps all that it sees."""
    stack, cluster, asked = view.observation.stack, view.observation.cluster, view.asked
    options = [("--host", asked.host), ("--path", asked.path), ("--port", str(asked.port))]
    if cluster and cluster.kubeconfig and not stack:
        options += [("--kubeconfig", cluster.kubeconfig), ("--context", cluster.context or "")]
    given = [word for name, value in options if value for word in (name, value)]
    return command(HOPS, "trace", *([stack.name] if stack else []), *given, "--bundle", "trace.json")
