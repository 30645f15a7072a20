"""The parts of `hops dev` that need no cluster: what is watched, when it was saved, and which pods are new."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hops.cli import dev
from hops.cli.app import app
from hops.cli.dev import _folders, _parts, _rolled_out, _time
from hops.model.image import Build

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


def test_the_longest_of_the_parts_that_run_side_by_side_is_told() -> None:
    took = {"image a": 1.0, "image b": 2.0, "Pod apps/a": 3.0}
    assert _parts(took, 0.1, time.time()).startswith("noticed in 0.1 s, image 2.0 s, pods 3.0 s, answer 0.0 s")


def test_a_stack_that_builds_nothing_has_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("hops.cli.updates.engine._tools", lambda _: None)
    monkeypatch.setattr(dev, "bring_up", lambda *_, **__: pytest.fail("it must not come up"))
    done = CliRunner().invoke(app, ["dev", "ci"])
    assert done.exit_code == 2
    assert "no service of the stack ci has build" in done.output
