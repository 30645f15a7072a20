"""One page that shows a path, running or planned. It loads nothing, and needs no script to be read."""

from collections.abc import Iterable, Iterator, Sequence

from hops.model.finding import Finding, Level
from hops.model.hop import Hop, HopName, HopRole, KnownAt, RequestPath, SocketAddress
from hops.model.plan import Plan
from hops.trace.html import parts
from hops.trace.html.diagram import Sign, Stop, duration
from hops.trace.html.tree import element
from hops.trace.observed.observation import FollowedRequest, SentRequest
from hops.trace.result import Trace, TracedHop, Verdict
from hops.trace.verdict import status

_SIGNS = {
    Verdict.OK: Sign.OK,
    Verdict.BROKEN: Sign.BROKEN,
    Verdict.BESIDE: Sign.BESIDE,
    Verdict.NOT_SEEN: Sign.UNSEEN,
}
_TRACE_LINES = {"solid": "the request passed here", "dotted": "it did not, or this was not seen"}
_PLAN_LINES = {"solid": "the way of a request and of its answer"}


def html(trace: Trace) -> str:
    """The page of a running path: that of the last request, if redirects led to others."""
    if trace.then:
        return html(trace.then)
    reached = _reached(trace)
    stops = [_traced(hop, reached) for hop in trace.hops]
    sign, title = _headline(trace)
    mandatory, advisory = parts.cards(trace.findings, stops, parts.as_command)
    return parts.page(
        f"{title}: {trace.asked.host}",
        element("p", element("code", _request(trace.asked)), class_="asked"),
        [
            parts.verdict(sign, title, element("p", _answer(trace.answer)) if trace.answer else None, mandatory),
            *parts.path(stops, "", _TRACE_LINES),
            *(parts.times(trace.answer) if trace.answer else ()),
            *parts.hops(stops, ""),
            *parts.section("Advice", advisory),
            *parts.sentences("What could not be seen", [f"{what}: {why}" for what, why in trace.unseen]),
        ],
        ("hops trace", f"stack {trace.stack}" if trace.stack else "no stack", trace.taken),
    )


def plan_html(
    stack: str,
    paths: Sequence[RequestPath],
    findings: Sequence[Finding],
    left_out: Sequence[str] = (),
    intended: Plan | None = None,
) -> str:
    """The page of a planned path.

    stack: the stack's name.
    paths: those of its routes.
    findings: what the rules say of it.
    left_out: a sentence for each part that is not planned. Default: none.
    intended: the plan of the paths. Its further publishing nodes are shown at the port mapping, and its ways between
      nodes at the endpoint. Default: None, neither is shown.
    """
    drawn = [
        [_planned(hop, number, paths, findings, intended) for hop in path.hops]
        for number, path in enumerate(paths, start=1)
    ]
    sign, title = _plan_headline(findings, left_out)
    mandatory, advisory = parts.cards(findings, [stop for stops in drawn for stop in stops], parts.as_sentence)
    several = len(paths) > 1
    return parts.page(
        f"{title}: {stack}",
        element("p", f"stack {stack}", class_="asked"),
        [
            parts.verdict(sign, title, None, mandatory, *(parts.attempt(path, several=several) for path in paths)),
            *(
                part
                for path, stops in zip(paths, drawn, strict=True)
                for where in [f" to {path.title}" if several else ""]
                for part in (*parts.path(stops, where, _PLAN_LINES), *parts.hops(stops, where))
            ),
            *parts.section("Advice", advisory),
            *parts.sentences("What was left out", left_out),
        ],
        ("hops plan", f"stack {stack}"),
    )


# --- what is said


def _headline(trace: Trace) -> tuple[Sign, str]:
    if trace.first:
        return Sign.BROKEN, f"The request stops at hop {trace.first.number}, {trace.first.name}"
    if any(finding.level is Level.MANDATORY for finding in trace.findings):
        return Sign.BROKEN, "The request stops, and at none of its hops"
    if status(trace) == 0:
        return Sign.OK, "The request arrives and comes back"
    if trace.answer and trace.answer.status is not None:
        return Sign.UNSEEN, "The answer is not as expected, and no cause was seen"
    return Sign.UNSEEN, "Neither a fault nor an answer was seen"


def _plan_headline(findings: Iterable[Finding], left_out: Sequence[str]) -> tuple[Sign, str]:
    broken = sum(finding.level is Level.MANDATORY for finding in findings)
    if broken:
        return Sign.BROKEN, f"The plan breaks {broken} mandatory rule{'s' if broken > 1 else ''}"
    if left_out:
        return Sign.UNSEEN, "The path as planned, as far as it goes"
    return Sign.PLANNED, "The path as planned"


