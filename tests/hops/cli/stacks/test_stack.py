import dataclasses
import json
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from hops.cli.app import app
from hops.cli.stacks import stack
from hops.cli.stacks.backend import outputs
from hops.cli.stacks.stack import NewStack, create
from hops.cli.stacks.stack_file import StackError, read, stack_file
from hops.model.plan import plan
from hops.model.preflight import mark
from hops.model.settings.stack_config import settings
from hops.observe.local.machine import busy, has_address
from tests.hops.cli.conftest import Docker, node

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


def test_new_stacks_share_nothing(alone: Path) -> None:
    rows = [create(alone, name, NewStack())[0] for name in ("alice", "bob-2", "c")]
    everyone = [read(path) for path in sorted((alone / "stacks").glob("Pulumi.*.yaml"))]
    ports = [port for of in everyone for port in (of.cluster.http_port, of.cluster.https_port) if port]
    assert len(ports) == len(set(ports))
    assert len({of.cluster.name for of in everyone}) == len(everyone)
    assert [(row.cluster, row.address, row.hosts) for row in rows] == [
        ("ingress-hops-alice", "127.0.0.1:8082", ("my-service.alice.localhost",)),
        ("ingress-hops-bob-2", "127.0.0.1:8083", ("my-service.bob-2.localhost",)),
        ("ingress-hops-c", "127.0.0.1:8084", ("my-service.c.localhost",)),
    ]


def test_a_new_stack_differs_from_the_default_one_by_its_own_names_only(alone: Path) -> None:
    create(alone, "alice", NewStack())
    ours, pattern = (yaml.safe_load(stack_file(alone, name).read_text())["config"] for name in ("alice", "local"))
    ours["ingress-hops:cluster"] |= {"httpPort": 8080}
    del ours["ingress-hops:cluster"]["name"], ours["ingress-hops:services"][0]["host"]
    assert ours == pattern


def test_a_port_that_something_listens_on_is_passed_over(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "busy", lambda _address, port: port < 8090)
    assert create(alone, "alice", NewStack())[0].address == "127.0.0.1:8090"
    monkeypatch.setattr(stack, "busy", lambda _address, _port: True)
    with pytest.raises(StackError, match="every port from 8080 to 8999 is in use"):
        create(alone, "bob", NewStack())


def test_a_listening_port_is_busy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert busy("127.0.0.1", port)
    assert not busy("127.0.0.1", port)


@pytest.mark.parametrize("name", ["Alice", "a_b", "a.b", "-a", "a-", "", "a/b", "../x", "ä", "a" * 37, "a\n"])
def test_a_name_that_cannot_be_a_host_is_refused(alone: Path, name: str) -> None:
    before = sorted(alone.rglob("*"))
    with pytest.raises(StackError, match="1 to 36 lower-case letters") as refused:
        create(alone, name, NewStack())
    assert repr(name) in str(refused.value)
    assert sorted(alone.rglob("*")) == before


def test_the_longest_name_fits_every_bound(alone: Path) -> None:
    assert len(create(alone, "a" * 36, NewStack())[0].cluster) == 49


def test_nothing_is_written_over(alone: Path) -> None:
    file = alone / "stacks" / "Pulumi.local.yaml"
    before = file.read_text()
    with pytest.raises(StackError, match=r"Pulumi.local.yaml already exists"):
        create(alone, "local", NewStack())
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (
            {"ingress-hops:cluster": {"name": "ingress-hops-alice"}},
            (
                "XS03 Cluster/ingress-hops-alice: cluster name ingress-hops-alice is already used by the stack other. "
                "Choose another name"
            ),
        ),
        (
            {"ingress-hops:services": [{"host": "my-service.alice.localhost"}]},
            (
                "XS02 Ingress/apps/my-service-ingress: host my-service.alice.localhost is already used by the stack "
                "other. Choose another host name"
            ),
        ),
    ],
)
def test_a_taken_cluster_or_host_is_named(alone: Path, taken: object, said: str) -> None:
    """In the words of the rules that would stop it later."""
    (alone / "stacks" / "Pulumi.other.yaml").write_text(yaml.safe_dump({"config": taken}))
    with pytest.raises(StackError) as refused:
        create(alone, "alice", NewStack())
    path = alone / "stacks" / "Pulumi.alice.yaml"
    assert str(refused.value).startswith(f"{path} is not written: {said}")
    assert not path.exists()


