"""One run of a Pulumi command: its events, its progress, Ctrl-C, and how it ended."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from rich.console import Console

from hops.cli.output import echo
from hops.cli.tables import one_line
from hops.cli.updates.changes import object_name, sentence
from hops.model.finding import Level
from hops.model.visible import on_one_line
from hops.pull_requests.events import EventsError, Preview, read_event
from hops.pull_requests.events import read as read_events

_TOLD_SECONDS = 5.0
"""A step that takes longer has a line of its own where no terminal shows a live one."""
_MOST_LINES = 10
_TICK = 0.5
_MOST_RUNNING = 3
_QUIET, _MOST_QUIET = 5.0, 15.0
"""Seconds after which a line tells what runs where no terminal shows a live one: if it is not that of the line
before, or if it is."""
_NO_CLUSTER = {"/environment/BUILT_IMAGE", "/environment/REGISTRIES_OF"}
"""Inputs of commands that make no cluster."""

_NOTHING = Preview("", {}, {}, (), (), {}, (), None, 0)
"""What Pulumi says when it is stopped before its first event."""


class EngineError(RuntimeError):
    """Pulumi could not start, or ended without a result."""


@dataclass
class Ended:
    """How a run of Pulumi ended.

    status: its exit status.
    said: what its events say.
    error: its standard error.
    interrupted: whether Ctrl-C or SIGTERM was passed on to it.
    """

    status: int
    said: Preview
    error: str
    interrupted: bool

    @property
    def failed(self) -> bool:
        return self.status != 0

    @property
    def began(self) -> bool:
        """Whether any resource was looked at."""
        return bool(self.said.resources)

    @property
    def changes(self) -> bool:
        return any(resource.op not in ("same", "read", "refresh") for resource in self.said.resources.values())

    @property
    def stopped(self) -> bool:
        """Whether a mandatory rule stopped it."""
        return any(finding.level is Level.MANDATORY for finding in self.said.findings)

    @property
    def could_not_start(self) -> bool:
        return self.failed and not self.stopped

    @property
    def another_cluster(self) -> bool:
        """Whether the run makes a cluster, so that the one before it is gone."""
        made = ("create", "replace")
        return any(
            r.op in made
            for r in self.said.resources.values()
            if r.type == "command:local:Command" and _NO_CLUSTER.isdisjoint(r.inputs)
        )


def run_verbose(project: Path, words: Sequence[str], around: Mapping[str, str]) -> int:
    """Runs Pulumi with its own output. Returns its exit status.

    project: the folder that it runs in.
    words: the command and its options, without `pulumi`.
    around: its environment.
    """
    process = subprocess.Popen(["pulumi", *words], cwd=project, env=around)
    while True:
        # The terminal sends Ctrl-C to Pulumi too, which ends in order.
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def run(
    project: Path,
    words: Sequence[str],
    around: Mapping[str, str],
    progress: "Progress",
    *,
    stopped_by: "Interruption | None" = None,
) -> Ended:
    """Runs Pulumi, shows its progress and reads its events. Raises EngineError.

    project: the folder that it runs in.
    words: the command and its options, without `pulumi`.
    around: its environment.
    progress: shows what runs.
    stopped_by: what stops it. Default: None, Ctrl-C; only the main thread can handle it.
    """
    command = ["pulumi", *words, "--non-interactive", "--color=never"]
    if "--json" not in words:
        command.append("--json")
    lines: list[str] = []
    handled = nullcontext(stopped_by) if stopped_by else _passing_on(progress)
    with TemporaryFile() as errors, handled as interruption:
        try:
            # In a process group of its own: Ctrl-C reaches it once, from here, and none of the programs that it runs.
            process = subprocess.Popen(
                command,
                cwd=project,
                env={**around, "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
                process_group=0,
            )
        except OSError as error:
            raise EngineError(f"pulumi cannot be run: {error.strerror}") from None
        interruption.reach(process)
        with process, progress:
            for line in process.stdout or ():
                lines.append(line)
                if event := read_event(line):
                    progress.event(event)
            status = process.wait()
        errors.seek(0)
        stderr = errors.read().decode(errors="replace").strip()
    try:
        said = read_events("".join(lines))
    except EventsError:
        if interruption.asked:
            return Ended(status, _NOTHING, stderr, interrupted=True)
        raise EngineError(_of_pulumi(stderr) or f"pulumi {words[0]} ended with {status} and said nothing") from None
    return Ended(status, said, stderr, interruption.asked)


@dataclass
class Interruption:
    """Ctrl-C, which is passed on to Pulumi once. asked: whether it was pressed."""

    progress: "Progress"
    asked: bool = False
    _process: subprocess.Popen[str] | None = None

    def handle(self, _signal: int, _frame: object) -> None:
        if self.asked:
            self.progress.say("still waiting for pulumi to end in order")
            return
        self.asked = True
        self.progress.say("stopping: pulumi finishes the steps that it is in")
        if self._process:
            self._process.send_signal(signal.SIGINT)

    def reach(self, process: subprocess.Popen[str]) -> None:
        """Passes on to a process, also what was pressed before it was started."""
        self._process = process
        if self.asked:
            process.send_signal(signal.SIGINT)


@contextmanager
def _passing_on(progress: "Progress") -> Iterator[Interruption]:
    """Handles Ctrl-C and SIGTERM from before Pulumi is started until it has ended."""
    interruption = Interruption(progress)
    before = {number: signal.signal(number, interruption.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _of_pulumi(error: str) -> str:
    said = sentence(error.removeprefix("error: "))
    return f"{said}; to remove the lock: pulumi cancel --yes" if "currently locked" in said else said


@dataclass
class Progress:
    """What runs now: one live line in a terminal, else a line when 5 s have passed without one.

    title: of the line.
    total: number of resources; 0 if it is not known.
    first: what Pulumi does before its first event.
    """

    title: str
    total: int = 0
    first: str = "Pulumi starts the program and the policy pack"
    _began: dict[str, tuple[float, str]] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)
    _done: int = 0
    _printed: int = 0
    _last: tuple[float, str] = (0.0, "")

    def __post_init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = self._console.status(self.title) if self._console.is_terminal else None
        self._ended = threading.Event()

    def __enter__(self) -> None:
        self._last = (time.monotonic(), "")
        if self._live:
            self._live.start()
        else:
            echo(self.title, err=True)
        threading.Thread(target=self._tick, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        # A signal's handler calls this, perhaps within a write of standard error.
        os.write(2, f"\n{text}\n".encode())

    def event(self, event: Mapping[str, Any]) -> None:
        """Takes an event of the engine: a resource begins or ends, or one of its steps has a message."""
        said = event.get("diagnosticEvent") or {}
        if said.get("ephemeral") and (line := on_one_line(str(said.get("message")).strip())):
            self._said[str(said.get("urn"))] = line
        kind = next(
            (kind for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent") if kind in event), None
        )
        if not kind:
            return
        metadata = event[kind].get("metadata") or {}
        urn, op = str(metadata.get("urn")), str(metadata.get("op"))
        if kind == "resourcePreEvent":
            self._began[urn] = (time.monotonic(), object_name(metadata))
            return
        began, name = self._began.pop(urn, (time.monotonic(), ""))
        self._said.pop(urn, None)
        self._done += 1
        seconds = time.monotonic() - began
        slow = op not in ("same", "refresh") and seconds >= _TOLD_SECONDS
        if slow and name and not self._live and self._printed < _MOST_LINES:
            echo(f"  {name} … {seconds:.0f} s", err=True)
            self._printed += 1
            self._last = (time.monotonic(), self._last[1])

    def _tick(self) -> None:
        while not self._ended.wait(_TICK):
            now = time.monotonic()
            if self._live:
                self._live.update(one_line(self._console, f"{self.title}: {self.state(now)}"))
            elif line := self.due(now):
                echo(f"  {line}", err=True)

    def state(self, now: float) -> str:
        """How many resources are done, and what runs. now: of the monotonic clock, in seconds."""
        done = f"{min(self._done, self.total or self._done)}{f' of {self.total}' if self.total else ''}"
        running = [
            f"{name} {now - began:.0f} s" + (f" ({self._said[urn]})" if urn in self._said else "")
            for urn, (began, name) in list(self._began.items())
            if name
        ]
        if not running and not self._done:
            return self.first
        return f"{done} done" + (f"; {', '.join(running[-_MOST_RUNNING:])}" if running else "")

    def due(self, now: float) -> str:
        """The line that is due, "" for none. now: of the monotonic clock, in seconds."""
        state, (printed_at, before) = self.state(now), self._last
        what = re.sub(r"^[0-9]+ | [0-9]+ s\b", "", state)
        if now - printed_at < (_QUIET if what != before else _MOST_QUIET):
            return ""
        self._last = (now, what)
        return state


class Silence(Progress):
    """A run in the background prints nothing."""

    def __init__(self) -> None:
        super().__init__("")

    def __enter__(self) -> None:
        pass

    def say(self, text: str) -> None:
        pass

    def event(self, event: Mapping[str, Any]) -> None:
        pass
