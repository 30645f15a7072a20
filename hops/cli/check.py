"""`hops check`: runs the rules over files, without Pulumi and without a cluster."""

import gc
import os
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hops.cli.manifests import STDIN, File, Manifests, read
from hops.cli.output import Status, echo, print_json, stop
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.claims import Fleet
from hops.kubernetes.schemas.catalogue import known_versions
from hops.model.finding import Finding, Level
from hops.model.settings.policy_settings import PolicySettings
from hops.model.settings.setting_types import NAMESPACE
from hops.model.settings.stack_config import SettingsError
from hops.model.settings.stack_settings import Settings
from hops.model.visible import on_one_line
from hops.observe.local.files import FileChangedError, unwritable, write
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.configuration import read as read_policy
from hops.rules.files.documents import documents
from hops.rules.files.edit import NotWrittenError, moves_others, written
from hops.rules.formats import Located, as_json, counted, junit, sarif
from hops.rules.judge import Judge
from hops.rules.rule import Rule


class CheckFormat(StrEnum):
    """The output formats of findings."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"


@contextmanager
def uncollected() -> Iterator[None]:
    """Disables garbage collection: all objects live until the end, and collection took a quarter of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@uncollected()
def main(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files or folders to check, or - for standard input.")
    ],
    form: Annotated[CheckFormat, typer.Option("--format", help="Output format.")] = CheckFormat.TEXT,
    config: Annotated[
        Path | None, typer.Option(help="Configuration file of the rules, as for the policy pack.", dir_okay=False)
    ] = None,
    *,
    rule: Annotated[list[str] | None, typer.Option(help="Run only this rule. Repeatable.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Skip this rule. Repeatable.")] = None,
    stack: Annotated[
        str | None, typer.Option(help="Apply the settings and policy of this stack, and compare with other stacks.")
    ] = None,
    kubernetes: Annotated[
        str | None,
        typer.Option(
            help="Minor version of the API server, such as 1.34. Default: that of the stack's node image, otherwise "
            "of the pinned one."
        ),
    ] = None,
    controller: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="The ingress class that the controller handles, such as contour; for files without a controller.",
        ),
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Print the safe patches as a diff and write them to the files.")
    ] = False,
    unsafe_fixes: Annotated[
        bool,
        typer.Option(
            "--unsafe-fixes",
            help="With --fix or --diff: also patches of advisory findings, and those that can close a port or change a "
            "URL, a namespace, a name or a class. --rule allows those of one rule.",
        ),
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print what --fix would change, and write nothing.")] = False,
    render: Annotated[
        bool,
        typer.Option(
            help="Render Kustomize folders with kustomize or kubectl, and Helm charts with helm, where these are on "
            "PATH. They run without a network and without plugins."
        ),
    ] = True,
    together: Annotated[
        bool,
        typer.Option(
            "--together",
            help="Judge all files as one stack. Default: folders that declare the same object are alternatives, and "
            "each is judged without the others.",
        ),
    ] = False,
) -> None:
    """Checks manifests and kind configurations with the rules, without Pulumi and without a cluster.

    Exit status: 0 no mandatory finding, 1 mandatory findings, 2 a file could not be read.
    """
    rules = _chosen(rule or [], skip or [])
    _refuse_options(kubernetes, controller)
    if fix and not diff and STDIN in paths:
        stop("--fix cannot write to standard input; pass a file")
    if unsafe_fixes and not (fix or diff):
        stop("--unsafe-fixes requires --fix or --diff")
    manifests = read(paths, render=render)
    try:
        policies = [*([_policy(config)] if config else []), *([_handling(controller)] if controller else [])]
        asked = CheckSession(
            policies, _stack(stack) if stack else None, manifests, rules, kubernetes, together=together
        )
    except (OSError, SettingsError) as error:
        stop(error)
    findings = asked.findings(manifests)
    if fix or diff:
        allowed = RULES.keys() if unsafe_fixes else {code.upper() for code in rule or []}
        mended = _mended(manifests, asked, findings, allowed)
        _show(manifests, mended, quiet=form is not CheckFormat.TEXT)
        if not diff:
            _write(manifests, mended)
            manifests.files, findings = mended.files, mended.findings
    found = _in_order(manifests, [Located(finding, _line(manifests, finding, form)) for finding in findings])
    _print(form, manifests, found)
    if form is not CheckFormat.SARIF:
        for sentence in (*manifests.notes, *asked.notes(manifests), *manifests.unread):
            echo(on_one_line(f"hops: {sentence}"), err=True)
    if form is CheckFormat.TEXT:
        # Last, below the errors.
        echo(_summary(manifests, found))
    if manifests.unread:
        raise typer.Exit(Status.COULD_NOT_LOOK)
    broken = any(finding.level is Level.MANDATORY for finding in findings)
    raise typer.Exit(Status.FINDINGS if broken else Status.ALL_WELL)


