"""Prints a trace as plain text: the verdict, the hops, the other findings, and the parts that were not seen."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from textwrap import wrap

from hops.cli.output import echo
from hops.cli.tables import print_legend, print_path
from hops.model.finding import Finding, Level
from hops.model.hop import HopName
from hops.model.path import without_hashes
from hops.model.visible import on_one_line
from hops.trace.checks.host.client import only_curl
from hops.trace.facts.evidence import handshake_lines, request_line
from hops.trace.result import Trace, TracedHop, Verdict
from hops.trace.verdict import status

_BESIDE = "beside"
_COLUMNS = 98
_OF_OTHER_PROGRAMS = (only_curl.code,)
"""Advisories that say nothing of the followed request; only --verbose prints them."""


def show(traced: Trace, *, verbose: bool = False) -> None:
    """Prints a trace. Each remedy is one line that can be pasted.

    traced: the trace.
    verbose: whether to print all three values of each hop (planned, declared, found), even if they are the same.
    """
    advice = [] if not verbose else [finding for finding in traced.findings if finding.code in _OF_OTHER_PROGRAMS]
    traced = _of_request(traced)
    stopping = [finding for finding in traced.findings if finding.level is Level.MANDATORY]
    echo(verdict(traced, listed=True))
    echo()
    rows = list(_rows(traced, verbose=verbose))
    print_path(rows, "time")
    print_legend(rows)
    if handshakes := list(_handshakes(traced)):
        echo("\ntls:")
    for line in handshakes:
        echo(f"  {on_one_line(line)}")
    for finding in [*stopping[1:], *(finding for finding in traced.findings if finding not in stopping), *advice]:
        said = on_one_line(f"{finding.code} {finding.resource}: {finding.message}")
        echo(f"\n{_where(traced, finding)}, {finding.level}: {said}")
        echo(_remedy(finding))
    if traced.unseen:
        echo("\nnot seen:")
    for what, why in traced.unseen:
        echo(f"  {on_one_line(what)}: {on_one_line(why)}")
    if traced.then:
        echo(f"\nredirected to {on_one_line(traced.then.asked.url)}\n")
        show(traced.then, verbose=verbose)


def _of_request(traced: Trace) -> Trace:
    """The trace without advisories about other programs than curl and browsers."""
    return replace(traced, findings=tuple(one for one in traced.findings if one.code not in _OF_OTHER_PROGRAMS))


def _handshakes(traced: Trace) -> Iterator[str]:
    """The handshakes at the published port, the node's port and Envoy's pod; a certificate is shown once."""
    sent = [request for request in traced.handshakes if request.tls]
    yield from dict.fromkeys(line for request in sent for line in handshake_lines(request))


def show_short(traced: Trace) -> None:
    """Prints the verdict, and the hops on the way there in a few lines."""
    echo(verdict(_of_request(traced)))
    way = [hop for hop in traced.hops if not hop.name.startswith("reply-")]
    steps = [
        without_hashes(f"{hop.number} {hop.name} {hop.found or hop.declared or hop.planned or '?'} ({hop.verdict})")
        for hop in way
    ]
    for line in wrap(" → ".join(steps), _COLUMNS, break_long_words=False, break_on_hyphens=False):
        echo(f"  {line}")
    if traced.then:
        echo(f"redirected to {on_one_line(traced.then.asked.url)}")
        show_short(traced.then)


def verdict(traced: Trace, *, listed: bool = False) -> str:
    """The first broken hop with its evidence and remedy, or that all is well.

    traced: the trace.
    listed: whether the advisories follow.
    """
    stopping = [finding for finding in traced.findings if finding.level is Level.MANDATORY]
    request = f"{traced.asked.method} {traced.asked.url}"
    if stopping:
        first = stopping[0]
        where = _where(traced, first)
        said = on_one_line(f"{first.code} {first.resource}: {first.message}")
        return f"{where} is broken: {said}\n{_remedy(first)}"
    advice = len(traced.findings)
    advised = f"; {advice} {'advisory' if advice == 1 else 'advisories'}{' below' * listed}" if advice else ""
    how = request_line(traced.answer) if traced.answer else "it was not sent"
    if status(replace(traced, then=None)) == 0:
        return f"all is well: {request}, {how}{advised}"
    return f"the request failed, and no cause was seen: {request}, {how}"


def _where(traced: Trace, finding: Finding) -> str:
    hop = next((hop for hop in traced.hops if finding in hop.findings), None)
    return f"hop {hop.number} ({hop.name})" if hop else "the machine below the hops"


def _remedy(finding: Finding) -> str:
    seen = [f"  seen: {line}" for line in finding.evidence.splitlines()]
    steps = {"correct": finding.setting, "mend": finding.remedy, "look": finding.look}
    return "\n".join([*seen, *(f"  {label}: {text}" for label, text in steps.items() if text)])


def _rows(traced: Trace, *, verbose: bool) -> Iterator[Sequence[object]]:
    for hop in traced.hops:
        state = _BESIDE if hop.verdict is Verdict.BESIDE else hop.verdict
        time = f"{hop.seconds * 1000:.1f} ms" if hop.seconds is not None else None
        yield hop.number, hop.name, _where_it_is(hop, verbose=verbose), state, time
        if hop.name is HopName.ENDPOINT:
            yield from ((None, "between nodes", way, state, None) for way in traced.between_nodes)


def _where_it_is(hop: TracedHop, *, verbose: bool) -> str:
    """Where a hop is: what is declared, and what differs from it."""
    values = {"planned": hop.planned, "declared": hop.declared, "found": hop.found}
    known = {name: str(value) for name, value in values.items() if value}
    if verbose:
        return "\n".join(f"{name}: {value}" for name, value in known.items())
    known = {name: without_hashes(value) for name, value in known.items()}
    first = known.get("declared") or known.get("planned") or known.get("found") or ""
    # A plan without a cluster has no addresses. The rest of it is part of what is declared.
    others = [
        f"{name}: {value}"
        for name, value in known.items()
        if value != first and not (name == "planned" and all(word in first for word in value.split()))
    ]
    return "; ".join([first, *others])
