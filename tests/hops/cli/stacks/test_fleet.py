"""What `hops stack list` and `hops stack check` tell of several stacks, of Docker and of the backend."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from hops.cli.app import app
from hops.cli.stacks.stack import NewStack, create
from hops.cli.stacks.stack_file import read, stack_file
from hops.model.plan import plan
from hops.model.preflight import mark
from hops.model.settings.stack_config import settings
from tests.hops.cli.conftest import Docker, node

ALL = ("list", "check")


def run(*words: str) -> tuple[int, str, str]:
    """Status, output and errors of a `hops stack` command."""
    done = CliRunner().invoke(app, ["stack", *words])
    return done.exit_code, done.stdout, done.stderr


def rows() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(run("list", "--format", "json")[1])}


def write(alone: Path, name: str, **config: Any) -> None:
    whole = {"config": {f"ingress-hops:{key}": value for key, value in config.items()}}
    (alone / "stacks" / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump(whole))


def local_nodes(alone: Path, image: str | None = None, **changes: Any) -> list[dict[str, Any]]:
    """The containers of the stack local's own cluster."""
    fingerprint = plan(read(stack_file(alone, "local"), image)).fingerprint
    bind = f"{alone}/.ingress-hops/kubeconfig/local.owner:{mark(17, fingerprint)}"
    cluster = "ingress-hops-local"
    return [
        node(f"{cluster}-control-plane", cluster, bind=bind, **changes),
        node(f"{cluster}-worker", cluster, bind=bind, port=8080, **changes),
    ]


def answers(pulumi: Path, stacks: Iterable[dict[str, Any]], outputs: object = None) -> None:
    listed, published = json.dumps(list(stacks)), json.dumps(outputs or {})
    pulumi.write_text(f"#!/bin/sh\ncase $2 in ls) echo '{listed}' ;; output) echo '{published}' ;; esac\n")


@pytest.mark.usefixtures("pulumi")
def test_the_list_has_a_line_for_each_stack(
    alone: Path, docker: Docker, pulumi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    write(alone, "cloud", cluster={"existing": "prod"}, services=[{"host": "cloud.example"}])
    docker(*local_nodes(alone))
    answers(pulumi, [{"name": "local", "resourceCount": 73}, {"name": "organization/x/seed"}])
    status, said, errors = run("list")
    assert (status, errors) == (0, "")
    assert [line.split() for line in said.splitlines()] == [
        ["name", "address", "host", "cluster", "state", "resources"],
        ["ci", "127.0.0.1:8081", "my-service.ci.localhost", "ingress-hops-ci", "absent", "0"],
        ["cloud", "its", "load", "balancer", "cloud.example", "prod", "existing", "0"],
        ["local", "127.0.0.1:8080", "my-service.localhost", "ingress-hops-local", "running", "73"],
        ["seed", "0.0.0.0:80,443", "my-service.local", "sam-test-cluster", "absent", "0"],
    ]


def test_the_list_as_json(alone: Path, docker: Docker, pulumi: Path) -> None:
    docker(*local_nodes(alone, status="exited"))
    answers(pulumi, [{"name": "local", "resourceCount": 73}])
    assert rows()["local"] == {
        "name": "local",
        "cluster": "ingress-hops-local",
        "address": "127.0.0.1:8080",
        "hosts": ["my-service.localhost"],
        "file": "stacks/Pulumi.local.yaml",
        "state": "stopped",
        "resources": 73,
        "error": None,
    }


def test_a_cluster_of_the_environments_node_image_is_not_of_older_settings(
    alone: Path, docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the program has it, which the image of `INGRESS_HOPS_NODE_IMAGE` reaches too."""
    docker(*local_nodes(alone))
    monkeypatch.setenv("INGRESS_HOPS_NODE_IMAGE", "kindest/node:v1.34.10")
    assert rows()["local"]["state"] == "of older settings"
    docker(*local_nodes(alone, image="kindest/node:v1.34.10"))
    assert rows()["local"]["state"] == "running"


def test_a_cluster_of_that_name_may_be_somebody_elses(alone: Path, docker: Docker) -> None:
    docker(node("ingress-hops-local-control-plane", "ingress-hops-local", bind="/theirs:/data"))
    assert rows()["local"]["state"] == "somebody else's"
    docker(*local_nodes(alone)[:1])
    assert rows()["local"]["state"] == "half made"


@pytest.mark.parametrize("command", ALL)
def test_what_cannot_be_seen_is_reported_and_is_not_absent(alone: Path, command: str) -> None:
    (alone / ".ingress-hops" / "state").mkdir(parents=True)
    status, said, errors = run(command)
    assert status == 0
    assert errors.splitlines() == [
        (
            "hops: the state in the backend was not seen: pulumi is not on PATH; "
            "fetch it into .tools/bin with: .venv/bin/hops tools"
        ),
        "hops: published ports and running clusters were not seen: docker is not on PATH",
    ]
    assert "absent" not in said
    assert {(row["state"], row["resources"]) for row in rows().values()} == {(None, None)}


@pytest.mark.usefixtures("alone")
def test_a_docker_that_does_not_answer_is_not_an_empty_one(alone: Path) -> None:
    program = alone / "bin" / "docker"
    program.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    program.chmod(0o755)
    _, said, errors = run("list")
    assert "not seen: Cannot connect to the Docker daemon" in errors
    assert "absent" not in said


@pytest.mark.usefixtures("docker", "alone")
def test_before_the_first_up_there_is_no_backend_and_nothing_in_it() -> None:
    """And pulumi isn't asked, which is missing here."""
    status, _, errors = run("list")
    assert (status, errors) == (0, "")
    assert {row["resources"] for row in rows().values()} == {0}


@pytest.mark.usefixtures("docker", "alone")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'error: no such bucket' >&2; exit 255", "/state cannot be read: no such bucket"),
        ("echo no json", "pulumi printed nothing useful about file://"),
        ("""echo '[{"no": "name"}]'""", "pulumi printed nothing useful about file://"),
    ],
)
def test_a_backend_that_cannot_be_read_is_reported(pulumi: Path, script: str, said: str) -> None:
    pulumi.write_text(f"#!/bin/sh\n{script}\n")
    _, _, errors = run("list")
    assert errors.startswith("hops: the state in the backend was not seen: ")
    assert said in errors
    assert {(row["state"], row["resources"]) for row in rows().values()} == {("absent", None)}


