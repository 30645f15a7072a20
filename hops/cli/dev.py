"""`hops dev`: builds and rolls out what is saved, and asks the routes until the new version answers."""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import typer
from watchfiles import watch

from hops.cli.output import Status, echo, stop
from hops.cli.stacks.stack_file import StackError, read, stack_file
from hops.cli.updates.engine import OpenedStack, StackArgument, bring_up, opened, update
from hops.cli.updates.routes import ask, verdict_of
from hops.kubernetes import objects
from hops.kubernetes.values import at
from hops.model.image import Build
from hops.model.plan import plan
from hops.observe.contexts import BuildError, builds
from hops.observe.in_cluster.api import API, APIError
from hops.observe.local.stack_files import kubeconfig

_PATIENCE = 60.0
_PAUSE = 0.2
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
        with suppress(KeyboardInterrupt):
            _Loop(of).run()
        echo(f"ended; the stack {stack} runs on")
    raise typer.Exit(Status.ALL_WELL)


class _Loop:
    """The loop over saves of one stack."""

    def __init__(self, of: OpenedStack) -> None:
        self._of = of
        self._file = stack_file(of.project, of.name)
        self._builds = builds(of.project, of.settings)
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
                self._file,
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

    def _batches(self, changes: Iterator[set[Any]]) -> Iterator[float]:
        """The time of each burst of saves. Looks at the routes while nothing is saved."""
        # What was saved before the watch began.
        yield time.time()
        for batch in changes:
            if batch:
                yield _time(str(path) for _, path in batch)
            else:
                self._look()

    def _saved(self, at_: float) -> None:
        noticed = time.time()
        try:
            settings = read(self._file, self._of.settings.cluster.node_image)
            found = builds(self._of.project, settings)
        except (BuildError, StackError) as error:
            echo(f"hops: {error}", err=True)
            return
        if settings != self._of.settings:
            echo(f"{self._file.name} changed")
            self._of, self._builds = replace(self._of, settings=settings), found
            bring_up(self._of, verbose=False)
            self._follow()
            return
        changed = [build for name, build in found.items() if build.image != self._image(name)]
        self._builds = found
        if not changed:
            return
        names = ", ".join(build.service for build in changed)
        took = update(self._of, f"dev: {names}")
        self._follow()
        updated = time.time()
        if took is None or not self._answered(changed):
            self._stopped()
            return
        self._well = True
        self._follow()
        echo(f"{names}: {time.time() - at_:.1f} s from save to answer ({_parts(took, noticed - at_, updated)})")

    def _image(self, name: str) -> str:
        return self._builds[name].image if name in self._builds else ""

    def _answered(self, changed: Sequence[Build]) -> bool:
        """Waits until only pods of the new images are ready, and every route is answered."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            pods = self._pods()
            new = all(_rolled_out(pods, build) for build in changed)
            if new and all(answer.well for answer in ask(self._of.settings, plan(self._of.settings))):
                return True
            time.sleep(_PAUSE)
        return False

    def _look(self) -> None:
        """Prints a verdict when a route stops being answered, and when it is answered again."""
        well = all(answer.well for answer in ask(self._of.settings, plan(self._of.settings)))
        if self._well and not well:
            self._stopped()
        elif well and not self._well:
            echo("every route is answered again")
        self._well = well
        self._follow()

    def _stopped(self) -> None:
        self._well = False
        intended = plan(self._of.settings)
        answers = ask(self._of.settings, intended)
        broken = [one for one, answer in zip(intended.backends, answers, strict=True) if not answer.well]
        if broken:
            echo(verdict_of(self._of.name, self._of.settings, broken[0].host, broken[0].request_path))
        else:
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
            if at(pod, "status", "phase") == "Running":
                living[str(at(pod, "metadata", "uid"))] = pod
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
    images = [
        container.get("image")
        for pod in pods
        if not objects.deleting(pod)
        and any(c.get("type") == "Ready" and c.get("status") == "True" for c in at(pod, "status", "conditions") or ())
        for container in at(pod, "spec", "containers") or ()
        if str(container.get("image")).startswith(f"{build.repository}:")
    ]
    return bool(images) and set(images) == {build.image}


def _parts(took: Mapping[str, float], noticing: float, updated: float) -> str:
    images = max((seconds for name, seconds in took.items() if name.startswith("image ")), default=0.0)
    pods = max((seconds for name, seconds in took.items() if not name.startswith("image ")), default=0.0)
    return (
        f"noticed in {noticing:.1f} s, image {images:.1f} s, pods {pods:.1f} s, answer {time.time() - updated:.1f} s, "
        "the rest is Pulumi's program"
    )
