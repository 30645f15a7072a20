"""`hops dev`: builds and rolls out what is saved, and asks the routes until the new version answers."""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import typer
from watchfiles import watch

from hops.cli.image_build.builder import make, remove
from hops.cli.output import Status, echo, stop
from hops.cli.plan import templates
from hops.cli.stacks import backend
from hops.cli.stacks.stack_file import StackError, read, stack_file
from hops.cli.updates.engine import BackgroundUpdate, OpenedStack, StackArgument, bring_up, opened, tell_migrations
from hops.cli.updates.rollout import apply, deployments, with_image
from hops.cli.updates.routes import ask, unfinished, verdict_of
from hops.kubernetes import objects
from hops.kubernetes.resources.pod_start import Patience, pod_start
from hops.kubernetes.resources.pods import as_pod
from hops.model.images.image import Build
from hops.model.plan import plan
from hops.model.settings.stack_settings import Settings
from hops.observe.contexts import BuildError, builds
from hops.observe.in_cluster.api import API, APIError
from hops.observe.local.docker import DockerError
from hops.observe.local.stack_files import kubeconfig
from hops.observe.timed_tasks import later

_PROGRAM = ("Pulumi.yaml", "__main__.py")
"""What declares a stack beside its own file."""
_PAUSE = 0.1
_SLOW = 5.0
"""Seconds of a rollout after which it is looked at less often, and another save ends the wait for it."""
_LONG_PAUSE = 1.0
_STEP = 50
"""Milliseconds without a change that end a burst of saves."""
_IDLE = 5000
"""Milliseconds between two looks at the routes while nothing is saved."""


def main(stack: StackArgument = "local") -> None:
    """Builds and rolls out a stack's services whenever their files are saved. Ctrl-C leaves the stack running.

    Brings the stack up first. After each save, the time from the save to the answer of the new version is printed with
    its parts. The pods' logs are followed. When a route stops being answered, the trace's verdict is printed.

    Exit status: 0 ended by Ctrl-C, 1 the stack did not come up, 2 it could not start.
    """
    # A shell's background job begins with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with opened(stack) as of:
        if not any(service.build for service in of.settings.services):
            stop(f"no service of the stack {stack} has build; add it to its file, as `hops settings` describes it")
        if status := bring_up(of, verbose=False):
            raise typer.Exit(status)
        loop = _Loop(of)
        with suppress(KeyboardInterrupt):
            loop.run()
        loop.end()
        echo(f"ended; the stack {stack} keeps running")
    raise typer.Exit(Status.ALL_WELL)