@pytest.mark.usefixtures("docker")
def test_a_stack_that_is_in_the_backend_only_is_listed_and_keeps_what_it_has(alone: Path, pulumi: Path) -> None:
    of = settings(
        "bob", {"cluster": {"httpPort": 8082, "httpsPort": 8443}, "services": [{"host": "my-service.bob.localhost"}]}
    )
    outputs = {
        "hops": json.loads(json.dumps([dataclasses.asdict(hop) for hop in plan(of).paths[0].hops])),
        "cluster": {"name": "ingress-hops-bob", "context": "kind-ingress-hops-bob"},
    }
    answers(pulumi, [{"name": "bob", "resourceCount": 73}, {"name": "left", "resourceCount": 0}], outputs)
    assert rows()["bob"] == {
        "name": "bob",
        "cluster": "ingress-hops-bob",
        "address": "127.0.0.1:8082,8443",
        "hosts": ["my-service.bob.localhost"],
        "file": None,
        "state": None,
        "resources": 73,
        "error": None,
    }
    assert "left" not in rows()
    write(alone, "alice", cluster={"httpPort": 8082, "httpsPort": None}, services=[{"host": "alice.localhost"}])
    status, said, _ = run("check")
    assert status == 1
    assert "127.0.0.1:8082/TCP is already used by the stack bob (it has no file)." in said


@pytest.mark.usefixtures("docker", "alone", "pulumi")
def test_an_empty_stack_in_the_backend_has_no_outputs_to_read(pulumi: Path) -> None:
    answers(pulumi, [{"name": "bob", "resourceCount": 3}], {})
    assert rows()["bob"] | {"file": None} == rows()["bob"]
    assert rows()["bob"]["address"] == "?"


@pytest.mark.usefixtures("docker", "alone")
def test_the_projects_own_stacks_do_not_clash() -> None:
    assert run("check") == (0, "0 of 3 stacks clash\n", "")
    assert run("check", "--format", "json") == (0, "[]\n", "")


