import json
import shutil
import socket
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli import stack
from cli.app import app
from cli.stack import StackError, create, published, read
from stacks.machine import busy

ROOT = Path(__file__).parents[2]
HOP = {
    "service": "apps/my-service",
    "number": 2,
    "name": "port-mapping",
    "component": "docker ingress-hops-local-worker",
    "address": "127.0.0.1",
    "port": 8080,
    "protocol": "TCP",
    "next": "ingress-hops-local-worker:80",
    "standing": "on path",
    "known_at": "preview",
    "details": {},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the stack files, on a machine where no port is taken."""
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (tmp_path / "Pulumi.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack, "busy", lambda _address, _port: False)
    return tmp_path


@pytest.fixture
def pulumi(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pulumi that answers by what its test writes into it."""
    program = project / "bin" / "pulumi"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    return program


def test_new_stacks_share_nothing(project: Path) -> None:
    rows = [create(project, name) for name in ("alice", "bob-2", "c")]
    everyone = [read(path) for path in sorted((project / "stacks").glob("Pulumi.*.yaml"))]
    ports = [port for of in everyone for port in (of.cluster.http_port, of.cluster.https_port) if port]
    assert len(ports) == len(set(ports))
    assert len({of.cluster.name for of in everyone}) == len(everyone)
    assert [(row.cluster, row.address, row.hosts) for row in rows] == [
        ("ingress-hops-alice", "127.0.0.1:8082", ("my-service.alice.localhost",)),
        ("ingress-hops-bob-2", "127.0.0.1:8083", ("my-service.bob-2.localhost",)),
        ("ingress-hops-c", "127.0.0.1:8084", ("my-service.c.localhost",)),
    ]


def test_a_new_stack_differs_from_the_default_one_by_its_own_names_only(project: Path) -> None:
    create(project, "alice")
    ours, pattern = (
        yaml.safe_load(stack.stack_file(project, name).read_text())["config"] for name in ("alice", "local")
    )
    ours["ingress-hops:cluster"] |= {"httpPort": 8080}
    del ours["ingress-hops:cluster"]["name"], ours["ingress-hops:services"][0]["host"]
    assert ours == pattern


def test_a_port_that_something_listens_on_is_passed_over(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "busy", lambda _address, port: port < 8090)
    assert create(project, "alice").address == "127.0.0.1:8090"
    monkeypatch.setattr(stack, "busy", lambda _address, _port: True)
    with pytest.raises(StackError, match="every port from 8080 to 8999 is taken"):
        create(project, "bob")


def test_a_listening_port_is_busy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert busy("127.0.0.1", port)
    assert not busy("127.0.0.1", port)


@pytest.mark.parametrize("name", ["Alice", "a_b", "a.b", "-a", "a-", "", "a/b", "../x", "ä", "a" * 37, "a\n"])
def test_a_name_that_cannot_be_a_host_is_refused(project: Path, name: str) -> None:
    before = sorted(project.rglob("*"))
    with pytest.raises(StackError, match="1 to 36 lower-case letters") as refused:
        create(project, name)
    assert repr(name) in str(refused.value)
    assert sorted(project.rglob("*")) == before


def test_the_longest_name_fits_every_bound(project: Path) -> None:
    assert len(create(project, "a" * 36).cluster) == 49


def test_nothing_is_written_over(project: Path) -> None:
    file = project / "stacks" / "Pulumi.local.yaml"
    before = file.read_text()
    with pytest.raises(StackError, match=r"Pulumi.local.yaml is there already"):
        create(project, "local")
    assert file.read_text() == before


@pytest.mark.parametrize(
    "taken",
    [
        {"ingress-hops:cluster": {"name": "ingress-hops-alice"}},
        {"ingress-hops:services": [{"host": "my-service.alice.localhost"}]},
    ],
)
def test_a_taken_cluster_or_host_is_named(project: Path, taken: object) -> None:
    (project / "stacks" / "Pulumi.other.yaml").write_text(yaml.safe_dump({"config": taken}))
    with pytest.raises(StackError, match=r"Pulumi.other.yaml has the cluster .* choose another name"):
        create(project, "alice")


def test_a_folder_that_cannot_be_written_is_named(project: Path) -> None:
    shutil.rmtree(project / "stacks")
    with pytest.raises(StackError, match="cannot be written"):
        create(project, "alice")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: {ingress-hops:cluster: {httpPort: 0}}", "ingress-hops:cluster.httpPort is 0"),
        ("config: [", "expected the node content"),
        ("just text", "is not a stack file"),
        ("config: 3", "is not a stack file"),
    ],
)
def test_a_bad_file_is_named_and_the_others_are_listed(project: Path, text: str, message: str) -> None:
    (project / "stacks" / "Pulumi.bad.yaml").write_text(text)
    done = CliRunner().invoke(app, ["stack", "list", "--format", "json"])
    assert [row["name"] for row in json.loads(done.stdout)] == ["ci", "local", "seed"]
    assert message in done.stderr
    assert done.exit_code == 1
    with pytest.raises(StackError, match=r"Pulumi.bad.yaml"):
        create(project, "alice")


