"""Pull requests' comments in GitHub's Markdown.

What others wrote only stands in code spans: nothing in them is a link, a mention, an image or markup. Sentences outside
of them are this project's own.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from hops.model.finding import Level
from hops.pull_requests.comparison import Changed, Difference, Hop, HopPair, summary, title
from hops.pull_requests.report import PullRequest
from hops.rules.catalogue import RULES
from hops.rules.finding_text import urn_parts
from hops.rules.formats import Located

MARKER = "<!-- ingress-hops: preview -->"
"""The first line of a comment, by which the next run finds it."""
LIMIT = 65_536
"""The most characters of a comment; counted as bytes here, of which there are never fewer. Source: the API's refusal
"body is too long (maximum is 65536 characters)"."""
_LONGEST, _MOST_VALUES, _MOST_SERVICES, _SPARE = 600, 5, 4, 200
_OPERATIONS = {"create", "update", "replace", "delete", "import"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def code(text: str) -> str:
    """Any text as a code span of one line: what can't be seen is shown by its number, what is too long is cut."""
    shown = "".join(_visible(character) for character in " ".join(text.split()))
    if len(shown) > _LONGEST:
        shown = f"{shown[: _LONGEST - 1]}…"
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence, pad = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{pad}{shown}{pad}{fence}" if shown.strip() else "`-`"


def _visible(character: str) -> str:
    return f"\\u{ord(character):04x}" if unicodedata.category(character) in _INVISIBLE else character


def cell(text: str) -> str:
    """The same for a table, whose rows a bar divides even within code."""
    return code(text.replace("|", "¦"))


@dataclass(frozen=True)
class _Section:
    """rows: each complete in itself. head: what stands above the first of them. share: of the limit, at most."""

    title: str
    rows: Sequence[str]
    share: float
    head: str = ""
    left_out: str = "rows"

    def text(self, limit: int) -> str:
        """With as many rows as fit into its share, and the number of those that don't."""
        room = int(limit * self.share)
        shown: list[str] = []
        for row in self.rows:
            room -= len(row.encode()) + 1
            if room < 0:
                break
            shown.append(row)
        rest = len(self.rows) - len(shown)
        note = f"\n\n{rest} more {self.left_out} are left out here; `hops report --format json` has all of them."
        return f"#### {self.title}\n\n{self.head}" + "\n".join(shown) + (note if rest else "")


def comment(of: PullRequest, limit: int = LIMIT) -> str:
    """The comment, never longer than the limit."""
    parts = [MARKER, f"### Preview of {code(of.stack)}: {_verdict(of)}", *_notes(of)]
    return _page(parts, _sections(of), limit)


def _page(parts: list[str], sections: Iterable[_Section], limit: int) -> str:
    room = limit - sum(len(part.encode()) + 2 for part in parts) - _SPARE
    rest = 0
    for text in (section.text(limit) for section in sections if section.rows):
        room -= len(text.encode()) + 2
        rest += room < 0
        parts += [text] if room >= 0 else []
    left_out = (
        [f"{counted(rest, 'section')} more would not fit here; `hops report --format json` has all."] if rest else []
    )
    return "\n\n".join([*parts, *left_out]) + "\n"


def findings_and_hops(of: Difference, limit: int = LIMIT) -> str:
    """Two sides compared."""
    return _page([summary(of)], [*_findings(of, compared=True), *_hops(of.hops, compared=True)], limit)


def _verdict(of: PullRequest) -> str:
    if of.failure:
        return "it failed"
    mandatory = sum(located.finding.level is Level.MANDATORY for located in of.found)
    return f"{counted(mandatory, 'mandatory finding')}, {len(of.found) - mandatory} advisory"


def counted(number: int, thing: str) -> str:
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"


def _notes(of: PullRequest) -> Iterator[str]:
    if of.failure:
        yield f"**The preview failed, so this report is incomplete.**\n\n{code(of.failure)}"
    if of.why_not:
        yield f"No comparison: the preview of the base failed. {code(of.why_not)}"
    elif of.compared:
        adds, fixes, leaves = len(of.difference.adds), len(of.difference.fixes), len(of.difference.leaves)
        # What a preview that failed doesn't say may be there all the same.
        fixed = "" if of.failure else f", fixes {fixes}"
        yield f"Compared with the base, the change adds {counted(adds, 'finding')}{fixed} and leaves {leaves}."
    if of.unread:
        yield f"{counted(of.unread, 'line')} of the stream were no events and are left out."