@pytest.mark.usefixtures("docker")
def test_both_of_two_stacks_that_clash_are_reported(alone: Path) -> None:
    write(alone, "alice", cluster={"httpPort": 8080, "httpsPort": None}, services=[{"host": "alice.localhost"}])
    status, said, errors = run("check")
    assert (status, errors) == (1, "")
    port = (
        "127.0.0.1:8080/TCP is already used by the stack {}. Choose another port: change `cluster.httpPort` or "
        "`cluster.httpsPort` of the stack, or hostPort in the kind configuration."
    )
    assert said.splitlines() == [
        f"stacks/Pulumi.alice.yaml: mandatory: XS01 Cluster/ingress-hops-alice: {port.format('local')}",
        f"stacks/Pulumi.local.yaml: mandatory: XS01 Cluster/ingress-hops-local: {port.format('alice')}",
        "2 of 4 stacks clash",
    ]
    status, said, _ = run("check", "--format", "json")
    assert status == 1
    (first, _) = json.loads(said)
    assert {key: first[key] for key in ("stack", "file", "code", "level", "message", "patch")} == {
        "stack": "alice",
        "file": "stacks/Pulumi.alice.yaml",
        "code": "XS01",
        "level": "mandatory",
        "message": "127.0.0.1:8080/TCP is already used by the stack local.",
        "patch": None,
    }


def test_what_docker_publishes_now_clashes_and_what_is_stopped_does_not(alone: Path, docker: Docker) -> None:
    docker(node("registry", port=8081), *local_nodes(alone))
    status, said, _ = run("check")
    assert status == 1
    assert "127.0.0.1:8081/TCP is already used by the container registry." in said
    assert said.count("already used by") == 1, "a cluster of its own takes nothing from a stack"
    docker(node("registry", port=8081, status="exited"))
    assert run("check")[0] == 0


def test_a_cluster_of_somebody_else_clashes_by_its_name(docker: Docker) -> None:
    docker(node("ingress-hops-local-worker", "ingress-hops-local", bind="/theirs:/data", status="exited"))
    status, said, _ = run("check")
    assert status == 1
    assert (
        "XS03 Cluster/ingress-hops-local: cluster name ingress-hops-local is already used by a kind cluster of" in said
    )


@pytest.mark.usefixtures("docker")
def test_a_clash_that_a_stack_calls_advisory_is_reported_and_stops_nothing(alone: Path) -> None:
    policy = {"rules": {"XS01": {"level": "advisory"}}}
    for name in ("alice", "bob"):
        services = [{"host": f"{name}.localhost"}]
        write(alone, name, cluster={"httpPort": 8082, "httpsPort": None}, services=services, policy=policy)
    status, said, _ = run("check")
    assert status == 0
    assert said.count(": advisory: XS01") == 2
    assert said.endswith("2 of 5 stacks clash\n")


@pytest.mark.usefixtures("docker")
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"cluster": {"httpPort": 0}}, "Pulumi.bad.yaml: ingress-hops:cluster.httpPort is 0"),
        (
            {"policy": {"rules": {"XS01": {"parameters": {"a": 1}}}}},
            "Pulumi.bad.yaml: ingress-hops:policy.rules.XS01.parameters.a",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_reported_and_the_others_are_checked(
    alone: Path, config: dict[str, Any], message: str
) -> None:
    write(
        alone,
        "bad",
        services=[{"host": "bad.localhost"}],
        **{"cluster": {"httpPort": 8090, "httpsPort": None}} | config,
    )
    status, said, errors = run("check")
    assert (status, said) == (2, "0 of 3 stacks clash\n")
    assert message in errors


@pytest.mark.usefixtures("docker")
def test_hops_plan_says_the_same(alone: Path) -> None:
    """The rules find in all that a stack declares what they find in the little that makes its claims."""
    create(alone, "alice", NewStack())
    twin = stack_file(alone, "alice").read_text().replace("name: ingress-hops-alice", "name: ingress-hops-bob")
    (alone / "stacks" / "Pulumi.bob.yaml").write_text(twin)
    said = json.loads(run("check", "--format", "json")[1])
    words = [sys.executable, "-c", "from hops.cli.app import app; app()", "plan", "alice", "--format", "json"]
    # Without the published files, which hold no claim: nobody serves that proxy.
    environment = {"PATH": "/nowhere", "HOME": str(alone), "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(words, cwd=alone, env=environment, capture_output=True, text=True, check=False)
    planned = [f for f in json.loads(done.stdout)["findings"] if f["code"].startswith("XS")]
    reported = ("code", "level", "severity", "resource", "message", "remedy", "path")
    assert [[f[key] for key in reported] for f in planned] == [
        [f[key] for key in reported] for f in said if f["stack"] == "alice"
    ]
    assert [f["code"] for f in planned] == ["XS01", "XS02"]
