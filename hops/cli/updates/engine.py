"""`hops up`, `hops preview` and `hops down`: Pulumi's commands, and what a person needs of their output."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

import hops
from hops.cli.image_build.builder import make
from hops.cli.output import Status, echo, stop
from hops.cli.programs.environment import environment, state_folder
from hops.cli.programs.project import ProjectError, project_folder
from hops.cli.programs.tools import KIND, PULUMI, ToolError, have
from hops.cli.stacks import backend
from hops.cli.stacks.backend import BackendError
from hops.cli.stacks.locks import LockedError, release
from hops.cli.stacks.stack_file import StackError, read, stack_file
from hops.cli.updates.changes import brief, lines_of, sentence
from hops.cli.updates.mend import (
    drifted,
    free_addresses,
    kubeconfig_fault,
    lost_images,
    publishes_cluster,
    remove_added,
    write_kubeconfig,
)
from hops.cli.updates.pulumi_run import Ended, EngineError, Interruption, Progress, Silence, run, run_verbose
from hops.kubernetes.values import at
from hops.model.commands import HOPS, of_stack
from hops.model.images.image import Build
from hops.model.plan import Plan, plan
from hops.model.preflight import ClusterState
from hops.model.project_files import kubeconfig_file, kubeconfig_link
from hops.model.settings.stack_settings import Settings
from hops.model.visible import on_one_line
from hops.observe.contexts import BuildError
from hops.observe.in_cluster.api import APIError
from hops.observe.in_cluster.drift import Drift
from hops.observe.local import docker
from hops.observe.local.docker import DockerError
from hops.observe.local.machine import look, unwritable
from hops.observe.local.stack_files import has_makefile, kubeconfig_folder, own_state
from hops.observe.timed_tasks import later
from hops.pull_requests.events import CUT_OFF

_STATE = 16 * 1024 * 1024
"""Bytes that the folder of the state needs. Pulumi writes the state, 4 MiB of a stack with one service, three times."""
_PATIENCE = 10.0
_STARTED_PATIENCE = 60.0
"""For pods whose nodes have just been started."""
_MOST_WAITING = 3
_REFRESHED = "Refreshed resource is in an unhealthy state"
"""What the engine says of an object that it is about to repair."""

_INTERRUPTED = "Attempting to deploy or update resources with "
"""How the engine begins to tell of steps that a killed update left open; an `up` removes those that it repeats."""
_GONE = "configured Kubernetes cluster is unreachable: failed to parse kubeconfig data"
"""What the provider says of a cluster whose kubeconfig file is gone."""

StackArgument = Annotated[str, typer.Argument(help="The stack.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", help="Show Pulumi's own output instead.")]


@dataclass(frozen=True)
class OpenedStack:
    """What a command works on. environment: of Pulumi."""

    project: Path
    name: str
    settings: Settings
    environment: Mapping[str, str]

    def around(self, *, force: bool) -> Mapping[str, str]:
        """The environment of a run. force: to take fields that others own, which the provider else calls a conflict."""
        return {**self.environment, **({"PULUMI_K8S_ENABLE_PATCH_FORCE": "true"} if force else {})}

    @property
    def pack(self) -> str:
        """The folder of the policy pack. A repository that `hops init` made has none of its own."""
        own = self.project / "policy"
        return "policy" if own.is_dir() else str(Path(hops.__file__).parents[1] / "policy")

    @cached_property
    def plan(self) -> Plan:
        """The plan of its settings."""
        return plan(self.settings)

    @property
    def kubeconfig(self) -> Path | None:
        """The kubeconfig file of its kind cluster; None for the user's own, which leads to an existing one."""
        if self.settings.cluster.existing:
            return None
        return kubeconfig_folder(self.project, self.settings) / kubeconfig_link(self.name)

    def make(self, target: str) -> str:
        """The command for a target of the Makefile, as the project's user types it."""
        return of_stack(target, self.name, makefile=has_makefile(self.project))


# The commands


def up(
    stack: StackArgument = "local",
    *,
    verbose: VerboseOption = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Rebuild a cluster that cannot take its new settings.")
    ] = False,
) -> None:
    """Builds a stack, or repairs it: restores what was deleted or changed in its cluster.

    Runs `pulumi preview` and, if something changes, `pulumi up`, both with the policy pack. Then sends one request to
    each route.

    Exit status: 0 every route is answered, 1 the update failed, a rule stopped it or a route is not answered, 2 it
    could not start.
    """
    with opened(stack, replace=replace) as of:
        raise typer.Exit(bring_up(of, verbose=verbose))


