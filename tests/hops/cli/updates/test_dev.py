"""The parts of `hops dev` that need no cluster: what is watched, when it was saved, and which pods are new."""

import os
import re
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hops.cli.app import app
from hops.cli.image_build.builder import Made
from hops.cli.stacks.stack_file import read
from hops.cli.updates import dev
from hops.cli.updates.dev import _folders, _rolled_out, _time
from hops.cli.updates.engine import OpenedStack
from hops.cli.updates.routes import Answer
from hops.model.images.image import Build
from hops.observe.contexts import BuildError, builds

BUILD = Build("apps/web", "alice", "/p/web", "/p/docker/Dockerfile", None, {}, "1" * 16, ("", "lib"))
OLD = f"{BUILD.repository}:{'0' * 16}"


def pod(image: str, ready: str = "True") -> dict[str, Any]:
    return {
        "spec": {"containers": [{"image": image}]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


@pytest.mark.parametrize(
    ("pods", "done"),
    [
        ([], False),
        ([pod(OLD)], False),
        ([pod(BUILD.image)], True),
        ([pod(BUILD.image, "False")], False),
        ([pod(BUILD.image), pod(OLD)], False),
        ([pod(BUILD.image), pod(OLD) | {"metadata": {"deletionTimestamp": "2026-11-29T05:00:00Z"}}], True),
        ([pod(BUILD.image), pod(OLD, "False"), pod("postgres:17")], True),
    ],
)
def test_a_rollout_is_done_when_only_new_pods_are_ready(pods: list[dict[str, Any]], *, done: bool) -> None:
    assert _rolled_out(pods, BUILD) is done


def test_only_folders_that_hold_files_of_the_image_are_watched() -> None:
    assert _folders({"apps/web": BUILD}) == [Path("/p/docker"), Path("/p/web"), Path("/p/web/lib")]


def test_a_save_has_the_time_of_its_last_file(tmp_path: Path) -> None:
    now = time.time()
    for name, age in (("old", 100), ("new", 1)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now - age, now - age))
    paths = [str(tmp_path / name) for name in ("old", "new", "gone")]
    assert abs(_time(iter(paths)) - (now - 1)) < 0.1
    assert abs(_time(iter(paths[:1])) - now) < 60, "a file that was moved there keeps its old time"


class Machine:
    """A stack whose images, pods and updates are lists. `problems`: by service, why it cannot be built."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = folder / "stacks" / "Pulumi.dev.yaml"
        self.file.parent.mkdir()
        self.save("1")
        self.file.write_text(
            "config:\n  ingress-hops:services:\n    - {name: web, build: {context: web}}\n  ingress-hops:secrets: {}\n"
        )
        self.did: list[str] = []
        self.problems: dict[str, str] = {}
        self.ready = True
        self.folder = folder
        image = self.build.image
        self.running = image
        monkeypatch.setattr(dev, "make", self._make)
        monkeypatch.setattr(dev, "remove", lambda build: self.did.append(f"remove {build.digest}"))
        monkeypatch.setattr(dev, "templates", lambda *_: {"apps/web": {}})
        monkeypatch.setattr(dev, "deployments", lambda _: {"apps/web": None})
        monkeypatch.setattr(dev, "with_image", lambda _, build, __: build.image)
        monkeypatch.setattr(dev, "apply", self._apply)
        monkeypatch.setattr(dev, "API", lambda *_: None)
        monkeypatch.setattr("hops.cli.stacks.backend.state", lambda *_: {})
        monkeypatch.setattr(dev, "ask", lambda *_: [Answer("is answered", well=True)])
        monkeypatch.setattr(dev, "unfinished", lambda *_: ["Deployment apps/web: its new version is not ready"])
        monkeypatch.setattr(dev, "BackgroundUpdate", partial(Update, self))
        monkeypatch.setattr(dev, "bring_up", self._bring_up)
        monkeypatch.setattr(dev._Loop, "_pods", lambda _: [pod(self.running, str(self.ready))])
        monkeypatch.setattr(dev._Loop, "_follow", lambda _: None)
        monkeypatch.setattr(dev, "_SLOW", 0.0)
        monkeypatch.setattr(dev, "_LONG_PAUSE", 0.0)
        self.loop = dev._Loop(OpenedStack(folder, "dev", read(self.file), {}))

    @property
    def build(self) -> Build:
        return builds(self.folder, read(self.file))["apps/web"]

    def save(self, text: str) -> None:
        context = self.file.parents[1] / "web"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text("FROM python\nCOPY app /\n")
        (context / "app").write_text(text)

    def saved(self, text: str) -> str:
        """Saves the service, lets the loop notice, and returns the digest of its image."""
        self.save(text)
        self.loop._saved(time.time())
        return self.build.digest

    def _make(self, build: Build) -> Made:
        self.did.append(f"make {build.digest}")
        if problem := self.problems.get(build.service):
            raise BuildError(problem)
        return Made(0.0, 0.0)

    def _bring_up(self, _: object, *, verbose: bool) -> int:
        assert not verbose
        self.did.append("up")
        return 0

    def _apply(self, node: str, _: object, image: str) -> None:
        assert node == "ingress-hops-dev-control-plane"
        self.running = image
        self.did.append(f"apply {image.rpartition(':')[2]}")


class Update:
    """A run of Pulumi."""

    def __init__(self, machine: Machine, _: object) -> None:
        self._machine = machine
        self.stopped, self.done = False, True
        machine.did.append("update")

    def stop(self) -> None:
        self.stopped = True
        self._machine.did.append("stop")

    def problem(self) -> str:
        self._machine.did.append("waited")
        return "stopped" if self.stopped else self._machine.problems.get("update", "")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_save_is_rolled_out_at_once_and_recorded_when_nobody_saves(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = machine.saved("2")
    assert machine.did == [f"make {digest}", f"apply {digest}"]
    said = (
        r"apps/web: 0\.\d s from save to answer \(noticed 0\.\d s, build 0\.\d s, load 0\.\d s, pods 0\.\d s, answer 0"
    )
    assert re.search(said, capsys.readouterr().out)
    machine.loop._saved(time.time())
    machine.loop._look()
    assert machine.did[2:] == ["update"], "what did not change is not built"
    machine.loop._look()
    machine.loop._look()
    assert machine.did[3:4] == ["waited"]
    assert "update" not in machine.did[3:], "once is enough"


def test_a_save_while_pulumi_runs_stops_it_and_is_recorded_later(machine: Machine) -> None:
    """An earlier run would put the old image back, and may have removed the new one."""
    machine.saved("2")
    machine.loop._look()
    digest = machine.saved("3")
    assert machine.did[3:] == ["stop", f"make {digest}", "waited", f"make {digest}", f"apply {digest}"]
    machine.loop._look()
    assert machine.did[-1] == "update"


def test_images_that_the_state_never_knew_are_removed_and_the_running_one_stays(machine: Machine) -> None:
    first = machine.build.digest
    between = machine.saved("2")
    assert machine.saved("1") == first
    machine.loop._look()
    machine.loop._look()
    removed = [what for what in machine.did if what.startswith("remove")]
    assert removed == [f"remove {between}"]


def test_a_build_that_fails_changes_nothing(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.problems["apps/web"] = (
        "the image of apps/web cannot be built. The last lines of docker build:\nexit code: 7"
    )
    digest = machine.saved("2")
    assert machine.did == [f"make {digest}"]
    out, err = capsys.readouterr()
    assert "exit code: 7" in err
    assert "the version before it still answers" in out
    machine.loop.end()
    assert machine.did == [f"make {digest}"], "the state knows what runs"


def test_pods_that_never_get_ready_are_reported_and_another_save_ends_the_wait(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.ready = False
    machine.save("2")
    later = machine.build.digest
    machine.loop._saved_again = lambda: True  # type: ignore[method-assign]
    machine.loop._saved(time.time())
    assert machine.did == [f"make {later}", f"apply {later}"]
    out = capsys.readouterr().out
    assert "Deployment apps/web: its new version is not ready" in out
    assert "from save to answer" not in out


def test_pulumi_rolls_out_a_service_with_a_migration(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its new pods may not start before the migration has ended."""
    text = machine.file.read_text().replace("build: {context: web}", "build: {context: web}, migration: {command: [m]}")
    machine.file.write_text(text)
    monkeypatch.setattr(dev, "tell_migrations", lambda _: machine.did.append("reported"))
    loop = machine.loop = dev._Loop(OpenedStack(machine.folder, "dev", read(machine.file), {}))
    loop._saved_again = lambda: True  # type: ignore[method-assign]
    digest = machine.saved("2")
    assert machine.did == [f"make {digest}", "update", "waited"]
    machine.problems["update"] = "the Job did not succeed"
    machine.saved("3")
    assert machine.did[-2:] == ["waited", "reported"]
    assert "the version before it still answers" in capsys.readouterr().out


def test_the_end_writes_down_what_runs(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.saved("2")
    machine.loop.end()
    assert machine.did[2:4] == ["update", "waited"]
    machine.saved("3")
    machine.problems["update"] = "the API server is gone"
    machine.loop.end()
    assert "the state does not have the running version yet: the API server is gone" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["stacks/Pulumi.dev.yaml", "Pulumi.yaml", "__main__.py"])
def test_a_changed_secret_and_a_changed_program_bring_the_stack_up(
    machine: Machine, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A secret's value is no setting, and its file changes."""
    file = machine.folder / name
    encrypted = "\n    db: {secure: v1:AAAA}"
    before = file.read_text().replace(" {}", encrypted) if file.is_file() else ""
    file.write_text(before)
    machine.loop._saved(time.time())
    machine.did.clear()
    file.write_text(before.replace("AAAA", "BBBB") + "# \n")
    machine.loop._saved(time.time())
    assert machine.did == ["up"]
    assert f"{file.name} changed" in capsys.readouterr().out
    machine.loop._saved(time.time())
    assert machine.did == ["up"]


def test_a_stack_that_builds_nothing_has_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("hops.cli.updates.engine._tools", lambda _: None)
    monkeypatch.setattr(dev, "bring_up", lambda *_, **__: pytest.fail("it must not come up"))
    done = CliRunner().invoke(app, ["dev", "ci"])
    assert done.exit_code == 2
    assert "no service of the stack ci has build" in done.output