class _Loop:
    """The loop over saves of one stack."""

    def __init__(self, of: OpenedStack) -> None:
        self._of = of
        self._file = stack_file(of.project, of.name)
        self._builds: Mapping[str, Build] = builds(of.project, of.settings)
        self._declared = self._declarations()
        self._deployments = deployments(backend.state(of.project, of.name) or {})
        self._update: BackgroundUpdate | None = None
        self._behind, self._due = False, False
        self._superseded: list[Build] = []
        file = kubeconfig(of.project, of.name, of.settings)
        self._api = API(file, None)
        self._followed: set[str] = set()
        self._well = True

    def run(self) -> None:
        """Does not return; Ctrl-C raises KeyboardInterrupt."""
        self._follow()
        while True:
            folders = _folders(self._builds)
            echo(f"watching {', '.join(sorted({build.context for build in self._builds.values()}))}")
            changes = watch(
                *folders,
                # Many editors save a file as another one of its name, so folders are watched.
                self._file.parent,
                self._of.project,
                recursive=False,
                step=_STEP,
                rust_timeout=_IDLE,
                yield_on_timeout=True,
                watch_filter=None,
                ignore_permission_denied=True,
            )
            for batch in self._batches(changes):
                self._saved(batch)
                if _folders(self._builds) != folders:
                    # A new folder has to be watched, too.
                    changes.close()
                    break

    def end(self) -> None:
        """Writes into the state what was rolled out. Ctrl-C stops that in order."""
        if not self._behind:
            return
        echo("writing the running version into the state; a second Ctrl-C leaves that to the next up")
        update = self._update = self._update or BackgroundUpdate(self._of)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: update.stop())
        self._recorded()

    def _batches(self, changes: Iterator[set[Any]]) -> Iterator[float]:
        """The time of each burst of saves. Looks at the routes while nothing is saved."""
        # What was saved before the watch began.
        yield time.time()
        for batch in changes:
            if batch:
                yield _time(str(path) for _, path in batch)
            else:
                self._look()

    def _saved(self, saved: float) -> None:
        noticed = time.time()
        try:
            settings = read(self._file, self._of.settings.cluster.node_image)
            found = builds(self._of.project, settings)
        except (BuildError, StackError) as error:
            echo(f"hops: {error}", err=True)
            return
        if changed_files := [file for file, text in self._declarations().items() if text != self._declared[file]]:
            echo(f"{', '.join(file.name for file in changed_files)} changed")
            self._bring_up(settings, found)
            return
        changed = [build for name, build in found.items() if build.image != self._builds[name].image]
        before, self._builds = self._builds, found
        if changed:
            self._roll_out(changed, before, _Times(saved, noticed))

    def _declarations(self) -> dict[Path, bytes]:
        """The content of the files that declare the stack; a secret's new value is in its file, too."""
        files = (self._file, *(self._of.project / name for name in _PROGRAM))
        return {file: file.read_bytes() if file.is_file() else b"" for file in files}

    def _bring_up(self, settings: Settings, found: Mapping[str, Build]) -> None:
        self._recorded()
        self._of, self._builds, self._declared = replace(self._of, settings=settings), found, self._declarations()
        self._behind = bring_up(self._of, verbose=False) != Status.ALL_WELL and self._behind
        self._deployments = deployments(backend.state(self._of.project, self._of.name) or {})
        self._follow()

    def _roll_out(self, changed: Sequence[Build], before: Mapping[str, Build], times: "_Times") -> None:
        if self._update:
            # It would put the old image back.
            self._update.stop()
        names = ", ".join(build.service for build in changed)
        echo(f"dev: {names}")
        making = [(build, later(partial(make, build))) for build in changed]
        of_program = templates(self._of.name, self._of.settings, self._builds)
        made, built = [], 0.0
        for build, each in making:
            try:
                built = max(built, each.result().built)
                made.append(build)
            except BuildError as error:
                echo(f"hops: {error}", err=True)
        times.parts["build"] = built
        times.add("load")
        if self._update:
            self._recorded()
            # It may have removed this image, as one that nothing ran any more.
            for build in made:
                make(build)
            times.add("waited for Pulumi")
        # A bare pod is replaced, and a migration runs first: both are for Pulumi.
        migrated = {f"{s.namespace}/{s.name}" for s in self._of.settings.services if s.migration}
        direct = [build for build in made if build.service in self._deployments.keys() - migrated]
        self._superseded += [before[build.service] for build in direct]
        self._behind = self._behind or bool(made)
        try:
            for build in direct:
                of = self._deployments[build.service]
                apply(self._control_plane, of, with_image(of, build, of_program[build.service]))
        except DockerError as error:
            echo(f"hops: the new version was not rolled out: {error}", err=True)
            return
        if len(direct) < len(made):
            self._update = BackgroundUpdate(self._of)
            self._recorded()
        if not made or not self._answered(made, times):
            self._stopped()
            return
        self._well = True
        self._follow()
        echo(f"{', '.join(build.service for build in made)}: {times}")
        self._due = self._behind

    def _recorded(self) -> None:
        """Waits for a run of Pulumi, and takes over what it wrote. The next save makes up for one that failed."""
        if not self._update:
            return
        update, problem = self._update, self._update.problem()
        # Not before: Ctrl-C while it is waited for leaves it to the end.
        self._update = None
        if problem:
            if not update.stopped:
                echo(f"the state does not have the running version yet: {problem}", err=True)
                tell_migrations(self._of)
            return
        self._behind = False
        current = {build.image for build in self._builds.values()}
        for build in self._superseded:
            if build.image not in current:
                remove(build)
        self._superseded = []
        self._deployments = deployments(backend.state(self._of.project, self._of.name) or {})

    @property
    def _control_plane(self) -> str:
        return str(plan(self._of.settings).control_plane)

    def _answered(self, changed: Sequence[Build], times: "_Times") -> bool:
        """Waits until only pods of the new images are ready and every route is answered; False if that fails."""
        began = time.monotonic()
        patience = Patience(began)
        images = {build.image for build in changed}
        while True:
            pods = self._pods()
            if all(_rolled_out(pods, build) for build in changed):
                times.add("pods")
                if all(answer.well for answer in ask(self._of.settings, plan(self._of.settings))):
                    times.add("answer")
                    return True
            starts = [pod_start(dict(pod)) for pod in pods if images & _images(pod) and not objects.deleting(pod)]
            now = time.monotonic()
            if patience.spent(now, starts) or (now - began >= _SLOW and self._saved_again()):
                return False
            time.sleep(_PAUSE if now - began < _SLOW else _LONG_PAUSE)

    def _saved_again(self) -> bool:
        with suppress(BuildError):
            return builds(self._of.project, self._of.settings) != self._builds
        return True

    def _look(self) -> None:
        """Prints a verdict when a route stops being answered, and when it is answered again."""
        well = all(answer.well for answer in ask(self._of.settings, plan(self._of.settings)))
        if self._well and not well:
            self._stopped()
        elif well and not self._well:
            echo("every route is answered again")
        self._well = well
        self._follow()
        if self._update and self._update.done:
            self._recorded()
        elif self._due:
            self._due, self._update = False, BackgroundUpdate(self._of)

    def _stopped(self) -> None:
        self._well = False
        intended = plan(self._of.settings)
        answers = ask(self._of.settings, intended)
        broken = [one for one, answer in zip(intended.asked, answers, strict=True) if not answer.well]
        if broken:
            echo(verdict_of(self._of.name, self._of.settings, *broken[0]))
        else:
            for problem in unfinished(intended, self._of.kubeconfig):
                echo(problem)
            echo("the version before it still answers")

    def _pods(self) -> list[Mapping[str, Any]]:
        spaces = sorted({service.namespace for service in self._of.settings.services})
        pods: list[Mapping[str, Any]] = []
        for space in spaces:
            with suppress(APIError):
                pods += self._api.json(f"/api/v1/namespaces/{space}/pods").get("items") or []
        return pods

    def _follow(self) -> None:
        """Follows the log of each pod that is not followed yet, in a thread that ends with the pod."""
        living = {}
        for pod in self._pods():
            if objects.phase(pod) == "Running":
                living[objects.uid(pod)] = pod
        for uid in living.keys() - self._followed:
            Thread(target=self._log, args=(living[uid],), daemon=True).start()
        self._followed = set(living)

    def _log(self, pod: Mapping[str, Any]) -> None:
        name = objects.name(pod)
        path = f"/api/v1/namespaces/{objects.namespace(pod)}/pods/{name}/log?follow=true&sinceSeconds=5"
        with suppress(APIError):
            for line in self._api.lines(path):
                echo(f"[{name}] {line}")


