"""The command that a trace prints for a fault, pasted into a shell, mends the path. One that only looks is a `look`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path as File
from typing import Any

import pytest
import yaml

from hops.model.settings.setting_types import NAMESPACE
from tests.live.faults.catalogue import PRACTICE, chance
from tests.live.faults.fault import FAULTS, Broken, Fault
from tests.live.faults.kubernetes import StuckError, until
from tests.live.faults.path import STACK, Path
from tests.live.faults.run import FOLDER, Run

pytestmark = pytest.mark.long

ONLY_LOOKS = (86,)
"""Faults that only a person can mend, such as an app that answers 500."""


def _websocket(service: dict[str, Any]) -> None:
    service["routes"] = [{"host": service.pop("host"), "request": service.pop("request"), "websocket": True}]


CORRECTIONS: dict[int, Callable[[dict[str, Any]], None]] = {73: _websocket}
"""What a person changes in the stack's file where a trace names a setting to correct, by the fault's number."""


@pytest.fixture
def environment(tmp_path: File) -> dict[str, str]:
    """Where root has no sudo, remedies that name it run without."""
    if shutil.which("sudo") or os.geteuid():
        return {}
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)
    return {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}


@contextmanager
def _injected(path: Path, fault: Fault) -> Iterator[Broken]:
    """A fault in a path, which is whole again afterwards."""
    undo = ExitStack()
    file = path.project.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    text = file.read_text()
    try:
        broken = undo.enter_context(fault.inject(path, chance(fault.number)))
        until(f"{fault.number} takes effect", broken.there)
        yield broken
    finally:
        corrected = file.read_text() != text
        file.write_text(text)
        # The remedy has taken out a part of the fault by itself.
        with suppress(AssertionError):
            undo.close()
        try:
            assert not corrected
            until("a request is answered and every pod is ready", path.whole, 90)
        except AssertionError:
            path.project.up(STACK)
            until("a request is answered and every pod is ready", path.whole, 180)


@pytest.mark.parametrize("number", PRACTICE)
def test_a_remedy_mends_as_it_is_printed(
    run: Run, number: int, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    fault, path = FAULTS[number], run.path
    if why := fault.why_not():
        pytest.skip(why)
    code = fault.expected[-1][1]

    def found(broken: Broken, pasted: str = "") -> dict[str, Any] | None:
        around = environment | dict(broken.environment)
        report = path.report(
            broken.options,
            broken.files,
            FOLDER / f"remedy-{number}.json",
            stack=broken.stack,
            environment=around,
            pasted=pasted,
        )
        return next((finding for finding in report["findings"] if finding["code"] == code), None)

    with _injected(path, fault) as broken:
        finding = found(broken)
        assert finding, f"no {code}"
        steps = {what: finding[what] for what in ("setting", "remedy", "look") if finding[what]}
        with capsys.disabled():
            sys.stdout.write(
                "\n".join([f"\n{number} {code}:", *(f"  {what}: {text}" for what, text in steps.items()), ""])
            )
        if "look" in steps:
            shown = subprocess.run(
                ["bash", "-c", steps["look"]],
                cwd=path.project.folder,
                env=path.project.environment | environment,
                check=False,
                capture_output=True,
                text=True,
            )
            assert shown.returncode == 0, shown.stderr
            assert shown.stdout.strip(), "the look shows nothing"
        assert ("remedy" in steps) == (number not in ONLY_LOOKS)
        if "remedy" not in steps:
            return
        assert not re.search(r"\bedit\b", steps["remedy"]), "an editor mends nothing by itself"
        assert ("setting" in steps) == (number in CORRECTIONS)
        if number in CORRECTIONS:
            file = path.project.folder / steps["setting"].partition(":")[0]
            whole = yaml.safe_load(file.read_text())
            CORRECTIONS[number](whole["config"][f"{NAMESPACE}:services"][0])
            file.write_text(yaml.safe_dump(whole))
        if left := found(broken, steps["remedy"]):
            # Pods may still start.
            with suppress(StuckError):
                until("the finding is gone", lambda: found(broken) is None, 120)
            assert found(broken) is None, left["message"]