def preview(stack: StackArgument = "local", *, verbose: VerboseOption = False) -> None:
    """Shows what an `up` of a stack would do. Changes nothing.

    Runs `pulumi preview` with the policy pack, and looks for what somebody changed in the stack's cluster.

    Exit status: 0 an up can start, 1 a rule would stop it, 2 the preview failed.
    """
    with opened(stack) as of:
        raise typer.Exit(_preview(of, verbose=verbose))


def down(stack: StackArgument = "local", *, verbose: VerboseOption = False) -> None:
    """Removes a stack's cluster and everything in it. Runs `pulumi destroy`.

    Exit status: 0 it is gone, 1 something is left, 2 it could not start.
    """
    try:
        project = project_folder()
        _tools(project)
        around = environment(project)
        _state_folder(project, around)
        release(project, stack, around)
        kept = backend.state(project, stack)
        if kept is None:
            echo(f"down: there is no stack {stack} in {around['PULUMI_BACKEND_URL']}; nothing to remove")
            return
        _forget_interrupted(project, stack, kept)
        began = time.monotonic()
        words = ["destroy", "--yes", "--skip-preview", "--stack", stack]
        if verbose:
            raise typer.Exit(run_verbose(project, words, around))
        # A removal runs neither the program nor the policy pack.
        ended = run(
            project, words, around, Progress(f"down: removing the stack {stack}", first="Pulumi reads the state")
        )
        if ended.interrupted:
            release(project, stack, around)
    except (BackendError, EngineError, LockedError, ProjectError, ToolError) as error:
        stop(error)
    _tell(ended, f"removed in {time.monotonic() - began:.0f} s")
    if ended.failed:
        raise typer.Exit(Status.FINDINGS)
    _remove_images(kept)
    echo(f"  build it again:  {of_stack('up', stack, makefile=has_makefile(project))}")
    echo(f"  forget it:       {HOPS} stack rm {stack} (its file stays)")


def _remove_images(kept: Mapping[str, Any]) -> None:
    """Removes from Docker the images that the stack built. Those in its nodes are gone with the cluster."""
    resources = at(kept, "deployment", "resources") or ()
    images = [image for each in resources if (image := at(each, "inputs", "environment", "BUILT_IMAGE"))]
    if images:
        # An image that is gone is what was asked for.
        with suppress(DockerError):
            docker.run("image", "rm", *images, seconds=60)


@contextmanager
def opened(name: str, *, replace: bool = False) -> Iterator[OpenedStack]:
    """A stack that can be worked on; ends the command with one sentence where something is in the way."""
    try:
        project = project_folder()
        settings = read(stack_file(project, name), os.environ.get("INGRESS_HOPS_NODE_IMAGE"))
        _tools(project)
        around = environment(project) | {"INGRESS_HOPS_PROJECT": str(project)}
        around |= {"INGRESS_HOPS_REPLACE": "1"} if replace else {}
        _state_folder(project, around)
        release(project, name, around)
        of = OpenedStack(project, name, settings, around)
        _check_pack(of)
        yield of
    except (BackendError, EngineError, LockedError, ProjectError, StackError, ToolError) as error:
        stop(error)


def _check_pack(of: OpenedStack) -> None:
    """Raises EngineError if the checkout whose policy pack judges another repository has no environment."""
    checkout = (of.project / of.pack).parent
    if checkout != of.project and not (checkout / ".venv" / "bin" / "python").exists():
        make = shlex.join(["make", "-C", str(checkout), "tools"])
        raise EngineError(f"the policy pack in {checkout} has no .venv to run in; make it with: {make}")


def _tools(project: Path) -> None:
    """Raises ToolError."""
    looks = [later(partial(have, tool, project)) for tool in (PULUMI, KIND)]
    for each in looks:
        each.result()


def _state_folder(project: Path, around: Mapping[str, str]) -> None:
    """Creates the folder of the state. Raises EngineError if an update could not write its state there."""
    if folder := state_folder(project, around["PULUMI_BACKEND_URL"]):
        if fault := unwritable(folder, _STATE):
            raise EngineError(
                f"the state of the stack cannot be kept in {folder}: {fault}; correct that; nothing was changed"
            )
        folder.mkdir(parents=True, exist_ok=True)