def test_a_file_may_hold_dates_other_namespaces_and_nothing(project: Path) -> None:
    exceptions = "[{resource: a, reason: b, owner: c, expires: 2030-01-01}]"
    file = project / "stacks" / "Pulumi.full.yaml"
    file.write_text(
        f"config: {{ingress-hops:policy: {{rules: {{HP01: {{exceptions: {exceptions}}}}}}}, aws:region: x}}"
    )
    assert read(file).policy.rules["HP01"].exceptions[0].expires.year == 2030
    file.write_text("")
    assert read(file).cluster.name == "ingress-hops-full"


def test_the_list_has_a_line_for_each_stack(project: Path) -> None:
    (project / "stacks" / "Pulumi.cloud.yaml").write_text("config: {ingress-hops:cluster: {existing: prod}}")
    done = CliRunner().invoke(app, ["stack", "list"])
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["name", "cluster", "address", "host", "file"],
        ["ci", "ingress-hops-ci", "127.0.0.1:8081", "my-service.ci.localhost", "stacks/Pulumi.ci.yaml"],
        ["cloud", "prod", "its", "load", "balancer", "my-service.localhost", "stacks/Pulumi.cloud.yaml"],
        ["local", "ingress-hops-local", "127.0.0.1:8080", "my-service.localhost", "stacks/Pulumi.local.yaml"],
        ["seed", "sam-test-cluster", "0.0.0.0:80,443", "my-service.local", "stacks/Pulumi.seed.yaml"],
    ]
    assert done.exit_code == 0


def test_new_says_what_it_wrote_and_how_to_bring_it_up(project: Path) -> None:
    done = CliRunner().invoke(app, ["stack", "new", "alice"])
    assert done.stdout.splitlines() == [
        "stacks/Pulumi.alice.yaml is written: cluster ingress-hops-alice, my-service.alice.localhost on 127.0.0.1:8082",
        "Bring it up with: make up STACK=alice",
    ]
    again = CliRunner().invoke(app, ["stack", "new", "alice"])
    assert (again.exit_code, again.stdout) == (2, "")
    assert again.stderr.startswith(f"hops: {project}/stacks/Pulumi.alice.yaml is there already")
    other = CliRunner().invoke(app, ["stack", "new", "bob", "--format", "json"])
    assert json.loads(other.stdout)["file"] == "stacks/Pulumi.bob.yaml"


def test_show_prints_the_published_hops_in_100_columns(pulumi: Path) -> None:
    hops = [HOP, HOP | {"number": 12, "name": "reply-port-mapping", "port": None, "next": None, "address": None}]
    pulumi.write_text(f"#!/bin/sh\necho '{json.dumps({'hops': hops})}'")
    done = CliRunner().invoke(app, ["stack", "show"])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].strip() == "request to apps/my-service"
    assert max(map(len, lines)) <= 100
    assert "docker ingress-" in done.stdout
    assert "None" not in done.stdout
    as_json = CliRunner().invoke(app, ["stack", "show", "--format", "json"])
    assert json.loads(as_json.stdout) == hops


def test_show_asks_for_the_named_stack_where_make_keeps_it(pulumi: Path, project: Path) -> None:
    pulumi.write_text('#!/bin/sh\necho "{\\"hops\\": [\\"$PULUMI_BACKEND_URL\\", \\"$PWD\\", \\"$*\\"]}"')
    assert published(project, "alice")["hops"] == [
        f"file://{project}/.ingress-hops/state",
        str(project),
        "stack output --json --non-interactive --stack=alice",
    ]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        ("echo '{}'", 1, "the stack local is not up; bring it up with: make up STACK=local"),
        ("echo \"error: no stack named 'local' found\" >&2; exit 255", 2, "no stack named 'local' found; bring it up"),
        ("echo no json", 2, "pulumi says nothing of use about the stack local"),
    ],
)
def test_show_says_what_is_missing(pulumi: Path, script: str, status: int, message: str) -> None:
    pulumi.write_text(f"#!/bin/sh\n{script}\n")
    done = CliRunner().invoke(app, ["stack", "show"])
    assert done.exit_code == status
    assert message in done.stderr
    assert done.stdout == ""


def test_show_without_pulumi_says_how_to_get_it(pulumi: Path) -> None:
    pulumi.unlink()
    done = CliRunner().invoke(app, ["stack", "show"])
    assert (done.exit_code, done.stderr) == (
        2,
        "hops: pulumi is not on PATH; `make tools` fetches it into .tools/bin\n",
    )


@pytest.mark.parametrize("command", [["list"], ["new", "alice"], ["show"]])
def test_outside_of_a_project_each_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["stack", *command])
    assert done.exit_code == 2
    assert "go into the project's folder" in done.stderr


@pytest.mark.parametrize("command", [["tools"], ["stack", "new"], ["stack", "list"], ["stack", "show"]])
def test_help_says_what_the_exit_status_means(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"])
    assert "Exit status: 0 " in done.stdout
    assert "2 " in done.stdout.split("Exit status:")[1]
    assert "--format" in done.stdout