def _refuse_options(kubernetes: str | None, controller: str | None) -> None:
    if kubernetes is not None and kubernetes not in known_versions():
        stop(f"--kubernetes {kubernetes}: the known versions are {', '.join(known_versions())}")
    if controller is not None and not controller.strip():
        stop("--controller is empty; pass the ingress class that the controller handles, such as contour")


def _chosen(only: Sequence[str], skipped: Sequence[str]) -> list[Rule]:
    for code in (*only, *skipped):
        if code.upper() not in RULES:
            stop(f"rule {code} does not exist; `hops rules` lists all rules")
    selected = {code.upper() for code in only or RULES} - {code.upper() for code in skipped}
    if not selected:
        stop("--rule and --skip leave no rule to run")
    return [rule for code, rule in RULES.items() if code in selected]


def _policy(path: Path) -> PolicySettings:
    """Reads a file in the format of --policy-pack-config, or its part under the name of the pack.

    Raises SettingsError that names the file.
    """
    found = read([str(path)])
    if found.unread:
        raise SettingsError(str(found.unread[0]))
    (file,) = found.files.values()
    given: Any = file.bodies[0] if file.bodies and file.bodies[0] is not None else {}
    if isinstance(given, dict) and NAMESPACE in given:
        given = given[NAMESPACE]
    if isinstance(given, dict):
        # This key belongs to the engine and does not configure the rules.
        given = {key: value for key, value in given.items() if key != "enforcementLevel"}
    return _read_policy(given, path)


def _handling(name: str) -> PolicySettings:
    """The configuration for a controller of an ingress class; Contour also handles objects without a class."""
    return _read_policy(
        {"rules": {"IN09": {"parameters": {"classes": [name, ""] if name == "contour" else [name]}}}}, None
    )


def _read_policy(given: Any, file: Path | str | None) -> PolicySettings:
    try:
        return read_policy(given, at="")
    except SettingsError as error:
        raise SettingsError(f"{file}: {error}") from None


@dataclass(frozen=True)
class _Stack:
    """The settings of a stack, and the ports and names that others use."""

    settings: Settings
    fleet: Fleet


def _stack(name: str) -> _Stack:
    """Raises OSError. An unknown stack or folder stops the command."""
    # Only a stack is compared with other stacks and with Docker: these modules take a tenth of a check.
    from hops.cli.programs.project import ProjectError, project_folder  # noqa: PLC0415
    from hops.cli.stacks.stack_file import StackError, stack_file  # noqa: PLC0415
    from hops.cli.stacks.stack_file import read as read_stack  # noqa: PLC0415
    from hops.observe.local.fleet import fleet  # noqa: PLC0415

    try:
        project = project_folder()
        settings = read_stack(stack_file(project, name), os.environ.get("INGRESS_HOPS_NODE_IMAGE"))
    except (ProjectError, StackError) as error:
        stop(error)
    others = fleet(project, name, settings)
    for sentence in others.unread:
        echo(f"hops: {sentence}", err=True)
    return _Stack(settings, others.fleet)


