"""The command as a whole."""

import errno
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hops.cli.app import COMMANDS, TRACEBACK, app
from hops.cli.catalogues import rules


def test_a_fault_of_hops_itself_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("not\nthere")

    monkeypatch.setattr(rules, "print_table", fail)
    result = CliRunner().invoke(app, ["rules"])
    assert result.exit_code == 2
    assert result.stderr.startswith("hops: KeyError: 'not\\nthere' (test_app.py:")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    monkeypatch.setenv(TRACEBACK, "1")
    assert isinstance(CliRunner().invoke(app, ["rules"]).exception, KeyError)


def test_output_that_cannot_be_written_is_no_fault_of_hops(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rules, "print_table", full)
    result = CliRunner().invoke(app, ["rules"])
    assert (result.exit_code, result.stderr) == (2, "hops: the output cannot be written: No space left on device\n")


def test_the_nearest_command_is_named_if_one_is_near() -> None:
    assert "did you mean check?" in CliRunner().invoke(app, ["chek"]).stderr
    assert "did you mean" not in CliRunner().invoke(app, ["xyzzy"]).stderr


def test_a_refused_value_of_an_option_is_named_once() -> None:
    result = CliRunner().invoke(app, ["rules", "--format", "xml"])
    assert "Error: Invalid value for '--format': 'xml' is not one of 'text', 'json'." in result.stderr


def test_a_check_without_a_stack_imports_nothing_that_looks_at_the_machine(tmp_path: Path) -> None:
    manifest = tmp_path / "a.yaml"
    manifest.write_text("{apiVersion: v1, kind: Namespace, metadata: {name: a}}")
    code = (
        "import sys; from hops.cli.app import app\n"
        "try: app(['check', sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith(('hops.observe.local.d', 'hops.trace', 'hops.cli.s'))])"
    )
    done = subprocess.run([sys.executable, "-c", code, manifest], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


def test_a_healthy_command_is_left_alone() -> None:
    assert CliRunner().invoke(app, ["rules"]).exit_code == 0


def test_the_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"hops {version('ingress-hops')}\n")


def test_help_lists_every_command_and_imports_none() -> None:
    code = "import sys; from hops.cli.app import app; app(standalone_mode=False); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    for name, command in COMMANDS.items():
        assert f"  {name}  " in re.sub(r"  +", "  ", done.stdout)
        assert f"  {command.summary}\n" in done.stdout
    imported = set(done.stderr.split())
    assert "hops.cli.app" in imported
    assert (
        imported & {"components", "pulumi", "pydantic", "hops.cli.plan", "hops.model.settings.stack_settings"} == set()
    )


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_summary_is_one_line(name: str) -> None:
    summary = COMMANDS[name].summary
    assert summary.endswith(".")
    assert len(summary) <= 60