def test_a_port_that_a_stopped_container_has_is_passed_over(alone: Path, docker: Docker) -> None:
    """So is one of a running one, on every address."""
    docker(node("old-worker", "old", port=8082, status="exited"), node("web", port=8083))
    assert create(alone, "alice", NewStack())[0].address == "127.0.0.1:8084"
    assert create(alone, "bob", NewStack(address="127.0.0.2"))[0].address == "127.0.0.2:8080"


def test_a_kind_cluster_of_that_name_is_left_to_its_owner(alone: Path, docker: Docker) -> None:
    docker(node("ingress-hops-alice-worker", "ingress-hops-alice", status="exited"))
    with pytest.raises(
        StackError, match="cluster name ingress-hops-alice is already used by a kind cluster of another owner"
    ):
        create(alone, "alice", NewStack())


@pytest.mark.usefixtures("docker")
def test_what_a_stack_without_a_file_has_is_passed_over(alone: Path, pulumi: Path) -> None:
    of = settings("bob", {"cluster": {"httpPort": 8082, "httpsPort": None, "listenAddress": "0.0.0.0"}})
    hop = dataclasses.asdict(plan(of).paths[0].hops[1])
    listed = '[{"name": "bob", "resourceCount": 73}, {"name": "carol", "resourceCount": 0}]'
    pulumi.write_text(f"#!/bin/sh\n[ $2 = ls ] && echo '{listed}' || echo '{json.dumps({'hops': [hop]})}'")
    assert create(alone, "alice", NewStack(address="127.0.0.3", http_port=8083))[1] == ()
    assert create(alone, "carol", NewStack())[0].address == "127.0.0.1:8083"
    with pytest.raises(StackError, match=r"8082, and the stack bob .* uses that port on 127.0.0.9; choose another"):
        create(alone, "dave", NewStack(address="127.0.0.9", http_port=8082))
    with pytest.raises(StackError, match=r"has a stack bob of 73 resources.*hops down bob"):
        create(alone, "bob", NewStack())


def test_what_is_asked_for_is_taken(alone: Path) -> None:
    made, _ = create(alone, "alice", NewStack("127.0.0.2", 8080, 8443, "shop.test"))
    assert (made.address, made.hosts) == ("127.0.0.2:8080,8443", ("shop.test",))
    assert str(read(stack_file(alone, "alice")).cluster.listen_address) == "127.0.0.2"


@pytest.mark.parametrize(
    ("requested", "said"),
    [
        (
            NewStack(http_port=8080),
            "--http-port is 8080, and the stack local uses that port on 127.0.0.1; choose",
        ),
        (NewStack(https_port=443), "--https-port is 443, and the stack seed uses that port on 127.0.0.1"),
        (NewStack(http_port=9000, https_port=9000), "httpPort and httpsPort are both 9000"),
        (NewStack("127.0.0.2", http_port=80), "--http-port is 80, and the stack seed uses that port on 127.0.0.2"),
        (NewStack("0.0.0.0"), "--address is 0.0.0.0, and a new stack listens on loopback, 127.0.0.1 to 127.255"),
        (NewStack("10.0.0.1"), "to open one to the network, set ingress-hops:cluster.listenAddress"),
        (NewStack("::1"), "--address is ::1"),
        (NewStack("localhost"), "--address is localhost"),
        (NewStack("127.0.0.2", host="a.localhost"), "which is always 127.0.0.1 .*take a name below .test"),
        (NewStack("127.0.0.2", host="localhost"), "which is always 127.0.0.1"),
        (NewStack(host="A.localhost"), "a host name is lower-case letters"),
        (NewStack(host="my-service.localhost"), "my-service.localhost is already used by the stack local"),
        (NewStack(host="a: b"), "the value .a: b. contains a colon and a space; put the value in quotes"),
    ],
)
def test_what_cannot_be_had_is_refused(alone: Path, requested: NewStack, said: str) -> None:
    with pytest.raises(StackError, match=said):
        create(alone, "alice", requested)
    assert not (alone / "stacks" / "Pulumi.alice.yaml").exists()


