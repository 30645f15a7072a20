"""What all checks find in a changed observation, so that no fault is reported by two of them."""

from collections.abc import Mapping, Sequence

from hops.model.finding import Finding
from hops.trace.checks.registry import CHECKS
from hops.trace.precedence import unexplained
from tests.hops.trace.names import JSON
from tests.hops.trace.observations import view

_MEND, _LOOK, _BOTH = "remedy", "look", "remedy look"
_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "T05": (_MEND, _BOTH),  # Another published port can be asked.
    "T09": (_BOTH, _LOOK),  # Without a stack nothing is mended.
    "T16": (_MEND, _BOTH),  # Without a pod there is nothing to look at.
    "T17": (_MEND, _LOOK),  # Without a known backend no Ingress can be declared.
    "T18": (_MEND, _LOOK),  # Only the annotation of an Ingress can be removed.
    **dict.fromkeys(("T32", "T42", "T43", "T44"), (_BOTH,)),
    **dict.fromkeys(("T67", "T69", "T77"), (_BOTH,)),
    "T76": (_BOTH, _LOOK),  # Only a stack restores the rights.
    # A debugger, the bounds of Contour's own configuration, a rule that this user may not read, a Corefile.
    **dict.fromkeys(("T66", "T71", "T72", "T80", "T81"), (_MEND, _LOOK)),
    **dict.fromkeys(("T83", "T50", "T51"), (_LOOK,)),
    "T47": (_MEND, _LOOK),  # Only a person sets a clock.
    "T52": (_MEND, _LOOK),  # Only a listener or a grant of a Gateway is known to be what is missing.
    **dict.fromkeys(
        ("T53", "T54", "T55", "T58", "T61", "T63"), (_MEND, _LOOK)
    ),  # Without a known object nothing is mended.
    **dict.fromkeys(("T64", "T65"), (_BOTH, _LOOK)),  # Kubernetes itself ends a lack of disk or memory.
    **dict.fromkeys(("T59", "T60"), (_BOTH, _LOOK)),  # A pod's own redirect is mended in its code.
}
"""Which commands the findings of a code bring; of any other code a remedy alone."""


def commands(finding: Finding) -> str:
    """The names of the commands that a finding brings."""
    return " ".join(name for name in ("remedy", "look") if getattr(finding, name))


def checked(findings: Sequence[Finding]) -> None:
    """Each finding brings the commands of its code."""
    assert [(f.code, commands(f)) for f in findings if commands(f) not in _COMMANDS.get(f.code, (_MEND,))] == []


def found(observation: JSON) -> list[Finding]:
    """The findings in the order of the checks."""
    seen = view(observation)
    findings = unexplained(finding for check in CHECKS for finding in check(seen))
    checked(findings)
    return findings


def codes(observation: JSON) -> list[str]:
    """The codes of the findings."""
    return [finding.code for finding in found(observation)]
