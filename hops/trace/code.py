"""What a fault of a running path is called, and how it is told."""

from collections.abc import Iterable
from dataclasses import dataclass

from hops.model.finding import Finding, Identity, Level, Place, Severity
from hops.model.hop import HopName


@dataclass(frozen=True)
class Code:
    """One kind of fault that only a running path shows.

    hop: the hop that breaks; None where it is the machine below them. symptom: what
    the client sees. cause: why. told_apart: by which evidence. remedy: what mends it, for the page; a finding brings
    the commands for its case.
    level: mandatory where the request stops, advisory where it doesn't.
    yields_to: the codes that explain this one away. A finding is dropped where a finding of one of them is about one
    of its objects (`hops.trace.precedence`).
    """

    code: str
    hop: HopName | None
    title: str
    symptom: str
    cause: str
    told_apart: str
    remedy: str
    level: Level = Level.MANDATORY
    severity: Severity = Severity.HIGH
    references: tuple[str, ...] = ()
    yields_to: tuple[str, ...] = ()

    def finding(
        self,
        resource: Identity,
        message: str,
        remedy: str,
        evidence: Iterable[str] = (),
        *,
        stops: bool = True,
        hop: HopName | None = None,
        setting: str = "",
        look: str = "",
        about: Iterable[Identity] = (),
    ) -> Finding:
        """One case of it.

        message: one sentence. remedy: a command that mends it, or empty. evidence: what was seen, a line each. stops:
        whether it stops the request; if not it is advisory, whatever the code's level. hop: where it breaks another
        one than the code's. setting: the stack's file and the key in it to correct first. look: a command that shows
        more and changes nothing. about: other objects that it concerns, beside the resource.
        """
        return Finding(
            code=self.code,
            level=self.level if stops else Level.ADVISORY,
            severity=self.severity,
            hop=hop or self.hop,
            resource=resource,
            place=Place(),
            path="",
            message=message,
            remedy=remedy,
            evidence="\n".join(evidence),
            setting=setting,
            look=look,
            about=tuple(about),
        )