def bring_up(of: OpenedStack, *, verbose: bool) -> int:
    began = time.monotonic()
    seen = _look(of, forget=True)
    if verbose:
        drifts = seen.reported_drifts()
        _load_again(seen, load=True)
        _free_addresses(of, seen)
        words = ["up", "--yes", "--stack", of.name, "--policy-pack", of.pack, *_refresh(drifts)]
        status = run_verbose(of.project, words, of.around(force=seen.unknown or bool(drifts)))
        if status == 0:
            remove_added(drifts, seen.kubeconfig, of.plan.context)
        return _ending(of, _PATIENCE) if status == 0 else Status.FINDINGS
    planned, drifts = _planned(of, seen, f"up: preview of the stack {of.name}")
    if planned.interrupted or planned.stopped or planned.could_not_start:
        _tell(planned, "stopped; nothing was changed")
        return Status.FINDINGS if planned.stopped else Status.COULD_NOT_LOOK
    left = remove_added(drifts, seen.kubeconfig, of.plan.context)
    loaded = _load_again(seen, load=True)
    if seen.running and not drifts and not planned.changes and not planned.said.outputs_change:
        _tell(planned, f"looked for {time.monotonic() - began:.0f} s")
        patience = _STARTED_PATIENCE if loaded else 0.0
    else:
        _free_addresses(of, seen)
        patience = _PATIENCE if seen.running and not loaded else _STARTED_PATIENCE
        words = ["up", "--yes", "--skip-preview", "--json", "--stack", of.name, "--policy-pack", of.pack]
        around = of.around(force=seen.unknown or bool(drifts))
        progress = Progress(f"up: the stack {of.name}", len(planned.said.resources))
        done = run(of.project, [*words, *_refresh(drifts)], around, progress)
        _tell(done, f"{'failed' if done.failed else 'done'} after {time.monotonic() - began:.0f} s")
        if done.interrupted:
            # Between its lock and its first event, Pulumi handles no signal and leaves the lock (3.259.0).
            release(of.project, of.name, of.environment)
            echo(f"stopped; completed steps stay, and {of.make('up')} continues from there")
        if done.failed:
            tell_migrations(of)
            return Status.FINDINGS if done.began else Status.COULD_NOT_LOOK
    for drift in left:
        command = shlex.join([HOPS, "kubectl", of.name, "get", drift.of.kind.lower(), drift.of.name])
        echo(f"left as it is: {drift}; see: {command}")
    return _ending(of, patience)


class BackgroundUpdate:
    """One run of the program without a preview and the policy pack, as after a change of an image; prints nothing.

    of: the stack, which is up.
    """

    def __init__(self, of: OpenedStack) -> None:
        self._of = of
        progress = Silence()
        self._interruption = Interruption(progress)
        words = ["up", "--yes", "--skip-preview", "--json", "--stack", of.name]
        self._ended = later(partial(run, of.project, words, of.environment, progress, stopped_by=self._interruption))

    @property
    def done(self) -> bool:
        return self._ended.done()

    @property
    def stopped(self) -> bool:
        return self._interruption.asked

    def stop(self) -> None:
        """Lets Pulumi finish the steps that it is in, and no more."""
        self._interruption.handle(signal.SIGINT, None)

    def problem(self) -> str:
        """Waits for the end. Returns what went wrong; "" if nothing did."""
        try:
            ended = self._ended.result()
            if ended.interrupted:
                release(self._of.project, self._of.name, self._of.environment)
        except (EngineError, LockedError) as error:
            return str(error)
        return _failure(ended) if ended.failed else ""


def _planned(of: OpenedStack, seen: "_Seen", title: str) -> tuple[Ended, Sequence[Drift]]:
    """A preview, and the objects that are not as declared, which are looked for meanwhile and printed.

    Where there are some, the preview is done again with them in view.
    """
    words = ["preview", "--json", "--stack", of.name, "--policy-pack", of.pack]
    planned = run(of.project, words, of.around(force=seen.unknown), Progress(title))
    if planned.interrupted:
        return planned, ()
    drifts = seen.reported_drifts()
    if drifts:
        progress = Progress(f"{title}, with the changes in the cluster")
        planned = run(of.project, [*words, *_refresh(drifts)], of.around(force=True), progress)
    return planned, drifts


def _refresh(drifts: Sequence[Drift]) -> list[str]:
    return ["--refresh"] if any(drift.repaired for drift in drifts) else []


def _preview(of: OpenedStack, *, verbose: bool) -> int:
    seen = _look(of)
    if verbose:
        drifts = seen.reported_drifts()
        _load_again(seen, load=False)
        words = ["preview", "--stack", of.name, "--policy-pack", of.pack, *_refresh(drifts)]
        status = run_verbose(of.project, words, of.around(force=seen.unknown or bool(drifts)))
        return Status.ALL_WELL if status == 0 else Status.FINDINGS
    planned, _ = _planned(of, seen, f"preview: the stack {of.name}")
    _load_again(seen, load=False)
    _tell(planned, "preview; nothing was changed", would=True)
    if planned.interrupted or planned.could_not_start:
        return Status.COULD_NOT_LOOK
    if planned.stopped:
        return Status.FINDINGS
    _how(of, [("do it:", of.make("up"))], exists=seen.exists)
    return Status.ALL_WELL