class CheckSession:
    """Runs the rules under the configurations of the command, the stack and the `Policy` objects in the files.

    policies: configurations of the command.
    stack: the stack to apply; None for none.
    manifests: the files, whose `Policy` objects apply to all of them.
    rules: the rules to run.
    kubernetes: minor version of the API server; None for that of the stack or the pinned one.
    together: whether folders that declare the same object are one stack.

    Raises SettingsError that names the invalid key.
    """

    def __init__(
        self,
        policies: Sequence[PolicySettings],
        stack: _Stack | None,
        manifests: Manifests,
        rules: Sequence[Rule],
        kubernetes: str | None = None,
        *,
        together: bool = False,
    ) -> None:
        self._kubernetes = kubernetes
        self._stacks = [list(manifests.files)] if together else manifests.alternatives()
        self._today = datetime.now(UTC).date()
        self._stack = stack
        given = [*policies, *([stack.settings.policy] if stack else [])]
        configuration = configure(*given, *_policies(manifests))
        # `Policy` objects in the files are checked with the files, so their findings have a line.
        self._judge = Judge(replace(configuration, policies=given), self._today, rules)

    def findings(self, manifests: Manifests) -> list[Finding]:
        """The findings of all stacks, each once."""
        found = [finding for names in self._stacks for finding in self._of_stack(manifests, names)]
        # Folders that are of several stacks have their findings in each.
        once = found if len(self._stacks) == 1 else list({repr(finding): finding for finding in found}.values())
        return [*once, *self._judge.found_in_policies()]

    def notes(self, manifests: Manifests) -> Iterator[str]:
        """What was judged apart, one sentence; empty for one stack."""
        if len(self._stacks) > 1:
            folders = [frozenset(manifests.files[name].folder for name in names) for names in self._stacks]
            apart = ", ".join(sorted(frozenset().union(*folders) - folders[0].intersection(*folders[1:])))
            yield (
                f"judged separately, because they declare the same objects: {apart}; "
                "--together judges them as one stack"
            )

    def _of_stack(self, manifests: Manifests, names: Sequence[str]) -> list[Finding]:
        settings, held = (self._stack.settings, self._stack.fleet) if self._stack else (None, None)
        inventory = Inventory(
            (declared for name in names for declared in manifests.files[name].declared()),
            today=self._today,
            settings=settings,
            fleet=held,
            whole=not manifests.unread,
            kubernetes=self._kubernetes,
        )
        return self._judge.found(inventory)


def _policies(manifests: Manifests) -> Iterator[PolicySettings]:
    for body, place in manifests.declared():
        if body.get("kind") == "Policy" and str(body.get("apiVersion")).startswith(f"{NAMESPACE}/"):
            yield _read_policy({"rules": body.get("rules") or {}}, place.file)


def _line(manifests: Manifests, finding: Finding, form: CheckFormat) -> int | None:
    # Line numbers require parsing the file a second time.
    file = manifests.files.get(finding.place.file or "")
    return file.line(finding.place, finding.path) if file and form is not CheckFormat.JSON else None


def _in_order(manifests: Manifests, found: Sequence[Located]) -> list[Located]:
    """The findings in the order of the files and their lines, as linters print them."""
    files = {name: number for number, name in enumerate(manifests.files)}
    return sorted(
        found,
        key=lambda located: (
            files.get(located.file, len(files)),
            located.finding.place.document or 0,
            located.line or 0,
        ),
    )


def _print(form: CheckFormat, manifests: Manifests, found: Sequence[Located]) -> None:
    match form:
        case CheckFormat.JSON:
            print_json([as_json(located.finding) for located in found])
        case CheckFormat.SARIF:
            from importlib.metadata import version  # noqa: PLC0415 - only SARIF names the version

            print_json(sarif(found, manifests.unread, version("ingress-hops")))
        case CheckFormat.JUNIT:
            echo(junit(manifests.files, found, manifests.unread), nl=False)
        case CheckFormat.TEXT:
            for one, *same in _grouped(found):
                echo(str(one))
                if same:
                    others = ", ".join(f"{other.where} {other.finding.resource}" for other in same)
                    echo(f"  also: {on_one_line(others)}")


