"""`python -m tests.live.faults.page`: what the last whole run found, into docs/faults.json and its pages."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from hops.cli.catalogues.codes import EVIDENCE
from hops.cli.output import write_pages
from hops.trace.checks.registry import CODES
from hops.trace.docs import INDEX, pages
from tests.live.faults.catalogue import ENCRYPTION, LATER, LATER_PAIRS, NODES, PAIRS, PRACTICE
from tests.live.faults.fault import FAULTS
from tests.live.faults.healthy import VARIANTS
from tests.live.faults.run import FOLDER
from tests.live.faults.score import Outcome, Row, names_both, names_the_first
from tests.project import ROOT

COMPLETE = {"faults": len(FAULTS), "healthy": len(VARIANTS), "pairs": PAIRS, "later pairs": LATER_PAIRS}
"""How many rows each section of a whole run has."""
RESULTS = ROOT / "docs" / "faults.json"
PAGE = ROOT / "docs" / "faults.md"
CODE_PAGES = ROOT / "docs" / "codes"

_PARTS = {"encryption": ENCRYPTION, "nodes": NODES, "practice": PRACTICE}
"""The sections that a run of their own faults can renew without the others, by their faults' numbers."""
_TITLES = {"faults": "One fault", "encryption": "TLS and redirects", "nodes": "Nodes", "practice": "Practice"}

Results = dict[str, Any]

_INTRODUCTION = """\
# Faults

Written by `python -m tests.live.faults.page` from [faults.json](faults.json), which a run of `make test-live` and of
`make test-pairs` gives. Each fault is put into a running path, `hops trace` is asked, and the fault is taken out again.
The faults come in an order of chance, and one assertion holds for all of them: the first broken hop and the code are
those expected, and no other finding stops the request.

*right*: all that was expected and nothing else; *not seen*: no word of the fault; *wrong*: anything between. Seconds
are those of the trace, then those with the fault's coming and going.
"""


def page(results: Mapping[str, Any]) -> str:
    """The page of a set of results, Markdown."""
    parts = [_INTRODUCTION]
    for section, title in _TITLES.items():
        faults = results.get(section)
        if not faults:
            continue
        rows = _by_number(faults)
        parts.append(f"## {title}\n\n{_about(faults)}\n\n{_counted(rows)}\n")
        heads = ["#", "what is done", "a client meets", "expected", "said", "outcome", "seconds", "how"]
        parts.append(_table(heads, (_fault(row) for row in rows)))
    if healthy := results.get("healthy"):
        rows = _rows(healthy)
        parts.append(f"## No fault\n\n{_about(healthy)}\n\n{_counted(rows)} Right is: no finding.\n")
        heads = ["", "the path", "said", "outcome", "seconds"]
        parts.append(_table(heads, ([row.name, row.title, _said(row), row.outcome, _seconds(row)] for row in rows)))
    if pairs := results.get("pairs"):
        parts += _pairs("Two faults at once", pairs, "chance chose among the faults that can be there together")
    if later := results.get("later pairs"):
        chosen = f"chance chose, each with at least one of the faults {LATER[0]} to {LATER[-1]}"
        parts += _pairs("Two faults at once, one of them later", later, chosen)
    return "\n".join(part for part in parts if part)


def _pairs(title: str, section: Mapping[str, Any], chosen: str) -> list[str]:
    """A section about pairs. chosen: how they were chosen, as the rest of a clause."""
    rows = _rows(section)
    right = [row for row in rows if row.outcome == Outcome.RIGHT]
    both, first = list(filter(names_both, rows)), list(filter(names_the_first, rows))
    missed = sum(row.outcome == Outcome.NOT_PUT_IN for row in rows)
    left = [row for row in rows if row not in right]
    heads = ["pair", "expected", "said", "seconds"]
    head = (
        f"## {title}\n\n{_about(section)}\n\n"
        f"Of {len(rows)} pairs that {chosen}, {missed} did not "
        f"take effect together. **{len(both)} were named both**, {len(right)} of them with nothing else and the "
        f"first broken hop right; **{len(first)} had the first on the path named**.\n"
    )
    return [
        head,
        _table(heads, ([r.name, ", ".join(r.expected), _said(r), _seconds(r)] for r in left)) if left else "",
    ]


def _rows(section: Mapping[str, Any]) -> list[Row]:
    return [Row(**row) for row in section["rows"]]


def _by_number(faults: Mapping[str, Any]) -> list[Row]:
    return sorted(_rows(faults), key=lambda row: int(row.name))


def _about(section: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(section["versions"].items()))
    return f"{section['date']}, seed {section['seed']}; {versions}."


def _counted(rows: Iterable[Row]) -> str:
    counts = Counter(row.outcome for row in rows)
    return ", ".join(f"**{counts[outcome]} {outcome}**" for outcome in Outcome) + "."


def _fault(row: Row) -> list[str]:
    how = "replayed" if row.replayed else "live"
    said = [row.name, row.title, row.symptom, ", ".join(row.expected), _said(row), row.outcome]
    return [*said, _seconds(row), how]


def _said(row: Row) -> str:
    return f"not put in: {row.why}" if row.why else ", ".join(row.said) or "nothing"


def _seconds(row: Row) -> str:
    return f"{row.seconds:.1f} / {row.whole:.0f}"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def evidence(results: Mapping[str, Any]) -> dict[str, str]:
    """What the pages of the codes say of the results: Markdown by code, and by `INDEX`."""
    sections = [results[name] for name in _TITLES if name in results]
    reported: dict[str, str] = {}
    for faults, row in ((section, row) for section in sections for row in _by_number(section)):
        for code in (place.rpartition(" ")[2] for place in row.expected):
            line = (
                f"- [Fault {row.name}](../faults.md), {row.title}: the trace said {_said(row)} "
                f"in {row.seconds:.1f} s on {faults['date']} ({row.outcome})."
            )
            reported[code] = "\n".join(filter(None, [reported.get(code), line]))
    rows = [row for section in sections for row in _rows(section)]
    right = sum(row.outcome == Outcome.RIGHT for row in rows)
    dates = " and ".join(dict.fromkeys(section["date"] for section in sections))
    index = f"Of {len(rows)} faults put into a running path on {dates}, [{right} were named right](../faults.md)."
    return {code: text for code, text in reported.items() if code in CODES} | {INDEX: index}


def main() -> int:
    """Takes over what a run has completed. Exit status: 0 written, 1 no section is complete."""
    results: Results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    taken = []
    for section, size in COMPLETE.items():
        file = FOLDER / f"{section}.rows.json"
        found = json.loads(file.read_text()) if file.exists() else {"rows": []}
        if len(found["rows"]) == size:
            results[section] = found
            taken.append(section)
        else:
            _say(f"{section}: {len(found['rows'])} of {size} were tried, so its results stay as they are")
        if section == "faults":
            for part, numbers in _PARTS.items():
                own = [row for row in found["rows"] if int(row["name"]) in numbers]
                if section in taken:
                    results.pop(part, None)
                elif len(own) == len(numbers):
                    results[part] = found | {"rows": own}
                    taken.append(part)
    if not taken:
        return 1
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(results))
    reported = evidence(results) if "faults" in results else {}
    (CODE_PAGES / EVIDENCE).write_text(json.dumps(reported, indent=1, ensure_ascii=False) + "\n")
    write_pages(CODE_PAGES, pages(reported))
    _say(f"{PAGE.relative_to(ROOT)} is written: {', '.join(taken)}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