def _reached(trace: Trace) -> int:
    """The last hop on its way there that the request is known to have come to, 0 where that isn't known."""
    answer, first = trace.answer, trace.first
    if answer is None:
        return 0
    if answer.status is not None and (answer.by_pod or not first):
        return HopName.POD.number
    return first.number if first else 0


def _request(asked: FollowedRequest) -> str:
    """Without the values of its headers: a page is passed on, and they may be secrets."""
    headers = f", with {', '.join(asked.headers)}" if asked.headers else ""
    where = ", from the node" if asked.from_node else ""
    return f"{asked.method} {asked.scheme}://{asked.authority}{asked.path}{headers}{where}"


def _answer(answer: SentRequest) -> str:
    total = answer.seconds.get("total")
    after = f" after {duration(total)}" if total is not None else ""
    if answer.status is None:
        why = f" ({answer.error})" if answer.error else ""
        whom = SocketAddress(answer.address, answer.port)
        return f"No answer from {whom}{after}: {answer.failure or 'it was not sent'}{why}."
    by = "" if answer.by_pod else ", and not by the pod"
    lack = ", without the text that was expected" if answer.expected is False else ""
    end = f"; the answer broke off: {answer.failure}" if answer.failure else ""
    return f"Answered with {answer.status}{after}{by}{lack}{end}."


# --- from hops to stops


def _traced(hop: TracedHop, reached: int) -> Stop:
    back = hop.name.reply
    shown = None if back else hop.found or hop.declared or hop.planned
    return Stop(
        path=1,
        name=hop.name,
        component=hop.component,
        sign=_SIGNS[hop.verdict],
        said=str(hop.verdict),
        # Without where it leads: that is the next hop.
        address=(shown.here or str(shown)) if shown else None,
        # Of the way back only what an answer went through is known to be in order.
        crossed=hop.verdict is Verdict.OK if back else hop.number <= reached,
        facts=tuple(
            (name, str(value) if value else None)
            for name, value in (("planned", hop.planned), ("declared", hop.declared), ("found", hop.found))
        ),
        notes=hop.evidence,
        findings=hop.findings,
        seconds=hop.seconds,
        unseen=hop.unseen,
    )


def _planned(
    hop: Hop, number: int, paths: Sequence[RequestPath], findings: Iterable[Finding], intended: Plan | None
) -> Stop:
    """number: of the hop's path among all, from 1. A finding about another path's object is not shown here."""
    mine = {own.component for own in paths[number - 1].hops}
    others = {other.component for path in paths for other in path.hops}
    here = tuple(
        finding
        for finding in findings
        if finding.hop == hop.name and (_component(finding) in mine or _component(finding) not in others)
    )
    broken = any(finding.level is Level.MANDATORY for finding in here)
    beside = hop.standing is HopRole.BESIDE
    port = f"port {hop.port}" if hop.port else None
    facts = {
        "address": hop.address or f"known after an {hop.known_at}" if hop.known_at is KnownAt.UP else hop.address,
        "port": str(hop.port) if hop.port else None,
        "protocol": hop.protocol,
        "next": hop.next,
        **hop.details,
    }
    return Stop(
        path=number,
        name=hop.name,
        component=hop.component,
        sign=Sign.BROKEN if broken else Sign.BESIDE if beside else Sign.PLANNED,
        said="breaks a mandatory rule" if broken else str(hop.standing) if beside else "planned",
        address=None
        if hop.name.reply
        else str(SocketAddress(hop.address, hop.port))
        if hop.address and hop.port
        else port,
        crossed=True,
        facts=tuple((name, value) for name, value in facts.items() if value),
        notes=tuple(_beside(hop, intended)) if intended else (),
        findings=here,
    )


def _beside(hop: Hop, intended: Plan) -> Iterator[str]:
    """What a plan says of a hop beside its path."""
    of = (hop.service, hop.route)
    if hop.name is HopName.ENDPOINT:
        yield from (str(one) for one in intended.between if of == (one.service, one.route))
    if hop.name is HopName.PORT_MAPPING:
        yield from (
            f"also published: {path.url} -> {path.node}"
            for path in intended.entrances
            if of == (path.service, path.route)
        )


def _component(finding: Finding) -> str:
    """The subject of a finding as a hop would name it."""
    resource = finding.resource
    return f"{resource.kind.lower()} {resource.namespace}/{resource.name}"