def _summary(manifests: Manifests, found: Sequence[Located]) -> str:
    counts = counted(found)
    patches = [
        patch for located in found if (patch := located.finding.patch) and not _rendered(manifests, patch.place.file)
    ]
    safe = sum(patch.safe for patch in patches)
    fixes = [f"--fix can patch {safe}"] * bool(safe)
    fixes += [f"--fix --unsafe-fixes can patch {len(patches)}"] * (len(patches) > safe)
    return (
        f"{counts[Level.MANDATORY]} mandatory and {counts[Level.ADVISORY]} advisory findings; "
        f"files read: {len(manifests.files)}, not read: {len(manifests.unread)}"
        + "".join(f"; {sentence}" for sentence in fixes)
    )


def _rendered(manifests: Manifests, name: str | None) -> bool:
    file = manifests.files.get(name or "")
    return file is not None and bool(file.by)


def _grouped(found: Sequence[Located]) -> Iterator[list[Located]]:
    """The findings, those with the same code, level and sentences together."""
    groups: dict[tuple[str, ...], list[Located]] = {}
    for located in found:
        finding = located.finding
        groups.setdefault((finding.code, finding.level, finding.message, finding.remedy), []).append(located)
    yield from groups.values()


@dataclass(frozen=True)
class _Mended:
    """The files with patches, and the findings that are left."""

    files: dict[str, File]
    findings: list[Finding]


def _mended(manifests: Manifests, asked: CheckSession, findings: list[Finding], allowed: Container[str]) -> _Mended:
    """Applies every safe patch that removes its finding, in memory.

    allowed: codes of rules whose unsafe patches are applied, too.
    """
    current = replace(manifests, files=dict(manifests.files))
    findings = _Mender(current, asked, allowed).mended(findings)
    return _Mended(current.files, findings)


def _changed(manifests: Manifests, mended: _Mended) -> Iterator[tuple[File, File]]:
    """The files that differ, each before and after."""
    for name, file in mended.files.items():
        if file.text != manifests.files[name].text:
            yield manifests.files[name], file


def _show(manifests: Manifests, mended: _Mended, *, quiet: bool) -> None:
    import difflib  # noqa: PLC0415 - only changes are compared

    for before, after in _changed(manifests, mended):
        old, new = before.text.splitlines(keepends=True), after.text.splitlines(keepends=True)
        for part in difflib.unified_diff(old, new, on_one_line(after.name), on_one_line(after.name)):
            echo(part.rstrip("\r\n"), err=quiet)


def _write(manifests: Manifests, mended: _Mended) -> None:
    changed = list(_changed(manifests, mended))
    try:
        for before, _ in changed:
            if reason := unwritable(Path(before.name)):
                stop(f"{reason}; nothing was written")
        for before, _ in changed:
            if Path(before.name).read_bytes() != before.text.encode():
                raise FileChangedError(f"{before.name} was changed since it was read; run the command again")
        for before, after in changed:
            write(Path(after.name), after.text, expected=before.text.encode())
    except OSError as error:
        stop(error)


_MOST_VAIN = 16
"""How often a rule's patches are judged in vain. Each judgement takes as long as the first one of all files."""


