"""`hops stack list` and `hops stack check`: the stacks of the project side by side."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from hops.cli.output import Format, FormatOption, Status, echo, print_json, stop
from hops.cli.programs.project import ProjectError, project_folder
from hops.cli.stacks import backend
from hops.cli.stacks.stack_file import in_file
from hops.cli.tables import print_table
from hops.kubernetes.resources.claims import Fleet
from hops.model.finding import Finding, Level
from hops.model.hop import bracketed
from hops.model.preflight import Machine, standing
from hops.model.project_files import stack_path
from hops.model.settings.stack_config import SettingsError
from hops.model.settings.stack_settings import Settings
from hops.observe.local.machine import look
from hops.observe.local.stack_files import own_state, stack_files
from hops.rules.files.stack_file_settings import stack_settings
from hops.rules.formats import as_json
from hops.rules.other_stacks import claims, claims_of_outputs, clashes, joined, published


@dataclass(frozen=True)
class StackSummary:
    """A stack, from its file or, without a file, from its outputs. Of an unusable file only its name is known.

    name: the stack's name.
    cluster: name of its cluster.
    address: where requests enter.
    hosts: the host names of its services.
    file: path of its file, from the project's folder; None without a file.
    state: state of its kind cluster (ClusterStatus), or `existing`; None if it was not seen.
    resources: number of resources in the backend; None if it was not seen.
    error: why the file cannot be used, a line for each problem; None if it can.
    """

    name: str
    cluster: str
    address: str
    hosts: tuple[str, ...]
    file: str | None
    state: str | None
    resources: int | None
    error: str | None = None


@dataclass(frozen=True)
class Seen:
    """All stacks of a project.

    project: the project's folder.
    settings: the settings of each usable file, by the stack's name.
    unusable: why each unusable file cannot be used, by the stack's name.
    machine: the state of this machine.
    kept: the number of resources in the backend, by the stack's name; None if the backend cannot be read.
    fileless: the ports and names of stacks that are in the backend and have no file.
    unseen: a sentence for each part that could not be read.
    """

    project: Path
    settings: dict[str, Settings]
    unusable: Mapping[str, str]
    machine: Machine
    kept: dict[str, int] | None
    fileless: dict[str, Fleet]
    unseen: tuple[str, ...]

    def held(self, stack: str, of: Settings) -> Fleet:
        """The ports and names that others use, seen from a stack."""
        return joined(
            *(claims(name, theirs) for name, theirs in self.settings.items() if name != stack),
            *(fleet for name, fleet in self.fileless.items() if name != stack),
            published(self.machine, of.cluster.name, own_state(self.project, stack, of, self.machine)),
        )

    def clashes(self, stack: str, of: Settings) -> list[Finding]:
        """The clashes of a stack with others. Raises SettingsError if the stack's policy is wrong."""
        return clashes(of, self.held(stack, of), datetime.now(UTC).date())

    def stacks(self) -> Iterator[StackSummary]:
        """The stacks with a file by name, then the others."""
        for name in sorted((*self.settings, *self.unusable)):
            yield self.stack(name, self.settings[name]) if name in self.settings else self._unusable(name)
        for name, fleet in self.fileless.items():
            names = {what: [claim.name for claim in fleet.names if claim.what == what] for what in ("host", "cluster")}
            yield StackSummary(
                name=name,
                cluster=", ".join(names["cluster"]) or "?",
                address=_entrance(fleet.ports[0].address, [claim.port for claim in fleet.ports])
                if fleet.ports
                else "?",
                hosts=tuple(dict.fromkeys(names["host"])),
                file=None,
                state=None,
                resources=(self.kept or {}).get(name),
            )

    def _unusable(self, name: str) -> StackSummary:
        resources = None if self.kept is None else self.kept.get(name, 0)
        return StackSummary(name, "?", "?", (), stack_path(name), "invalid file", resources, self.unusable[name])

    def stack(self, name: str, of: Settings) -> StackSummary:
        cluster = of.cluster
        state = "existing" if cluster.existing else None
        if not cluster.existing:
            state = standing(self.machine, cluster.name, own_state(self.project, name, of, self.machine))
        ports = list(cluster.published_ports)
        return StackSummary(
            name=name,
            cluster=cluster.existing or cluster.name,
            address=_entrance(cluster.listen_addresses[0], ports)
            if cluster.listen_addresses
            else f"its {of.contour.entrance or ('load balancer' if not of.contour.existing else 'Contour')}",
            hosts=tuple(dict.fromkeys(route.host for service in of.services for route in service.routes)),
            file=stack_path(name),
            state=state,
            resources=None if self.kept is None else self.kept.get(name, 0),
        )


