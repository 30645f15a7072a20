"""A trace as plain text: the verdict, the hops, what else was found, and what could not be seen."""

import typer

from cli.output import print_table
from hops.finding import Finding, Level
from hops.trace.found import told
from hops.trace.trace import Trace, TracedHop
from hops.trace.verdict import status

_SAME = '"'
_COLUMNS = ("", "hop", "planned", "declared", "found", "verdict", "time")


def show(traced: Trace) -> None:
    """Prints it; the table fits 100 columns, and a remedy is one line that can be pasted."""
    stopping = [finding for finding in traced.findings if finding.level is Level.MANDATORY]
    typer.echo(_verdict(traced, stopping))
    for finding in stopping[:1]:
        _remedy(finding)
    typer.echo()
    print_table(_COLUMNS, [_row(hop) for hop in traced.hops])
    for finding in [*stopping[1:], *(finding for finding in traced.findings if finding not in stopping)]:
        typer.echo(
            f"\n{_where(traced, finding)}, {finding.level}: {finding.code} {finding.resource}: {finding.message}"
        )
        _remedy(finding)
    if traced.unseen:
        typer.echo("\nnot seen:")
    for what, why in traced.unseen:
        typer.echo(f"  {what}: {why}")


def _verdict(traced: Trace, stopping: list[Finding]) -> str:
    request = f"{traced.asked.method} http://{traced.asked.host}:{traced.asked.port}{traced.asked.path}"
    if stopping:
        first = stopping[0]
        return f"{_where(traced, first)} is broken: {first.code} {first.resource}: {first.message}"
    how = told(traced.answer) if traced.answer else "it was not sent"
    if status(traced) == 0:
        return f"all is well: {request}, {how}"
    return f"no cause was seen, and it is not as it should be: {request}, {how}"


def _where(traced: Trace, finding: Finding) -> str:
    hop = next((hop for hop in traced.hops if finding in hop.findings), None)
    return f"hop {hop.number}, {hop.name}," if hop else "the machine below the hops"


def _remedy(finding: Finding) -> None:
    for line in finding.evidence.splitlines():
        typer.echo(f"  seen: {line}")
    typer.echo(f"  mend: {finding.remedy}" if "\n" not in finding.remedy else f"  mend:\n{finding.remedy}")


def _row(hop: TracedHop) -> tuple[object, ...]:
    planned, declared, found = hop.planned, hop.declared, hop.found
    time = f"{hop.seconds * 1000:.1f} ms" if hop.seconds is not None else None
    return (
        hop.number,
        hop.name,
        planned,
        _SAME if declared and declared == planned else declared,
        _SAME if found and found == (declared or planned) else found,
        hop.verdict,
        time,
    )