def _folders(found: Mapping[str, Build]) -> list[Path]:
    """The folders whose files go into images, and those of the Dockerfiles."""
    folders = {Path(build.context, folder) for build in found.values() for folder in build.folders}
    return sorted(folders | {Path(build.dockerfile).parent for build in found.values()})


def _time(paths: Iterator[str]) -> float:
    """When the last of the files was saved; now for files that are gone or have an older time."""
    now, times = time.time(), []
    for path in paths:
        with suppress(OSError):
            times.append(Path(path).stat().st_mtime)
    newest = max(times, default=now)
    return newest if now - 2 < newest <= now else now


def _rolled_out(pods: Sequence[Mapping[str, Any]], build: Build) -> bool:
    """Whether the ready pods of an image's repository have this image, and there is one."""
    ready = [pod for pod in pods if objects.ready(pod) and not objects.deleting(pod)]
    images = {image for pod in ready for image in _images(pod) if image.startswith(f"{build.repository}:")}
    return images == {build.image}


def _images(pod: Mapping[str, Any]) -> set[str]:
    return {str(container.image) for container in as_pod(pod).lasting}


@dataclass
class _Times:
    """When what happened after a save, in seconds of the clock.

    saved: when the file was saved.
    noticed: when that was noticed.
    """

    saved: float
    noticed: float
    parts: dict[str, float] = field(default_factory=dict)

    def add(self, part: str) -> None:
        """A part has ended, and the next one begins. A part can end more than once."""
        spent = time.time() - self.noticed - sum(self.parts.values())
        self.parts[part] = self.parts.get(part, 0.0) + spent

    def __str__(self) -> str:
        noticed = self.noticed - self.saved
        parts = {"noticed": noticed, **self.parts}
        listed = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in parts.items())
        return f"{noticed + sum(self.parts.values()):.1f} s from save to answer ({listed})"