def test_a_port_of_another_process_is_refused(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "busy", lambda _address, port: port == 9000)
    with pytest.raises(StackError, match="--http-port is 9000, and another process uses that port"):
        create(alone, "alice", NewStack(http_port=9000))


@pytest.mark.usefixtures("docker", "alone")
def test_another_address_needs_an_alias_and_a_name_some_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "has_address", lambda address: address == "127.0.0.1")
    done = CliRunner().invoke(app, ["stack", "new", "alice", "--address", "127.0.0.2"])
    assert done.stdout.splitlines()[2:] == [
        "Its output curl needs no more; for a browser, /etc/hosts needs: 127.0.0.2 my-service.alice.test"
    ]
    assert done.stderr == (
        "hops: this machine has no 127.0.0.2 yet; on macOS, before an up: sudo ifconfig lo0 alias 127.0.0.2\n"
    )
    done = CliRunner().invoke(app, ["stack", "new", "bob"])
    assert (len(done.stdout.splitlines()), done.stderr) == (2, "")


def test_an_address_that_this_machine_has() -> None:
    assert has_address("127.0.0.1")
    # Set aside for documents (RFC 5737).
    assert not has_address("192.0.2.1")


def test_a_folder_that_cannot_be_written_is_named(alone: Path) -> None:
    shutil.rmtree(alone / "stacks")
    with pytest.raises(StackError, match=r"Pulumi.alice.yaml is not written"):
        create(alone, "alice", NewStack())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: {ingress-hops:cluster: {httpPort: 0}}", "ingress-hops:cluster.httpPort is 0"),
        ("config: [", "line 2, column 1: the text ends, and the bracket or brace before its end is not closed"),
        (
            "config: {ingress-hops:contour: {replicas: 9, x: 1}, ingress-hops:cluster: {httpPort: 0}}",
            "Pulumi.bad.yaml: ingress-hops:contour.x: there is no such key",
        ),
        ("just text", "is not a stack file"),
        ("config: 3", "is not a stack file"),
    ],
)
def test_a_bad_file_is_named_and_the_others_are_listed(alone: Path, text: str, message: str) -> None:
    (alone / "stacks" / "Pulumi.bad.yaml").write_text(text)
    done = CliRunner().invoke(app, ["stack", "list", "--format", "json"])
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert list(rows) == ["bad", "ci", "local", "seed"]
    assert message in rows["bad"]["error"]
    assert (rows["bad"]["state"], rows["local"]["error"]) == ("invalid file", None)
    assert message in done.stderr
    assert all(
        line.startswith(("hops: the state", "hops: published", f"hops: {alone}")) for line in done.stderr.splitlines()
    )
    assert done.exit_code == 1
    assert "\nbad   ?" in CliRunner().invoke(app, ["stack", "list"]).stdout
    with pytest.raises(StackError, match=r"Pulumi.bad.yaml"):
        create(alone, "alice", NewStack())


def test_a_file_may_hold_dates_other_namespaces_and_nothing(alone: Path) -> None:
    exceptions = "[{resource: a, reason: b, owner: c, expires: 2030-01-01}]"
    file = alone / "stacks" / "Pulumi.full.yaml"
    file.write_text(
        f"config: {{ingress-hops:policy: {{rules: {{HP01: {{exceptions: {exceptions}}}}}}}, aws:region: x}}"
    )
    assert read(file).policy.rules["HP01"].exceptions[0].expires.year == 2030
    file.write_text("")
    assert read(file).cluster.name == "ingress-hops-full"