@dataclass(frozen=True)
class _Seen:
    """What a look at the stack found.

    running: whether all nodes of its cluster run, or the cluster is an existing one that the stack is in.
    unknown: whether its nodes run and the state has published no cluster, so that an update takes the cluster over.
    exists: whether they run or the state holds resources, so that there is something to trace and to remove.
    kubeconfig: the file of the running cluster; None for the user's own.
    """

    running: bool
    unknown: bool
    exists: bool
    kubeconfig: Path | None = None
    _drifts: Future[list[Drift] | None] | None = None
    _images: Future[list[tuple[Build, str]]] | None = None

    def reported_drifts(self) -> Sequence[Drift]:
        """The objects that are not as declared. Waits for the look at the cluster, and tells each in a line."""
        found = (self._drifts.result() if self._drifts else None) or ()
        for drift in found:
            echo(f"changed in the cluster: {drift}{'' if drift.repaired else ' (an up removes it)'}")
        return found

    def lost_images(self) -> Sequence[tuple[Build, str]]:
        """The images that nodes have lost, each with the names of these nodes. Waits for the look at the nodes."""
        return self._images.result() if self._images else ()


def _look(of: OpenedStack, *, forget: bool = False) -> _Seen:
    """Looks at the stack's nodes and state, and begins to look at the objects in its cluster.

    Creates the stack in the backend where it is new. Raises BackendError and EngineError.

    forget: whether to remove the steps that a killed update left open in the state.
    """
    machine = later(partial(look, of.plan.entrypoints))
    # The client takes longer to be imported than the state to be read.
    later(partial(import_module, "kubernetes"))
    kept = backend.state(of.project, of.name)
    if kept is None:
        backend.create(of.project, of.name)
        kept = {}
    elif forget:
        _forget_interrupted(of.project, of.name, kept)
    exists = bool(at(kept, "deployment", "resources"))
    context, kubeconfig = of.plan.context, None
    published = publishes_cluster(kept, context)
    if of.settings.cluster.existing:
        if not published:
            return _Seen(running=False, unknown=False, exists=exists)
    else:
        state = own_state(of.project, of.name, of.settings, machine.result())
        if not state.running or not published:
            return _Seen(state.running, unknown=state.running, exists=state.running or exists)
        kubeconfig = _kubeconfig(of, state, write=forget)
    drifts = later(partial(drifted, kept, kubeconfig, context))
    images = later(partial(lost_images, kept))
    return _Seen(running=True, unknown=False, exists=True, kubeconfig=kubeconfig, _drifts=drifts, _images=images)


def _load_again(seen: _Seen, *, load: bool) -> bool:
    """Tells the images that nodes have lost, and loads them again for an up. Returns whether one was loaded."""
    loaded = False
    for build, nodes in seen.lost_images():
        lost = f"the image {build.image} is gone from {nodes}"
        try:
            echo(f"{lost}; it is loaded again: {make(build)}" if load else f"{lost} (an up loads it again)")
            loaded = load
        except BuildError as error:
            # An update that builds another image does not need this one.
            echo(f"{lost}: {error}")
    return loaded


def _kubeconfig(of: OpenedStack, state: ClusterState, *, write: bool) -> Path:
    """The kubeconfig file of the running cluster. Tells why it cannot be used, and writes it again for an up.

    The state names the file of the cluster before, if the update that made this one was interrupted.
    """
    file = kubeconfig_folder(of.project, of.settings) / kubeconfig_file(of.name, state.marked)
    now, context = datetime.now(UTC), of.plan.context
    fault = kubeconfig_fault(file, context, now)
    if not fault:
        return file
    if not write:
        echo(f"the kubeconfig file {file} {fault} (an up writes it again)")
        return file
    try:
        write_kubeconfig(file, of.settings.cluster.name, kubeconfig_link(of.name), now)
    except (DockerError, OSError, subprocess.SubprocessError, ValueError) as error:
        raise EngineError(f"the kubeconfig file {file} {fault} and cannot be written again: {error}") from None
    if left := kubeconfig_fault(file, context, now):
        raise EngineError(
            f"the kubeconfig file {file} was written again and still {left}; set the clock, or rebuild the cluster: "
            f"{of.make('down')} && {of.make('up')}"
        )
    echo(f"the kubeconfig file {file} {fault}; it is written again")
    return file


