"""What is wrong, where, and what mends it: the one answer of policy, check and trace."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hops.model.hop import HopName


class Severity(StrEnum):
    """How bad it is if it is true, whatever is done about it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Level(StrEnum):
    """What is done about it; the later one is the stricter."""

    DISABLED = "disabled"
    ADVISORY = "advisory"
    REMEDIATE = "remediate"
    MANDATORY = "mandatory"

    @property
    def strictness(self) -> int:
        return list(Level).index(self)


@dataclass(frozen=True)
class Identity:
    """Which object.

    api_version: such as apps/v1.
    kind: such as Deployment.
    namespace: None for an object that belongs to the whole cluster.
    name: of the object.
    """

    api_version: str
    kind: str
    namespace: str | None
    name: str

    def __str__(self) -> str:
        """Kind/namespace/name, the form that exceptions and parameters name it by."""
        return label(self.kind, self.namespace, self.name)


def label(kind: str, namespace: str | None, name: str) -> str:
    return f"{kind}/{namespace}/{name}" if namespace else f"{kind}/{name}"


@dataclass(frozen=True)
class Place:
    """Where an object is declared.

    file: a path; None if the object is in no file.
    document: its number in the file, from 0.
    within: JSON pointer of a List's item inside the document.
    urn: of the Pulumi resource.
    """

    file: str | None = None
    document: int | None = None
    within: str = ""
    urn: str | None = None


@dataclass(frozen=True)
class Patch:
    """A change that mends a finding: RFC 6902 operations on one object, which need not be the finding's own.

    safe: whether it keeps every path that works: it closes no port, and changes no URL, namespace, name or class. A
        patch of an advisory finding counts as unsafe.
    """

    resource: Identity
    place: Place
    operations: tuple[Mapping[str, Any], ...]
    safe: bool = False


@dataclass(frozen=True)
class Finding:
    """One breach of one rule.

    code: of the rule or of the trace.
    level: mandatory or advisory.
    hop: the hop that breaks, None where no single one does.
    path: JSON pointer inside the object, "" for all of it.
    message: one sentence without its code.
    remedy: what mends it; of a trace, a command, or empty where none is known.
    evidence: the value that was met, as text.
    setting: a stack's file and the key in it to correct first, or empty.
    look: a command that shows more and changes nothing, or empty.
    about: other objects that it concerns, beside its resource.
    causes: where the values are that cause it, as place and JSON pointer.
    names: where the value is that the message names, in the same form, or None.
    """

    code: str
    level: Level
    severity: Severity
    hop: HopName | None
    resource: Identity
    place: Place
    path: str
    message: str
    remedy: str
    patch: Patch | None = None
    evidence: str = ""
    setting: str = ""
    look: str = ""
    about: tuple[Identity, ...] = ()
    causes: tuple[tuple[Place, str], ...] = ()
    names: tuple[Place, str] | None = None

    @property
    def docs(self) -> str:
        return f"docs/{'codes' if self.code.startswith('T') and self.code[1:].isdigit() else 'rules'}/{self.code}.md"

    def __str__(self) -> str:
        return f"{self.code} {self.resource}: {self.message} {self.remedy}".rstrip()
