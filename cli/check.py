"""`hops check`: the rules over plain files, without Pulumi and without a cluster."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.manifests import STDIN, File, Manifests, read
from cli.output import Status, print_json, stop
from hops.finding import Finding, Level
from hops.report import Located, as_json, counted, junit, sarif
from hops.rules import RULES
from hops.rules.configuration import configure
from hops.rules.configuration import read as read_policy
from hops.rules.documents import UnreadableError, documents
from hops.rules.edit import NotWrittenError, written
from hops.rules.inventory import Inventory
from hops.rules.judge import Judge
from hops.rules.rule import Rule
from hops.settings import NAMESPACE, Policy, SettingsError


class Report(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"


def main(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, or - for standard input.")],
    form: Annotated[Report, typer.Option("--format", help="How to print the findings.")] = Report.TEXT,
    config: Annotated[Path | None, typer.Option(help="What to ask of the rules: the pack's configuration.")] = None,
    rule: Annotated[list[str] | None, typer.Option(help="Ask only this rule; may be repeated.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Don't ask this rule; may be repeated.")] = None,
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Show the patches as a diff, then write them.")] = False,
) -> None:
    """Judges manifests and kind configurations, without Pulumi and without a cluster.

    Exit status: 0 no mandatory rule is broken, 1 one is, 2 something could not be read.
    """
    rules = _chosen(rule or [], skip or [])
    if fix and STDIN in paths:
        stop("--fix can't write standard input: name a file")
    manifests = read(paths)
    try:
        asked = Asked(_policy(config), manifests, rules)
    except (OSError, UnreadableError, SettingsError) as error:
        stop(error)
    findings = asked.findings(manifests)
    if fix:
        findings = _mended(manifests, asked, findings, quiet=form is not Report.TEXT)
    found = [Located(finding, _line(manifests, finding, form)) for finding in findings]
    _print(form, manifests, found)
    if form is not Report.SARIF:
        for one in manifests.unread:
            typer.echo(f"hops: {one}", err=True)
    if manifests.unread:
        raise typer.Exit(Status.COULD_NOT_LOOK)
    broken = any(finding.level is Level.MANDATORY for finding in findings)
    raise typer.Exit(Status.FINDINGS if broken else Status.ALL_WELL)


def _chosen(only: Sequence[str], skipped: Sequence[str]) -> list[Rule]:
    for code in (*only, *skipped):
        if code.upper() not in RULES:
            stop(f"there is no rule {code}; hops rules lists them")
    wanted = {code.upper() for code in only or RULES} - {code.upper() for code in skipped}
    return [rule for code, rule in RULES.items() if code in wanted]


def _policy(path: Path | None) -> Policy:
    """The file that the pack takes as --policy-pack-config, or what stands in it under the pack's name."""
    if path is None:
        return Policy()
    found: Any = documents(path.read_text(encoding="utf-8"))
    given = found[0] if found and found[0] is not None else {}
    if isinstance(given, dict) and NAMESPACE in given:
        given = given[NAMESPACE]
    if isinstance(given, dict):
        # The engine's own word, which says how the pack's policy acts and nothing of the rules.
        given = {key: value for key, value in given.items() if key != "enforcementLevel"}
    return read_policy(given)


class Asked:
    """The rules under the configuration of the command, and of the `Policy` objects among the files.

    Raises SettingsError that names the key.
    """

    def __init__(self, policy: Policy, manifests: Manifests, rules: Sequence[Rule]) -> None:
        self._today = datetime.now(UTC).date()
        configuration = configure(policy, *_policies(manifests))
        # Those among the files are judged with them, where they stand.
        self._judge = Judge(replace(configuration, policies=[policy]), self._today, rules)

    def findings(self, manifests: Manifests) -> list[Finding]:
        inventory = Inventory(manifests.declared(), today=self._today)
        return [*self._judge.found(inventory), *self._judge.found_in_policies()]


def _policies(manifests: Manifests) -> Iterator[Policy]:
    for body, place in manifests.declared():
        if body["kind"] == "Policy" and str(body.get("apiVersion")).startswith(f"{NAMESPACE}/"):
            try:
                yield read_policy({"rules": body.get("rules") or {}})
            except SettingsError as error:
                raise SettingsError(f"{place.file}: {error}") from None


def _line(manifests: Manifests, finding: Finding, form: Report) -> int | None:
    # Finding lines takes a second, slower reading of the file.
    file = manifests.files.get(finding.place.file or "")
    return file.line(finding.place, finding.path) if file and form is not Report.JSON else None


def _print(form: Report, manifests: Manifests, found: Sequence[Located]) -> None:
    match form:
        case Report.JSON:
            print_json([as_json(located.finding) for located in found])
        case Report.SARIF:
            print_json(sarif(found, manifests.unread, version("ingress-hops")))
        case Report.JUNIT:
            typer.echo(junit(manifests.files, found, manifests.unread), nl=False)
        case Report.TEXT:
            for located in found:
                typer.echo(str(located))
            counts = counted(found)
            mendable = sum(located.finding.patch is not None for located in found)
            typer.echo(
                f"{counts[Level.MANDATORY]} mandatory and {counts[Level.ADVISORY]} advisory findings in "
                f"{len(manifests.files)} files" + (f"; --fix mends {mendable}" if mendable else "")
            )


def _mended(manifests: Manifests, asked: Asked, findings: list[Finding], *, quiet: bool) -> list[Finding]:
    """Writes every patch that removes its finding, after showing what changes, and returns what is left."""
    before = {name: file.text for name, file in manifests.files.items()}
    tried: set[str] = set()
    # In the order of the catalogue: a door that is shut needs no more mending behind it.
    codes = list(RULES)
    while open_ := [f for f in findings if f.patch and repr(f) not in tried]:
        finding = min(open_, key=lambda f: codes.index(f.code))
        tried.add(repr(finding))
        patch = finding.patch
        file = manifests.files.get((patch and patch.place.file) or "")
        if patch is None or file is None:
            continue
        try:
            text = written(file.text, patch)
        except NotWrittenError as error:
            typer.echo(f"hops: {finding.code} {finding.resource} isn't mended in {file.name}: {error}", err=True)
            continue
        manifests.files[file.name] = File(file.name, text, documents(text))
        after = asked.findings(manifests)
        if _breaches(after, finding.code) < _breaches(findings, finding.code):
            findings = after
        else:
            manifests.files[file.name] = file
    changed = [file for name, file in manifests.files.items() if file.text != before[name]]
    for file in changed:
        old, new = before[file.name].splitlines(keepends=True), file.text.splitlines(keepends=True)
        for part in difflib.unified_diff(old, new, file.name, file.name):
            typer.echo(part.rstrip("\r\n"), err=quiet)
    for file in changed:
        try:
            Path(file.name).write_bytes(file.text.encode())
        except OSError as error:
            stop(error)
    return findings


def _breaches(findings: Iterable[Finding], code: str) -> int:
    return sum(finding.code == code for finding in findings)
