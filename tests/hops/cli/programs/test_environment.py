"""The environment of Pulumi: defaults, the user's choices, and a home without the engine's log."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hops.cli.app import app
from hops.cli.programs.environment import environment, state_folder
from hops.cli.programs.project import ProjectError


def listing(folder: Path) -> set[tuple[str, int]]:
    return {(str(file.relative_to(folder)), file.lstat().st_mtime_ns) for file in folder.rglob("*")}


@pytest.fixture(autouse=True)
def no_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run in a shell after `make env`; what it set is no choice of theirs."""
    for key in [key for key in os.environ if key.startswith("PULUMI_")]:
        monkeypatch.delenv(key)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's Pulumi home with plugins, a login and a log; it must stay as it is."""
    users = tmp_path / "user" / ".pulumi"
    for name in ("plugins/resource-kubernetes-v4.25.0", "logs", "workspaces"):
        (users / name).mkdir(parents=True)
    for name in ("credentials.json", "config.json"):
        (users / name).write_text("{}")
    monkeypatch.setenv("HOME", str(users.parent))
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    before = listing(users)
    yield users
    assert listing(users) == before, "the user's own home was written to"


def test_what_the_caller_chose_wins(tmp_path: Path, home: Path) -> None:
    own = {"PATH": "/bin", "PULUMI_BACKEND_URL": "s3://state", "PULUMI_CONFIG_PASSPHRASE_FILE": "/phrase"}
    assert environment(tmp_path, own) == {
        **own,
        "PATH": f"{tmp_path}/.tools/bin:{tmp_path}/.venv/bin:/bin",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_HOME": f"{tmp_path}/.ingress-hops/pulumi-home",
        "PULUMI_CREDENTIALS_PATH": str(home),
    }


def test_state_is_the_projects_and_the_passphrase_empty(tmp_path: Path) -> None:
    made = environment(tmp_path, {})
    assert made["PULUMI_CONFIG_PASSPHRASE"] == ""
    assert made["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/.ingress-hops/state"


def test_the_home_leads_to_plugins_and_has_no_room_for_a_log(tmp_path: Path, home: Path) -> None:
    for _ in range(2):
        ours = Path(environment(tmp_path, {})["PULUMI_HOME"])
    assert (ours / "logs").is_file()
    assert (ours / "plugins").readlink() == home / "plugins"
    assert {path.name for path in ours.iterdir()} == {"logs", "plugins", "config.json"}


def test_a_home_of_ones_own_is_taken_and_a_moved_one_is_followed(tmp_path: Path, home: Path) -> None:
    environment(tmp_path, {})
    other = tmp_path / "other"
    (other / "plugins").mkdir(parents=True)
    made = environment(tmp_path, {"PULUMI_HOME": str(other)})
    assert Path(made["PULUMI_HOME"], "plugins").readlink() == other / "plugins"
    assert made["PULUMI_CREDENTIALS_PATH"] == str(other)
    assert home.is_dir()


def test_a_missing_home_stays_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    made = environment(tmp_path, {})
    assert "PULUMI_CREDENTIALS_PATH" not in made
    assert [path.name for path in Path(made["PULUMI_HOME"]).iterdir()] == ["logs"]
    assert not (tmp_path / "nobody").exists()


def test_a_shell_after_make_env_keeps_the_users_home(tmp_path: Path, home: Path) -> None:
    """Also in another project, and where the log is enabled."""
    first = environment(tmp_path / "one", {})
    second = environment(tmp_path / "two", first)
    assert Path(second["PULUMI_HOME"], "plugins").readlink() == home / "plugins"
    assert second["PULUMI_CREDENTIALS_PATH"] == str(home)
    logged = environment(tmp_path / "one", {**first, "INGRESS_HOPS_ENGINE_LOG": "1"})
    assert logged["PULUMI_HOME"] == str(home)


def test_the_switch_brings_the_log_back(tmp_path: Path, home: Path) -> None:
    assert environment(tmp_path, {"INGRESS_HOPS_ENGINE_LOG": "1"})["PULUMI_HOME"] == str(home)
    assert environment(tmp_path, {"INGRESS_HOPS_ENGINE_LOG": "0"})["PULUMI_HOME"] != str(home)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, home: Path) -> None:
    (tmp_path / ".ingress-hops").write_text("a file")
    with pytest.raises(ProjectError, match=r"pulumi-home cannot be made .*INGRESS_HOPS_ENGINE_LOG=1"):
        environment(tmp_path, {})
    assert home.is_dir()


def test_the_folder_of_a_file_backend_is_known() -> None:
    assert state_folder(Path("/p"), "file:///a/b?x=1") == Path("/a/b")
    assert state_folder(Path("/p"), "file://./b") == Path("/p/b")
    assert state_folder(Path("/p"), "s3://bucket") is None


def test_a_shell_takes_what_is_printed(alone: Path, home: Path) -> None:
    """Without the passphrase, and with the kubeconfig of a cluster that is there."""
    said = CliRunner().invoke(app, ["env", "local"], env={"PULUMI_CONFIG_PASSPHRASE": "hush"})
    assert said.exit_code == 0, said.output
    assert "hush" not in said.stdout
    assert "KUBECONFIG" not in said.stdout
    kubeconfig = alone / ".ingress-hops" / "kubeconfig" / "local.yaml"
    kubeconfig.parent.mkdir(parents=True)
    kubeconfig.touch()
    said = CliRunner().invoke(app, ["env", "local"])
    shell = said.stdout + '\nprintf "%s\\n" "$KUBECONFIG" "$PULUMI_BACKEND_URL" "[$PULUMI_CONFIG_PASSPHRASE]"'
    lines = subprocess.run(
        ["/bin/sh", "-c", shell],
        env={"PULUMI_CONFIG_PASSPHRASE": "kept"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert lines == [str(kubeconfig), f"file://{alone}/.ingress-hops/state", "[kept]"]
    assert (alone / ".ingress-hops" / "state").is_dir()
    assert home.is_dir()
    assert os.environ.get("PULUMI_HOME") is None


def test_a_stack_that_is_not_there_is_told_and_sets_nothing(alone: Path, home: Path) -> None:
    said = CliRunner().invoke(app, ["env", "nope"])
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr.startswith("hops: there is no stack nope. The stacks here are: ci, local, seed.")
    (alone / "stacks" / "Pulumi.local.yaml").unlink()
    said = CliRunner().invoke(app, ["env"])
    assert (said.exit_code, "export PULUMI_BACKEND_URL=" in said.stdout) == (0, True), "nobody named a stack"
    assert home.is_dir()


def test_kubectl_works_while_the_stack_s_file_is_broken(alone: Path, home: Path) -> None:
    kubeconfig = alone / ".ingress-hops" / "kubeconfig" / "local.yaml"
    kubeconfig.parent.mkdir(parents=True)
    kubeconfig.touch()
    (alone / "stacks" / "Pulumi.local.yaml").write_text("config: {ingress-hops:cluster: {httpPort: x}}")
    said = CliRunner().invoke(app, ["env", "local"])
    assert f"export KUBECONFIG={kubeconfig}\n" in said.stdout
    assert home.is_dir()


def test_a_passphrase_file_needs_no_phrase(alone: Path) -> None:
    said = CliRunner().invoke(app, ["env"], env={"PULUMI_CONFIG_PASSPHRASE_FILE": "/phrase"})
    assert alone.is_dir()
    assert "PASSPHRASE" not in said.stdout
