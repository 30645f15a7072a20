"""`hops diff`: which hops and findings two stacks, plans or folders have that the other has not."""

import dataclasses
import json
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hops.cli.check import CheckSession
from hops.cli.manifests import read as read_manifests
from hops.cli.output import Status, echo, needs_project, print_json, stop
from hops.cli.programs.project import ProjectError, project_folder
from hops.cli.stacks.stack_file import StackError, read, stack_file
from hops.kubernetes.declared_path import read as read_paths
from hops.model.hop import HopName
from hops.model.project_files import STACK_FILES, stack_of
from hops.model.settings.policy_settings import PolicySettings
from hops.model.settings.stack_config import SettingsError
from hops.observe.contexts import BuildError
from hops.observe.local.files import read_bounded
from hops.observe.local.published_files import PublishedFileError
from hops.pull_requests.comparison import Difference, Hop, difference, difference_json, paths, summary
from hops.pull_requests.events import hop_rows
from hops.pull_requests.markdown import findings_and_hops, where
from hops.rules.catalogue import RULES
from hops.rules.formats import Located, from_json

_READ = (".json", ".yaml", ".yml")
_CHOICES = "name a stack, a stack file Pulumi.NAME.yaml, a plan's .json, or .yaml manifests"


class DiffFormat(StrEnum):
    """How a difference is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


@dataclasses.dataclass(frozen=True)
class Side:
    """The hops and findings of one side."""

    hops: list[Hop]
    found: list[Located]


class SideError(ValueError):
    """A side that cannot be read."""


def side(named: str) -> Side:
    """What one side of a comparison has.

    named: the name or file of a stack, the JSON file of a plan, or a file or folder of manifests.

    Raises SideError.
    """
    path = Path(named)
    try:
        if path.is_file() and path.suffix not in _READ:
            raise SideError(f"it is neither a stack, a plan nor manifests; {_CHOICES}")
        if path.is_file() and path.suffix == ".json":
            return _plan(json.loads(read_bounded(path)))
        if path.match(STACK_FILES):
            return _stack(path, stack_of(path.name))
        if path.exists():
            return _manifests(named)
        return _stack(stack_file(project_folder(), named), named)
    except (BuildError, OSError, ValueError, RecursionError, StackError, ProjectError, PublishedFileError) as error:
        raise SideError(f"{named}: {error}") from None


def _plan(plan: Any) -> Side:
    if not isinstance(plan, dict) or not isinstance(plan.get("findings"), list):
        raise SideError("it is no plan; write one with: hops plan STACK --format json")
    if plan.get("leftOut"):
        raise SideError(f"it is an incomplete plan: {'; '.join(map(str, plan['leftOut']))}")
    return Side(list(hop_rows(plan.get("hops"))), [Located(from_json(finding)) for finding in plan["findings"]])


def _stack(file: Path, name: str) -> Side:
    try:
        # It imports Pulumi, and plans and manifests are compared without.
        from hops.cli.plan import planned  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SideError(f"a stack's plan {needs_project(str(error.name))}") from None
    settings = read(file, os.environ.get("INGRESS_HOPS_NODE_IMAGE"))
    plan = planned(name, settings, file.parent.parent)
    if plan.left_out:
        # Findings that were not looked for would seem to be gone.
        raise SideError(f"its plan is incomplete: {'; '.join(plan.left_out)}")
    return Side(list(hop_rows(plan.outputs["hops"])), [Located(finding) for finding in plan.findings])


def _manifests(named: str) -> Side:
    manifests = read_manifests([named])
    if manifests.unread:
        raise SideError("; ".join(map(str, manifests.unread)))
    try:
        findings = CheckSession([PolicySettings()], None, manifests, list(RULES.values())).findings(manifests)
    except SettingsError as error:
        raise SideError(str(error)) from None
    paths = read_paths([body for body, _ in manifests.declared()])
    hops = [dataclasses.asdict(hop) for path in paths for hop in path.hops]
    return Side(list(hop_rows(hops)), [Located(finding) for finding in findings])


def main(
    base: Annotated[str, typer.Argument(help="A stack's name or file, a plan's JSON, a folder of manifests.")],
    head: Annotated[str, typer.Argument(help="The same, to compare with it.")],
    form: Annotated[DiffFormat, typer.Option("--format", help="How to print the difference.")] = DiffFormat.TEXT,
) -> None:
    """Shows which hops change from BASE to HEAD, and which findings appear and disappear.

    Exit status: 0 no difference, 1 a difference, 2 a side could not be read.
    """
    try:
        before, after = side(base), side(head)
    except SideError as error:
        stop(error)
    found = difference(before.hops, after.hops, before.found, after.found)
    match form:
        case DiffFormat.JSON:
            print_json(difference_json(found))
        case DiffFormat.MARKDOWN:
            echo(findings_and_hops(found), nl=False)
        case DiffFormat.TEXT:
            for line in _lines(found):
                echo(line)
    raise typer.Exit(Status.FINDINGS if found else Status.ALL_WELL)


def _lines(found: Difference) -> Iterator[str]:
    for name, pairs in paths(found).items():
        mark = "+" if not any(pair.before for pair in pairs) else "-" if not any(pair.after for pair in pairs) else ""
        # A redirect has no hops behind Envoy, so a path can gain and lose single hops, too.
        if mark:
            ends = [where(pair.either) for pair in pairs if pair.either["name"] in (HopName.NAME, HopName.POD)]
            yield f"{mark} {name}: all {len(pairs)} hops, from {' to '.join(ends)}"
            continue
        for pair in (pair for pair in pairs if pair.changed):
            hop = pair.either
            yield f"{name} {hop['number']} {hop['name']}"
            yield from (f"  {mark} {where(side)}" for mark, side in (("-", pair.before), ("+", pair.after)) if side)
    for mark, located in (*(("+", one) for one in found.adds), *(("-", one) for one in found.fixes)):
        yield f"{mark} {located.finding.level}: {located.finding}"
    yield summary(found)