def _free_addresses(of: OpenedStack, seen: _Seen) -> None:
    """Frees the addresses of Services that an interrupted update left allocated, and tells them."""
    for address in free_addresses(of.plan) if seen.running else ():
        echo(f"an interrupted update left the address {address} of a Service allocated; it is free again")


def _forget_interrupted(project: Path, name: str, kept: Mapping[str, Any]) -> None:
    """Raises BackendError."""
    if backend.forget_interrupted(project, name, kept):
        echo("an earlier update was interrupted; this one continues from there")


# What is printed


def _tell(ended: Ended, head: str, *, would: bool = False) -> None:
    """Prints the result: what changes, findings, warnings and errors."""
    unchanged = sum(resource.op == "same" for resource in ended.said.resources.values())
    echo(f"{head}; {brief(ended.said, would=would)}, {unchanged} unchanged" if ended.began else head)
    for line in lines_of(ended.said):
        echo(f"  {line}")
    for finding in ended.said.findings:
        echo(f"{finding.level}: {finding.code} {on_one_line(finding.resource)}: {on_one_line(finding.message)}")
        if finding.remedy:
            echo(f"  remedy: {finding.remedy}")
    for text in ended.said.notes:
        echo(f"note: {sentence(text)}")
    for text in dict.fromkeys(ended.said.warnings):
        if would and text.startswith(_INTERRUPTED):
            echo("note: an earlier update was interrupted; the next one continues from there")
        elif not (text.startswith(_REFRESHED) or (text.startswith(_GONE) and ended.another_cluster)):
            echo(f"warning: {sentence(text)}")
    if ended.failed and not (ended.stopped and not ended.said.failure):
        echo(f"error: {_failure(ended)}", err=True)


def _failure(ended: Ended) -> str:
    messages = [ended.said.failure, ended.error]
    first, second = reversed(messages) if ended.said.failure == CUT_OFF else messages
    return sentence(first or second or f"pulumi ended with status {ended.status}")


def _how(of: OpenedStack, first: Sequence[tuple[str, str]], *, exists: bool = True) -> None:
    """How to go on. exists: whether there is something to follow and to remove."""
    rows = [
        *first,
        *([("follow it:", of.make("trace"))] if exists else ()),
        ("change it:", f"edit stacks/Pulumi.{of.name}.yaml, then {of.make('up')}"),
        *([("remove it:", of.make("down"))] if exists else ()),
    ]
    for what, how in rows:
        echo(f"  {what:11} {how}")


def tell_migrations(of: OpenedStack) -> None:
    """Says why a migration failed, which Pulumi does not know."""
    if any(service.migration for service in of.settings.services):
        from hops.cli.updates.routes import failed_migrations  # noqa: PLC0415 - only a failure needs it

        for text in failed_migrations(of.settings, of.plan, of.kubeconfig):
            echo(text)


def _ending(of: OpenedStack, patience: float = 0.0) -> int:
    """Asks each route from this machine, and says how to go on. Returns the exit status.

    patience: seconds in which a route that is not answered is asked again, after something changed.
    """
    # An unchanged stack is reported first.
    from hops.cli.updates.routes import ask, running, unfinished, verdict_of  # noqa: PLC0415

    try:
        intended = running(of.settings)
    except APIError as error:
        echo(f"the routes are not asked: {error}")
        return Status.FINDINGS
    deadline = time.monotonic() + patience
    answers = ask(of.settings, intended)
    waiting = [path.url for path, answer in zip(intended.paths, answers, strict=True) if not answer.well]
    if waiting and patience:
        echo(f"waiting up to {patience:.0f} s for an answer of {', '.join(waiting[:_MOST_WAITING])}", err=True)
    while time.monotonic() < deadline and not all(answer.well for answer in answers):
        time.sleep(1)
        answers = ask(of.settings, intended)
    for (path, routed), answer in zip(intended.asked, answers, strict=True):
        conditions = ", ".join(map(str, routed.requires))
        echo(f"{path.url}{f' ({conditions})' if conditions else ''}  {answer}")
    _how(of, [])
    broken = [number for number, answer in enumerate(answers) if not answer.well]
    stuck = unfinished(intended, of.kubeconfig)
    for problem in stuck:
        echo(problem)
    if not broken:
        return Status.FINDINGS if stuck else Status.ALL_WELL
    for number in broken[:1]:
        echo(verdict_of(of.name, of.settings, *intended.asked[number]))
    echo(f"every hop of it: {of.make('trace')}")
    return Status.FINDINGS