def _sections(of: PullRequest) -> Iterator[_Section]:
    yield from _findings(of.difference, compared=of.compared)
    mended = [f"- {code(urn_parts(urn)[2])}: {_values(values)}" for urn, values in of.mended.items()]
    yield _Section("Repaired by the pack", mended, 0.03, left_out="resources")
    yield _Section("Warnings", [f"- {code(warning)}" for warning in of.warnings], 0.04, left_out="warnings")
    yield from _hops(of.difference.hops, compared=of.compared)
    yield _Section(
        f"Resources: {_operations(of.resources)}",
        [_resource(one) for one in of.resources],
        0.1,
        "| change | resource | values |\n|---|---|---|\n",
        "resources",
    )


def _findings(of: Difference, *, compared: bool) -> Iterator[_Section]:
    titles = {"adds": "Findings that the change adds" if compared else "Findings"}
    titles |= {"leaves": "Findings that stay", "fixes": "Findings that the change fixes"}
    shares = {"adds": 0.5, "leaves": 0.12, "fixes": 0.05}
    for name, heading in titles.items():
        found = sorted(getattr(of, name), key=lambda located: -located.finding.level.strictness)
        rows = [_finding(located, gone=name == "fixes") for located in found]
        yield _Section(f"{heading} ({len(rows)})", rows, shares[name], left_out="findings")


def _finding(located: Located, *, gone: bool) -> str:
    finding = located.finding
    rule = RULES.get(finding.code)
    head = f"- **{finding.level}** {f'**{rule.code}** {rule.title}' if rule else code(finding.code)}: "
    where = (
        "" if located.file == "-" else f" in {code(f'{located.file}:{located.line}' if located.line else located.file)}"
    )
    lines = [f"{head}{code(str(finding.resource))}{where}", code(finding.message)]
    if gone:
        return "<br>".join(lines)
    if finding.remedy:
        lines.append(f"Remedy: {finding.remedy if rule and finding.remedy == rule.remedy else code(finding.remedy)}")
    if finding.patch:
        operations = json.dumps([dict(operation) for operation in finding.patch.operations], ensure_ascii=False)
        lines.append(f"Patch of {code(str(finding.patch.resource))}: {code(operations)}")
    return "<br>".join(lines)


def _hops(pairs: Sequence[HopPair], *, compared: bool) -> Iterator[_Section]:
    """A table for each service whose path changes, or for every one where there is nothing to compare with."""
    paths = [list(path) for _, path in groupby(pairs, key=lambda pair: title(pair.either))]
    shown = [path for path in paths if not compared or any(pair.changed for pair in path)]
    columns = "before | after |\n|---|---|---|---|" if compared else "where |\n|---|---|---|"
    for path in shown[:_MOST_SERVICES]:
        rows = list(map(_pair if compared else _only, path))
        yield _Section(f"Requests to {code(title(path[0].either))}", rows, 0.06, f"| | hop | {columns}\n", "hops")
    if rest := len(shown[_MOST_SERVICES:]):
        sentence = (
            f"Requests to {counted(rest, 'more service')} are left out here; `hops report --format json` has them."
        )
        yield _Section("More requests", [sentence], 0.01)
    if same := len(paths) - len(shown):
        yield _Section("Hops", [f"The path of the requests to {counted(same, 'service')} is as before."], 0.01)


def _pair(pair: HopPair) -> str:
    before, after = _where(pair.before), _where(pair.after) if pair.changed else "as before"
    return f"| {pair.either['number']} | {cell(pair.either['name'])} | {before} | {after} |"


def _only(pair: HopPair) -> str:
    return f"| {pair.either['number']} | {cell(pair.either['name'])} | {_where(pair.after)} |"


def _where(hop: Hop | None) -> str:
    return cell(where(hop)) if hop else "not there"


def where(hop: Hop) -> str:
    """Component, address, port and next of a hop in one line."""
    address = hop["address"] or "address not known yet"
    port, onward = f":{hop['port']}" if hop["port"] else "", f" → {hop['next']}" if hop["next"] else ""
    return f"{hop['component']}, {address}{port}{onward}"


def _resource(of: Changed) -> str:
    kind = of.resource.type.rpartition(":")[2]
    return f"| {_operation(of.change)} | {cell(f'{kind} {of.resource.name}')} | {_values(of.values)} |"


def _values(pointers: Sequence[str]) -> str:
    more = f" and {len(pointers) - _MOST_VALUES} more" if len(pointers) > _MOST_VALUES else ""
    return " ".join(cell(pointer) for pointer in pointers[:_MOST_VALUES]) + more


def _operation(change: str) -> str:
    return change if change in _OPERATIONS else "other"


def _operations(resources: Sequence[Changed]) -> str:
    counts = Counter(_operation(one.change) for one in resources)
    return ", ".join(f"{number} {name}" for name, number in counts.items())