class _Mender:
    """Applies patches to the texts in memory, all of a rule at once, and judges what remains."""

    def __init__(self, manifests: Manifests, asked: CheckSession, allowed: Container[str]) -> None:
        self._manifests, self._asked, self._allowed = manifests, asked, allowed
        self._tried: set[str] = set()
        self._unwritten: Counter[str] = Counter()
        self._vain: Counter[str] = Counter()
        self._causes: dict[str, set[str]] = defaultdict(set)

    def mended(self, findings: list[Finding]) -> list[Finding]:
        """The findings that remain."""
        while open_ := [f for f in findings if self._may_apply(f) and repr(f) not in self._tried]:
            # In the order of the catalogue: a closed port requires no further patch behind it.
            code = min({f.code for f in open_}, key=list(RULES).index)
            findings = self._applied(_independent(f for f in open_ if f.code == code), findings)
        return findings

    def _may_apply(self, finding: Finding) -> bool:
        return finding.patch is not None and (finding.patch.safe or finding.code in self._allowed)

    def _applied(self, chosen: Sequence[Finding], findings: list[Finding]) -> list[Finding]:
        """Applies patches of one rule if they remove their findings, otherwise each half of them."""
        kept = dict(self._manifests.files)
        by_file: dict[str, list[Finding]] = defaultdict(list)
        for finding in chosen:
            by_file[(finding.patch and finding.patch.place.file) or ""].append(finding)
        written_ = [self._written(name, group) for name, group in by_file.items()]
        done, chosen = sum(map(len, written_)), [finding for group in written_ for finding in group]
        if not done:
            return findings
        self._tried |= {repr(finding) for finding in chosen}
        code = chosen[0].code
        after = self._asked.findings(self._manifests)
        before, now = _breaches(findings), _breaches(after)
        removed = now[code] <= before[code] - done
        if removed and done == 1:
            self._causes[code] |= set(now - before)
        if removed and (self._vain[code] >= _MOST_VAIN or set(now - before) <= {code, *self._causes[code]}):
            return after
        self._manifests.files = kept
        self._vain[code] += 1
        if self._vain[code] == 2 * _MOST_VAIN:
            echo(f"hops: more patches of {code} do not remove their findings, and are not tried", err=True)
        if len(chosen) == 1 or self._vain[code] >= 2 * _MOST_VAIN:
            return findings
        self._tried -= {repr(finding) for finding in chosen}
        # One patch alone shows which findings of other rules a patch of this rule causes.
        half = len(chosen) // 2 if self._vain[code] > 1 else 1
        findings = self._applied(chosen[:half], findings)
        # The first half may have moved or removed what the second one is about.
        open_ = {repr(finding) for finding in findings}
        rest = [finding for finding in chosen[half:] if repr(finding) in open_]
        return self._applied(rest, findings) if rest else findings

    def _written(self, name: str, findings: Sequence[Finding]) -> list[Finding]:
        """The findings whose patches were applied to the text in memory of their file; some may be left for later."""
        file = self._manifests.files.get(name)
        file = None if file and file.by else file
        patches = [finding.patch for finding in findings if finding.patch]
        if file is None:
            self._tried |= {repr(finding) for finding in findings}
            return []
        if self._unwritten[name] < _MOST_VAIN:
            try:
                text = written(file.text, *patches)
            except NotWrittenError as error:
                if len(findings) > 1:
                    half = len(findings) // 2
                    done = self._written(name, findings[:half])
                    # The items that the second half is about may have moved.
                    return (
                        done
                        if done and any(map(moves_others, patches))
                        else [*done, *self._written(name, findings[half:])]
                    )
                self._unwritten[name] += 1
                self._tried.add(repr(findings[0]))
                said = f"{findings[0].code} {findings[0].resource} is not patched in {name}: {error}"
                echo(on_one_line(f"hops: {said}"), err=True)
                return []
            self._manifests.files[name] = File(name, text, documents(text))
            return list(findings)
        for finding in findings:
            where = f"{finding.code} {finding.resource} is not patched in {name}"
            echo(on_one_line(f"hops: {where}: too many patches cannot be written; edit the file by hand"), err=True)
        self._tried |= {repr(finding) for finding in findings}
        return []


def _independent(findings: Iterable[Finding]) -> list[Finding]:
    """The first of the findings whose patches write the same value at the same place."""
    seen: set[str] = set()
    found: list[Finding] = []
    for finding in findings:
        if finding.patch:
            place = finding.patch.place
            where = f"{place.file} {place.document} {place.within}"
            keys = {
                f"{where}{one['path']} {one.get('value') if one['path'].endswith('/-') else ''}"
                for one in finding.patch.operations
            }
            if seen.isdisjoint(keys):
                found.append(finding)
            seen |= keys
    return found


def _breaches(findings: Iterable[Finding]) -> Counter[str]:
    return Counter(finding.code for finding in findings)
