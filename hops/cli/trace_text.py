"""A trace as plain text: the verdict, the hops, what else was found, and what could not be seen."""

from collections.abc import Sequence
from textwrap import wrap

import typer

from hops.cli.output import print_table
from hops.model.finding import Finding, Level
from hops.trace.facts.evidence import told
from hops.trace.result import Trace
from hops.trace.verdict import status

_SAME = '"'
_WIDE = 52
"""Characters that planned, declared and found have together."""


def show(traced: Trace) -> None:
    """Prints it; the table fits 100 columns, and a remedy is one line that can be pasted."""
    stopping = [finding for finding in traced.findings if finding.level is Level.MANDATORY]
    typer.echo(_verdict(traced, stopping))
    for finding in stopping[:1]:
        _remedy(finding)
    typer.echo()
    print_table(*_rows(traced))
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
    return f"hop {hop.number} ({hop.name})" if hop else "the machine below the hops"


def _remedy(finding: Finding) -> None:
    for line in finding.evidence.splitlines():
        typer.echo(f"  seen: {line}")
    typer.echo(f"  mend: {finding.remedy}" if "\n" not in finding.remedy else f"  mend:\n{finding.remedy}")


def _rows(traced: Trace) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
    """The columns, and the rows. A column that nothing is known for is left out."""
    told: dict[str, list[object]] = {
        "planned": [hop.planned for hop in traced.hops],
        "declared": [_SAME if hop.declared and hop.declared == hop.planned else hop.declared for hop in traced.hops],
        "found": [
            _SAME if hop.found and hop.found == (hop.declared or hop.planned) else hop.found for hop in traced.hops
        ],
    }
    told = {name: cells for name, cells in told.items() if any(cells)}
    # Names are broken at their hyphens, which rich doesn't do.
    width = _WIDE // (len(told) or 1)
    rows = [
        [
            hop.number,
            hop.name,
            *("\n".join(wrap(str(cells[index] or ""), width)) for cells in told.values()),
            hop.verdict,
            time,
        ]
        for index, hop in enumerate(traced.hops)
        for time in [f"{hop.seconds * 1000:.1f} ms" if hop.seconds is not None else None]
    ]
    return ["", "hop", *told, "verdict", "time"], rows
