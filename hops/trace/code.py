"""The codes of faults that only a running path shows."""

from collections.abc import Iterable
from dataclasses import dataclass

from hops.model.finding import Finding, Identity, Level, Place, Severity
from hops.model.hop import HopName


@dataclass(frozen=True)
class Code:
    """One kind of fault that only a running path shows.

    code: the identifier, such as T17.
    hop: the hop that breaks; None if it can be any hop, or the machine.
    title: the fault in one sentence, without a full stop.
    symptom: what the client sees.
    cause: why it happens.
    confirmed_by: the evidence that confirms it.
    remedy: what repairs it, for the page; a finding has the commands for its case.
    level: mandatory if the request stops, advisory if it does not. Default: mandatory.
    severity: how much depends on it. Default: high.
    references: URLs of the documents that the code follows. Default: none.
    ends_redirects: whether it says where the redirects end, so that the request behind them has no verdict of its own.
    Default: False.
    yields_to: codes that explain this one away: a finding is dropped if a finding of one of them is about one of its
    objects (`hops.trace.precedence`). Default: none.
    """

    code: str
    hop: HopName | None
    title: str
    symptom: str
    cause: str
    confirmed_by: str
    remedy: str
    level: Level = Level.MANDATORY
    severity: Severity = Severity.HIGH
    references: tuple[str, ...] = ()
    ends_redirects: bool = False
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
        """One case of this fault.

        resource: the object that is broken.
        message: one sentence.
        remedy: a command that repairs it, or empty.
        evidence: what was seen, a line each. Default: none.
        stops: whether it stops the request; if not, the finding is advisory, whatever the code's level. Default: True.
        hop: the broken hop, if it is not the code's. Default: the code's.
        setting: the stack's file and the key in it to correct first. Default: empty.
        look: a command that shows more and changes nothing. Default: empty.
        about: other objects that it concerns, beside the resource. Default: none.
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