def test_new_says_what_it_wrote_and_how_to_bring_it_up(alone: Path) -> None:
    done = CliRunner().invoke(app, ["stack", "new", "alice"])
    assert done.stdout.splitlines() == [
        "stacks/Pulumi.alice.yaml is written: cluster ingress-hops-alice, my-service.alice.localhost on 127.0.0.1:8082",
        "Bring it up with: .venv/bin/hops up alice",
    ]
    again = CliRunner().invoke(app, ["stack", "new", "alice"])
    assert (again.exit_code, again.stdout) == (2, "")
    assert again.stderr.startswith(f"hops: {alone}/stacks/Pulumi.alice.yaml already exists")
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


def test_show_prints_the_way_between_nodes_below_the_table_of_its_route(pulumi: Path) -> None:
    way = {"service": HOP["service"], "route": "", "pod": "apps/web", "source": "a", "target": "b"}
    ways = [way | {"encapsulated": True}, way | {"encapsulated": False, "service": "apps/other"}]
    pulumi.write_text(f"#!/bin/sh\necho '{json.dumps({'hops': [HOP], 'betweenNodes': ways})}'")
    done = CliRunner().invoke(app, ["stack", "show"])
    said = [line for line in done.stdout.splitlines() if line.startswith("between nodes")]
    assert said == ["between nodes: a -> b, the node of apps/web: encapsulated as VXLAN (UDP 4789)"]


def test_show_prints_the_further_publishing_workers_below_the_table_of_their_route(pulumi: Path) -> None:
    entrance = {"service": HOP["service"], "route": "", "node": "b", "url": "http://web:8081/", "curl": "curl"}
    entrances = [entrance, entrance | {"service": "apps/other", "node": "c"}]
    pulumi.write_text(f"#!/bin/sh\necho '{json.dumps({'hops': [HOP], 'entrances': entrances})}'")
    done = CliRunner().invoke(app, ["stack", "show"])
    said = [line for line in done.stdout.splitlines() if line.startswith("also published")]
    assert said == ["also published: http://web:8081/ -> b"]


def test_show_asks_for_the_named_stack_where_make_keeps_it(pulumi: Path, alone: Path) -> None:
    pulumi.write_text('#!/bin/sh\necho "{\\"hops\\": [\\"$PULUMI_BACKEND_URL\\", \\"$PWD\\", \\"$*\\"]}"')
    assert outputs(alone, "alice")["hops"] == [
        f"file://{alone}/.ingress-hops/state",
        str(alone),
        "stack output --json --stack=alice --non-interactive",
    ]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        ("echo '{}'", 1, "the stack local is not up; bring it up with: .venv/bin/hops up local"),
        (
            "echo \"error: no stack named 'local' found\" >&2; exit 255",
            1,
            "hops: the stack local is not up; bring it up",
        ),
        (
            "echo error: it is broken >&2; exit 255",
            2,
            "/state: it is broken; bring it up with: .venv/bin/hops up local",
        ),
        ("echo no json", 2, "pulumi printed nothing useful about the stack local"),
    ],
)
def test_show_says_what_is_missing(pulumi: Path, script: str, status: int, message: str) -> None:
    pulumi.write_text(f"#!/bin/sh\n{script}\n")
    done = CliRunner().invoke(app, ["stack", "show"])
    assert done.exit_code == status
    assert message in done.stderr
    assert done.stdout == ""


def test_show_before_the_first_up_says_how_to_bring_it_up(pulumi: Path, alone: Path) -> None:
    """The backend's folder is made with the first stack."""
    (alone / ".ingress-hops" / "state").rmdir()
    pulumi.write_text("#!/bin/sh\necho error: could not open bucket >&2; exit 255\n")
    done = CliRunner().invoke(app, ["stack", "show"])
    assert (done.exit_code, done.stderr) == (
        1,
        "hops: the stack local is not up; bring it up with: .venv/bin/hops up local\n",
    )


