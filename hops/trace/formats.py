"""A trace in the forms that others read: JSON and JUnit."""

from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree as ET

from hops.model.finding import Finding, Level
from hops.rules.formats import xml
from hops.trace.result import Trace, TracedHop, Verdict
from hops.trace.verdict import status


def as_json(traced: Trace) -> dict[str, Any]:
    """The trace as plain values; keys are only ever added.

    `status` is the exit status, `first` the number of the first broken hop or null, `answer` the followed request or
    null. Each of the twelve `hops` has `number`, `name`, `component`, `standing`, `verdict`, `planned`, `declared`,
    `found`, `seconds`, `evidence`, `unseen` and the `codes` of its findings. `betweenNodes` has a line for each node to
    which Envoy's node sends packets. `findings` hold `code`, `hop`, `level`,
    `severity`, `resource`, `message`, `remedy`, `setting`, `look`, `evidence` and `docs`, the first to mend first:
    `setting` is the stack's file and the key to correct, `remedy` a command that mends, `look` one that changes
    nothing; each is empty where there is none. `unseen` names by part what could not be looked at, and why. `then` is
    the trace of the request that a redirect led to, or null.
    """
    first = traced.first
    return {
        "asked": traced.asked.model_dump(mode="json"),
        "taken": traced.taken,
        "stack": traced.stack,
        "status": status(traced),
        "first": first.number if first else None,
        "answer": traced.answer.model_dump(mode="json") if traced.answer else None,
        "hops": [_hop(hop) for hop in traced.hops],
        "betweenNodes": list(traced.between_nodes),
        "findings": [_finding(finding) for finding in traced.findings],
        "unseen": dict(traced.unseen),
        "then": as_json(traced.then) if traced.then else None,
    }


def _hop(hop: TracedHop) -> dict[str, Any]:
    plain = {key: value for key, value in asdict(hop).items() if key != "findings"}
    return {
        **plain,
        "name": str(hop.name),
        "planned": hop.planned and str(hop.planned),
        "declared": hop.declared and str(hop.declared),
        "found": hop.found and str(hop.found),
        "standing": str(hop.standing),
        "verdict": str(hop.verdict),
        "evidence": list(hop.evidence),
        "codes": [finding.code for finding in hop.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    resource = finding.resource
    return {
        "code": finding.code,
        "hop": finding.hop,
        "level": str(finding.level),
        "severity": str(finding.severity),
        "resource": {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "namespace": resource.namespace,
            "name": resource.name,
        },
        "message": finding.message,
        "remedy": finding.remedy,
        "setting": finding.setting,
        "look": finding.look,
        "evidence": finding.evidence.splitlines(),
        "docs": finding.docs,
    }


def junit(traced: Trace) -> str:
    """A suite for each request: the followed one, and those that its redirects led to."""
    root = ET.Element("testsuites", name="hops trace")
    following: Trace | None = traced
    while following:
        root.append(_suite(following))
        following = following.then
    ET.indent(root)
    return xml(ET.tostring(root, encoding="unicode", xml_declaration=True)) + "\n"


def _suite(traced: Trace) -> ET.Element:
    """A case for the machine and for each hop: a failure where it is broken, skipped where it was not seen."""
    url = traced.asked.url
    below = [finding for finding in traced.findings if finding.hop is None]
    broken = any(finding.level is Level.MANDATORY for finding in below)
    cases = [_case("0 machine", Verdict.BROKEN if broken else Verdict.OK, tuple(below), None, "")]
    for hop in traced.hops:
        printed = "\n".join([f"planned {hop.planned}, declared {hop.declared}, found {hop.found}", *hop.evidence])
        case = _case(f"{hop.number} {hop.name}", hop.verdict, hop.findings, hop.unseen, printed)
        if hop.seconds is not None:
            case.set("time", f"{hop.seconds:.6f}")
        cases.append(case)
    suite = ET.Element("testsuite", name=url, tests=str(len(cases)), timestamp=traced.taken)
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    suite.extend(cases)
    return suite


def _said(finding: Finding) -> str:
    """A finding with what to correct, what mends it and what shows more, a line each."""
    steps = {"correct": finding.setting, "mend": finding.remedy, "look": finding.look}
    first = f"{finding.code} {finding.resource}: {finding.message}"
    return "\n".join([first, *(f"{label}: {text}" for label, text in steps.items() if text)])


def _case(name: str, verdict: Verdict, findings: tuple[Finding, ...], unseen: str | None, printed: str) -> ET.Element:
    case = ET.Element("testcase", classname="path", name=name)
    stopping = [finding for finding in findings if finding.level is Level.MANDATORY]
    if verdict is Verdict.BROKEN:
        for finding in stopping[:1]:
            failure = ET.SubElement(case, "failure", type=finding.code, message=finding.message)
            failure.text = "\n".join(line for f in stopping for line in (_said(f), f.evidence) if line)
    elif verdict is Verdict.NOT_SEEN:
        ET.SubElement(case, "skipped", message=unseen or "not seen")
    advice = [_said(finding) for finding in findings if finding not in stopping or verdict is not Verdict.BROKEN]
    if advice or printed:
        ET.SubElement(case, "system-out").text = "\n".join([*advice, printed])
    return case