def _entrance(address: str, ports: list[int]) -> str:
    return f"{bracketed(address)}:{','.join(map(str, ports))}"


def look_around(project: Path) -> Seen:
    """Reads the stack files, the backend and Docker. Raises OSError if a file cannot be read."""
    files = stack_files(project)
    settings, unusable = {}, {}
    for name, file in files.items():
        try:
            settings[name] = stack_settings(name, file, os.environ.get("INGRESS_HOPS_NODE_IMAGE"))
        except SettingsError as error:
            unusable[name] = in_file(project / stack_path(name), error)
    unseen, fileless, kept = [], {}, None
    with ThreadPoolExecutor() as pool:
        # Each of the two takes about half a second in another process.
        machine = pool.submit(look, (), addresses=True)
        try:
            kept = backend.kept(project)
            for name in sorted(set(kept) - set(files)):
                if kept[name]:
                    fileless[name] = claims_of_outputs(name, backend.outputs(project, name))
        except backend.BackendError as error:
            unseen.append(f"the state in the backend was not seen: {error}")
    found = machine.result()
    if not found.docker:
        why = found.docker_error or "docker is not on PATH"
        unseen.append(f"published ports and running clusters were not seen: {why}")
    return Seen(project, settings, unusable, found, kept, fileless, tuple(unseen))


def _look() -> Seen:
    try:
        return look_around(project_folder())
    except (OSError, ProjectError) as error:
        stop(error)


def list_(form: FormatOption = Format.TEXT) -> None:
    """Lists the project's stacks: address, host, cluster, its state, and how many resources the backend keeps.

    Without Docker or pulumi, unknown values are a question mark (null in JSON), with the reason on stderr.

    Exit status: 0 all files are sound, 1 some are not (named on stderr), 2 there is no project here.
    """
    seen = _look()
    stacks = list(seen.stacks())
    if form is Format.JSON:
        print_json([asdict(stack) for stack in stacks])
    else:
        print_table(
            ["name", "address", "host", "cluster", "state", "resources"],
            [
                [
                    s.name,
                    s.address,
                    ", ".join(s.hosts),
                    s.cluster,
                    s.state or "?",
                    "?" if s.resources is None else s.resources,
                ]
                for s in stacks
            ],
        )
    _tell(*seen.unusable.values(), *seen.unseen)
    if seen.unusable:
        raise typer.Exit(Status.FINDINGS)


def check(form: FormatOption = Format.TEXT) -> None:
    """Compares the stacks with each other and with the ports that Docker publishes now, by the rules XS01 to XS03.

    Without Docker or pulumi, only the stack files are compared, and the reason is printed on stderr.

    Exit status: 0 none clash, 1 some do, 2 a stack file cannot be used.
    """
    seen = _look()
    found, unusable = {}, list(seen.unusable.values())
    for name, of in seen.settings.items():
        try:
            found[name] = seen.clashes(name, of)
        except SettingsError as error:
            unusable.append(in_file(seen.project / stack_path(name), error))
    if form is Format.JSON:
        print_json([_as_json(name, finding) for name, findings in found.items() for finding in findings])
    else:
        for name, findings in found.items():
            for finding in findings:
                echo(f"{stack_path(name)}: {finding.level}: {finding}")
        clashing = sum(1 for findings in found.values() if findings)
        echo(f"{clashing} of {len(found)} stacks clash")
    _tell(*unusable, *seen.unseen)
    if unusable:
        raise typer.Exit(Status.COULD_NOT_LOOK)
    broken = any(finding.level is Level.MANDATORY for findings in found.values() for finding in findings)
    raise typer.Exit(Status.FINDINGS if broken else Status.ALL_WELL)


def _tell(*sentences: str) -> None:
    for line in "\n".join(sentences).splitlines():
        echo(f"hops: {line}", err=True)


def _as_json(stack: str, finding: Finding) -> dict[str, Any]:
    # A patch is for the object, but the value to change is in the stack's file.
    return {"stack": stack, **as_json(finding), "file": stack_path(stack), "patch": None}
