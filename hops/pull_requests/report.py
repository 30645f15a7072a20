"""What a change of the program does, from the previews of it and of its base."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hops.model.finding import Level
from hops.model.project_files import stack_path
from hops.pull_requests.comparison import Changed, Difference, changed, difference, difference_json
from hops.pull_requests.events import EventsError, Preview, read
from hops.pull_requests.origin import located
from hops.rules.formats import Located, Unread


@dataclass(frozen=True)
class PullRequest:
    """What there is to tell of a change.

    stack: its name.
    stack_file: below the project's folder.
    resources: what changes.
    compared: whether there is a base.
    why_not: why there is none, where one was asked for.
    failure, warnings: the engine's words.
    mended: JSON pointers to the inputs that the pack changed, by URN.
    unread: how many lines are no events.
    """

    stack: str
    stack_file: str
    difference: Difference
    resources: Sequence[Changed]
    compared: bool
    why_not: str | None
    failure: str | None
    warnings: Sequence[str]
    mended: Mapping[str, Sequence[str]]
    unread: int

    @property
    def found(self) -> list[Located]:
        """The findings of the change itself."""
        return [*self.difference.adds, *self.difference.leaves]

    @property
    def stopped(self) -> bool:
        return any(located.finding.level is Level.MANDATORY for located in self.found)

    @property
    def unseen(self) -> list[Unread]:
        return [Unread(self.stack_file, None, f"the preview failed: {self.failure}")] if self.failure else []


def pull_request(head: str, base: str | None, sources: Mapping[str, str]) -> PullRequest:
    """A change from the events of its preview, and of its base's where there is one.

    head: the text of the events of its preview.
    base: the same of the base; None without one.
    sources: texts of the project by file name, for the lines of findings. Raises EventsError where the head has no
        event; a base that cannot be read is reported.
    """
    after = read(head)
    before, why_not = _base(base)
    stack_file = stack_path(after.stack)
    theirs = [Located(finding) for finding in before.findings] if before else []
    # Of a preview that failed nobody knows which findings and hops it lacks.
    failed = after.failure is not None
    compared = difference(
        before.hops if before and (after.hops or not failed) else (),
        after.hops,
        theirs,
        located(after, stack_file, sources),
    )
    return PullRequest(
        stack=after.stack,
        stack_file=stack_file,
        difference=Difference(compared.hops, compared.adds, () if failed else compared.fixes, compared.leaves),
        resources=changed(before, after),
        compared=before is not None,
        why_not=why_not,
        failure=after.failure,
        warnings=after.warnings,
        mended=after.mended,
        unread=after.unread,
    )


def _base(events: str | None) -> tuple[Preview | None, str | None]:
    if events is None:
        return None, None
    try:
        preview = read(events)
    except EventsError as error:
        return None, str(error)
    return (None, preview.failure) if preview.failure else (preview, None)


def as_json(of: PullRequest) -> dict[str, Any]:
    """All that there is to tell."""
    return {
        "stack": of.stack,
        "failure": of.failure,
        "compared": of.compared,
        "baseFailure": of.why_not,
        "resources": [
            {"change": one.change, "urn": one.resource.urn, "values": list(one.values)} for one in of.resources
        ],
        **difference_json(of.difference),
        "mended": [{"urn": urn, "values": list(values)} for urn, values in of.mended.items()],
        "warnings": list(of.warnings),
        "unreadLines": of.unread,
    }