NO_STACK = "hops: there is no stack loca; did you mean local? The stacks here are: ci, local, seed. "


@pytest.mark.parametrize("command", [["stack", "show", "loca"], ["trace", "loca"], ["stack", "rm", "loca"]])
def test_an_unknown_stack_is_named_with_the_nearest_and_all_others(pulumi: Path, command: list[str]) -> None:
    pulumi.write_text(_BACKEND.format(listed="[]"))
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"{NO_STACK}Make one with: .venv/bin/hops stack new loca\n"


_BACKEND = """#!/bin/sh
case "$1 $2" in
  "stack ls") echo '{listed}' ;;
  "stack rm") echo "$*" >>"$0.removed" ;;
  *) echo "error: no stack named found" >&2; exit 255 ;;
esac
"""
LISTED = (
    '[{"name": "alice", "resourceCount": 0}, {"name": "gone", "resourceCount": 0}, {"name": "up", "resourceCount": 7}]'
)


@pytest.fixture
def removed(alone: Path, pulumi: Path, docker: Docker) -> Callable[..., tuple[int, str, list[str]]]:
    """Runs `hops stack rm`: its exit status, what it says, and Pulumi's calls that remove something."""
    docker()
    pulumi.write_text(_BACKEND.format(listed=LISTED))
    for name, port in (("alice", 8090), ("up", 8091)):
        text = f"config: {{ingress-hops:cluster: {{name: ingress-hops-{name}, httpPort: {port}, httpsPort: null}}}}"
        (alone / "stacks" / f"Pulumi.{name}.yaml").write_text(text)
    subprocess.run([GIT, "init", "--quiet", str(alone)], check=True)

    def run(*words: str) -> tuple[int, str, list[str]]:
        done = CliRunner().invoke(app, ["stack", "rm", *words])
        calls = pulumi.with_name("pulumi.removed")
        return done.exit_code, done.output.strip(), calls.read_text().splitlines() if calls.exists() else []

    return run


GIT = shutil.which("git") or "git"
Removed = Callable[..., tuple[int, str, list[str]]]
RM = "stack rm --yes --preserve-config alice --non-interactive"


@pytest.mark.parametrize("tracked", [True, False])
def test_rm_keeps_the_file_whether_git_tracks_it_or_not(alone: Path, removed: Removed, *, tracked: bool) -> None:
    file = alone / "stacks" / "Pulumi.alice.yaml"
    before = file.read_text()
    if tracked:
        subprocess.run([GIT, "add", str(file)], cwd=alone, check=True)
    assert removed("alice") == (0, f"the stack alice is removed from the backend; its file {file} is kept", [RM])
    assert file.read_text() == before


def test_rm_deletes_the_file_if_asked(alone: Path, removed: Removed) -> None:
    file = alone / "stacks" / "Pulumi.alice.yaml"
    said = f"the stack alice is removed from the backend; its file {file} is deleted"
    assert removed("alice", "--file") == (0, said, [RM])
    assert not file.exists()


def test_rm_of_what_exists_only_in_part(alone: Path, removed: Removed) -> None:
    status, said, _ = removed("gone", "--file")
    assert (status, said) == (0, "the stack gone is removed from the backend; it has no file")
    file = alone / "stacks" / "Pulumi.ci.yaml"
    assert removed("ci")[:2] == (0, f"the backend has no stack ci; its file {file} is kept")
    assert file.exists()


def test_rm_refuses_while_the_backend_keeps_resources(alone: Path, removed: Removed) -> None:
    said = "hops: the stack up has 7 resources; take it down first: .venv/bin/hops down up"
    assert removed("up", "--file") == (2, said, [])
    assert (alone / "stacks" / "Pulumi.up.yaml").exists()


