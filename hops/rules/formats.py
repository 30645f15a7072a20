"""Output formats of findings: JSON, SARIF 2.1.0, JUnit XML and GitLab code quality."""

import hashlib
import string
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from hops.model.finding import Finding, Identity, Level, Patch, Place, Severity
from hops.model.visible import on_one_line
from hops.rules.catalogue import RULES
from hops.rules.rule import Rule

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_SCORES = {Severity.LOW: "3.0", Severity.MEDIUM: "5.5", Severity.HIGH: "8.0", Severity.CRITICAL: "9.5"}
"""Scores within the ranges to which GitHub code scanning gives these names."""
_QUALITY = {Severity.LOW: "minor", Severity.MEDIUM: "major", Severity.HIGH: "critical", Severity.CRITICAL: "blocker"}


@dataclass(frozen=True)
class Unread:
    """A file that could not be read.

    file: its path, or - for standard input.
    line: line of the error, from 1; None if unknown.
    reason: the error without file and position, one sentence.
    column: column of the error, from 1; None if unknown.
    """

    file: str
    line: int | None
    reason: str
    column: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.reason}"


@dataclass(frozen=True)
class Located:
    """A finding with its position.

    finding: the finding; its place names the file.
    line: line in the file, from 1; None if unknown.
    """

    finding: Finding
    line: int | None = None

    @property
    def file(self) -> str:
        return self.finding.place.file or "-"

    @property
    def where(self) -> str:
        """The file, and the line if it is known."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        # A line break in a name does not begin another message, such as a command of GitHub Actions.
        return on_one_line(f"{self.where}: {self.finding.level}: {self.finding}")


def as_json(finding: Finding) -> dict[str, Any]:
    """A finding as JSON values. `path` and the paths of the patch are pointers inside the YAML document."""
    place, patch = finding.place, finding.patch
    return {
        "code": finding.code,
        "level": str(finding.level),
        "severity": str(finding.severity),
        "file": place.file,
        "document": place.document,
        "resource": _identity(finding),
        "path": place.within + finding.path,
        "message": finding.message,
        "remedy": finding.remedy,
        "patch": patch
        and {
            "file": patch.place.file,
            "document": patch.place.document,
            "safe": patch.safe,
            "operations": [{**o, "path": patch.place.within + o["path"]} for o in patch.operations],
        },
    }


def from_json(given: Any) -> Finding:
    """Reads a finding that `as_json` wrote. Raises ValueError for any other value."""
    try:
        resource, patch = given["resource"], given["patch"]
        identity = Identity(resource["apiVersion"], resource["kind"], resource["namespace"], resource["name"])
        place = Place(given["file"], given["document"])
        return Finding(
            code=given["code"],
            level=Level(given["level"]),
            severity=Severity(given["severity"]),
            hop=RULES[given["code"]].hop if given["code"] in RULES else None,
            resource=identity,
            place=place,
            path=given["path"],
            message=given["message"],
            remedy=given["remedy"],
            patch=patch
            and Patch(
                identity, Place(patch["file"], patch["document"]), tuple(patch["operations"]), patch.get("safe", False)
            ),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"it contains a finding that hops did not write ({error})") from None


def _identity(finding: Finding) -> dict[str, Any]:
    resource = finding.resource
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "namespace": resource.namespace,
        "name": resource.name,
    }


def sarif(found: Sequence[Located], unread: Sequence[Unread], version: str) -> dict[str, Any]:
    """A SARIF log with one run; paths in it are relative to where the command ran."""
    driver = {"name": "ingress-hops", "version": version, "rules": [_sarif_rule(rule) for rule in RULES.values()]}
    run = {
        "tool": {"driver": driver},
        "invocations": [
            {
                "executionSuccessful": not unread,
                "toolExecutionNotifications": [
                    {
                        "level": "error",
                        "message": {"text": u.reason},
                        "locations": [{"physicalLocation": _physical(u.file, u.line)}],
                    }
                    for u in unread
                ],
            }
        ],
        "results": [_result(located) for located in found],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.title,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": _level(rule.level)},
        "properties": {"security-severity": _SCORES[rule.severity], "tags": [rule.hop] if rule.hop else []},
    }


def _result(located: Located) -> dict[str, Any]:
    finding = located.finding
    where = {"fullyQualifiedName": f"{finding.resource}{finding.path}", "kind": "resource"}
    # A policy of another pack is not in RULES.
    index = {"ruleIndex": list(RULES).index(finding.code)} if finding.code in RULES else {}
    return {
        "ruleId": finding.code,
        **index,
        "level": _level(finding.level),
        # `](` would be a link (SARIF 2.1.0, 3.11.6).
        "message": {"text": f"{finding.resource}: {finding.message} {finding.remedy}".replace("](", "] (")},
        "locations": [{"physicalLocation": _physical(located.file, located.line), "logicalLocations": [where]}],
        "partialFingerprints": {"finding/v1": _fingerprint(finding)},
    }


def _fingerprint(finding: Finding) -> str:
    return f"{finding.code} {finding.resource} {finding.path}"


def _level(level: Level) -> str:
    return "error" if level is Level.MANDATORY else "warning"


def _physical(file: str, line: int | None) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": "stdin" if file == "-" else _uri(file)}}
    return location | ({"region": {"startLine": line}} if line else {})


def _uri(path: str) -> str:
    """A path as a URI (RFC 3986), also one whose name is no UTF-8."""
    plain = string.ascii_letters + string.digits + "-._~/"
    encoded = path.replace("\\", "/").encode(errors="surrogateescape")
    return "".join(chr(byte) if chr(byte) in plain else f"%{byte:02X}" for byte in encoded)


def code_quality(found: Iterable[Located], unread: Iterable[Unread]) -> list[dict[str, Any]]:
    """A GitLab code quality report with one entry per finding and per unreadable file.

    Source: docs.gitlab.com, ci/testing/code_quality, "Code Quality report format".
    """
    entries = [
        _quality(f.code, _fingerprint(f), f"{f.resource}: {f.message} {f.remedy}", _QUALITY[f.severity], located)
        for located in found
        for f in (located.finding,)
    ]
    return entries + [_quality("read", f"read {one}", one.reason, "blocker", one) for one in unread]


def _quality(code: str, fingerprint: str, text: str, severity: str, where: "Located | Unread") -> dict[str, Any]:
    return {
        "check_name": code,
        "description": text,
        "fingerprint": hashlib.sha256(fingerprint.encode()).hexdigest(),
        "severity": severity,
        "location": {"path": where.file, "lines": {"begin": where.line or 1}},
    }


def junit(files: Iterable[str], found: Iterable[Located], unread: Iterable[Unread], title: str = "hops check") -> str:
    """A JUnit XML report: one suite per file, one test case per finding.

    files: paths of all files that were read; a file without findings is one passed case.
    found: the findings; a mandatory one is a failure, an advisory one a passed case with output.
    unread: the files that could not be read; each is an error.
    title: name of the report.
    """
    by_file: dict[str, list[ET.Element]] = defaultdict(list)
    for located in found:
        finding = located.finding
        case = ET.Element("testcase", classname=finding.code, name=f"{finding.resource}{finding.path}")
        if finding.level is Level.MANDATORY:
            ET.SubElement(case, "failure", type=finding.code, message=finding.message).text = str(located)
        else:
            ET.SubElement(case, "system-out").text = str(located)
        by_file[located.file].append(case)
    for one in unread:
        case = ET.Element("testcase", classname="read", name=one.file)
        ET.SubElement(case, "error", type="unread", message=one.reason).text = str(one)
        by_file[one.file].append(case)
    root = ET.Element("testsuites", name=title)
    for file in dict.fromkeys((*files, *by_file)):
        cases = by_file.get(file) or [ET.Element("testcase", classname="rules", name="no finding")]
        suite = ET.SubElement(root, "testsuite", name=file, tests=str(len(cases)))
        suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
        suite.set("errors", str(sum(case.find("error") is not None for case in cases)))
        suite.extend(cases)
    ET.indent(root)
    return xml(ET.tostring(root, encoding="unicode", xml_declaration=True)) + "\n"


def xml(text: str) -> str:
    """The text with ? for characters that XML 1.0 does not allow."""
    return "".join(c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" else "?" for c in text)


def counted(found: Iterable[Located]) -> Mapping[Level, int]:
    """The number of findings per level, mandatory and advisory."""
    counts = dict.fromkeys((Level.MANDATORY, Level.ADVISORY), 0)
    for located in found:
        counts[located.finding.level] += 1
    return counts
