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
_COLUMNS = 98
_WIDE = 52
"""Characters that planned, declared and found have together."""


def show(traced: Trace) -> None:
    """Prints it; the table fits 100 columns, and a remedy is one line that can be pasted."""
    stopping = [finding for finding in traced.findings if finding.level is Level.MANDATORY]
    typer.echo(verdict(traced))
    typer.echo()
    print_table(*_rows(traced))
    for finding in [*stopping[1:], *(finding for finding in traced.findings if finding not in stopping)]:
        typer.echo(
            f"\n{_where(traced, finding)}, {finding.level}: {finding.code} {finding.resource}: {finding.message}"
        )
        typer.echo(_remedy(finding))
    if traced.unseen:
        typer.echo("\nnot seen:")
    for what, why in traced.unseen:
        typer.echo(f"  {what}: {why}")


def show_short(traced: Trace) -> None:
    """Prints the verdict, and the hops on the way there in a few lines."""
    typer.echo(verdict(traced))
    way = [hop for hop in traced.hops if not hop.name.startswith("reply-")]
    steps = [
        f"{hop.number} {hop.name} {hop.found or hop.declared or hop.planned or '?'} ({hop.verdict})" for hop in way
    ]
    for line in wrap(" → ".join(steps), _COLUMNS, break_long_words=False, break_on_hyphens=False):
        typer.echo(f"  {line}")


def verdict(traced: Trace) -> str:
    """The first broken hop with its evidence and remedy, or that all is well."""
    stopping = [finding for finding in traced.findings if finding.level is Level.MANDATORY]
    request = f"{traced.asked.method} http://{traced.asked.host}:{traced.asked.port}{traced.asked.path}"
    if stopping:
        first = stopping[0]
        where = _where(traced, first)
        return f"{where} is broken: {first.code} {first.resource}: {first.message}\n{_remedy(first)}"
    advice = len(traced.findings)
    below = f"; {advice} {'advisory' if advice == 1 else 'advisories'} below" if advice else ""
    how = told(traced.answer) if traced.answer else "it was not sent"
    if status(traced) == 0:
        return f"all is well: {request}, {how}{below}"
    return f"no cause was seen, and it is not as it should be: {request}, {how}"


def _where(traced: Trace, finding: Finding) -> str:
    hop = next((hop for hop in traced.hops if finding in hop.findings), None)
    return f"hop {hop.number} ({hop.name})" if hop else "the machine below the hops"


def _remedy(finding: Finding) -> str:
    seen = [f"  seen: {line}" for line in finding.evidence.splitlines()]
    steps = {"correct": finding.setting, "mend": finding.remedy, "look": finding.look}
    return "\n".join([*seen, *(f"  {label}: {text}" for label, text in steps.items() if text)])


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