def test_rm_refuses_while_the_cluster_is_there(alone: Path, removed: Removed, docker: Docker) -> None:
    """A cluster of the same name that belongs to somebody else is no reason."""
    of = read(alone / "stacks" / "Pulumi.alice.yaml")
    owner = f"{(alone / of.cluster.kubeconfig_folder).resolve()}/alice.owner"
    docker(node("ingress-hops-alice-worker", "ingress-hops-alice", f"{owner}:{mark(7, '0123abcd')}:ro"))
    said = (
        "hops: the cluster ingress-hops-alice of the stack alice exists; take it down first: .venv/bin/hops down alice"
    )
    assert removed("alice", "--file") == (2, said, [])
    assert (alone / "stacks" / "Pulumi.alice.yaml").exists()
    docker(node("ingress-hops-alice-control-plane", "ingress-hops-alice"))
    assert removed("alice")[0] == 0


def test_rm_takes_a_stack_whose_file_is_broken(alone: Path, removed: Removed, docker: Docker) -> None:
    """Its cluster is looked for by the default name."""
    file = alone / "stacks" / "Pulumi.alice.yaml"
    file.write_text("config: [")
    owner = f"{alone}/.ingress-hops/kubeconfig/alice.owner"
    docker(node("ingress-hops-alice-worker", "ingress-hops-alice", f"{owner}:{mark(7, '0123abcd')}:ro"))
    assert removed("alice", "--file")[0] == 2
    docker()
    said = f"the stack alice is removed from the backend; its file {file} is deleted"
    assert removed("alice", "--file") == (0, said, [RM])


def test_rm_refuses_where_docker_does_not_answer(alone: Path, removed: Removed) -> None:
    (alone / "bin" / "docker").unlink()
    status, said, calls = removed("alice")
    assert (status, calls) == (2, [])
    assert said.startswith("hops: whether the cluster of alice exists is unknown: ")


def test_show_without_pulumi_says_how_to_get_it(pulumi: Path) -> None:
    pulumi.unlink()
    done = CliRunner().invoke(app, ["stack", "show"])
    assert (done.exit_code, done.stderr) == (
        2,
        "hops: pulumi is not on PATH; fetch it into .tools/bin with: .venv/bin/hops tools\n",
    )


@pytest.mark.parametrize("command", [["check"], ["list"], ["new", "alice"], ["show"]])
def test_outside_of_a_project_each_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["stack", *command])
    assert done.exit_code == 2
    assert "go into the project's folder" in done.stderr


@pytest.mark.parametrize("command", [["tools"], *(["stack", name] for name in ("new", "list", "check", "show"))])
def test_help_says_what_the_exit_status_means(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"])
    assert "Exit status: 0 " in done.stdout
    assert "2 " in done.stdout.split("Exit status:")[1]
    assert "--format" in done.stdout


def test_a_new_stack_can_build_its_service(alone: Path) -> None:
    (alone / "apps" / "My Shop").mkdir(parents=True)
    (alone / "apps" / "My Shop" / "Dockerfile").write_text("FROM python:3.13-slim\n")
    made, _ = create(alone, "alice", NewStack(build="./apps/My Shop", port=3000))
    (service,) = read(stack_file(alone, "alice")).services
    assert service.build is not None
    assert (service.name, service.port, service.build.context) == ("my-shop", 3000, "./apps/My Shop")
    assert service.host == "my-shop.alice.localhost" == made.hosts[0]


def test_a_port_without_a_folder_to_build_makes_no_stack(alone: Path) -> None:
    with pytest.raises(StackError, match=r"--port is 3000, and .*; name its folder with --build"):
        create(alone, "alice", NewStack(port=3000))
    assert not (alone / "stacks" / "Pulumi.alice.yaml").exists()


def test_a_folder_that_cannot_be_built_makes_no_stack(alone: Path) -> None:
    with pytest.raises(StackError, match=r"alice.yaml is not written: .*build.context is web: there is no folder"):
        create(alone, "alice", NewStack(build="web"))
    assert not (alone / "stacks" / "Pulumi.alice.yaml").exists()
