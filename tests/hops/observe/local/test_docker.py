"""What Docker says by its own command, and what is said where it says nothing."""

import json
from typing import Any

import pytest

from hops.observe.local.docker import DockerError, docker
from tests.hops.observe.conftest import StandIn

NODE: dict[str, Any] = {"Name": "/web-worker", "State": {"Running": True}}


def answers(stand_in: StandIn, containers: list[dict[str, Any]], **info: Any) -> None:
    stand_in.says("info", json.dumps({"ServerVersion": "28.0.0", "ID": "of this machine", **info}))
    stand_in.says("ps", "".join(f"{number}\n" for number in range(len(containers))))
    stand_in.says("inspect", json.dumps(containers))


def test_the_clusters_nodes_and_who_publishes_the_port(stand_in: StandIn) -> None:
    answers(stand_in, [NODE])
    seen = docker("web", 8080)
    assert seen.containers == (NODE,)
    assert seen.info == {"ServerVersion": "28.0.0"}
    assert "ps --all --quiet --no-trunc --filter label=io.x-k8s.kind.cluster=web" in stand_in.calls
    assert "ps --all --quiet --no-trunc --filter publish=8080" in stand_in.calls
    assert stand_in.calls.count("inspect --type container 0") == 1, "a container that both filters find is asked once"


def test_without_a_name_every_kind_cluster_is_looked_at(stand_in: StandIn) -> None:
    answers(stand_in, [NODE])
    docker(None, 80)
    assert "ps --all --quiet --no-trunc --filter label=io.x-k8s.kind.cluster" in stand_in.calls


def test_no_container_at_all(stand_in: StandIn) -> None:
    answers(stand_in, [])
    assert docker("web", 80).containers == ()
    assert not any(call.startswith("inspect") for call in stand_in.calls)


def test_a_container_that_went_away_hides_no_other(stand_in: StandIn) -> None:
    answers(stand_in, [NODE, NODE])
    stand_in.program(
        "docker",
        '#!/bin/sh\ncase "$*" in\n'
        '  inspect*\\ 0) cat "$STAND_IN/inspect" ;;\n'
        "  inspect*) echo 'Error: No such container: 1' >&2; exit 1 ;;\n"
        '  *) cat "$STAND_IN/$1" ;;\nesac\n',
    )
    (stand_in.folder / "inspect").write_text(json.dumps([NODE]))
    assert docker("web", 80).containers == (NODE,)


DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"echo '{DOWN}' >&2; exit 1", DOWN),
        (f"""test "$1" = info || exit 0; echo '{{"ServerErrors": ["{DOWN}"]}}'""", DOWN),
        ("echo 'permission denied while trying to connect' >&2; exit 1", "permission denied while trying to connect"),
        ("exit 125", "ended with 125"),
        ('test "$1" = info && echo no-json; exit 0', "not in JSON"),
        ("sleep 5", "took longer than 0 s"),
    ],
    ids=["down", "down, older client", "not allowed", "silent", "no JSON", "hanging"],
)
def test_a_docker_that_does_not_answer(stand_in: StandIn, script: str, said: str) -> None:
    stand_in.program("docker", f"#!/bin/sh\n{script}\n")
    with pytest.raises(DockerError, match=said.replace("?", r"\?")):
        docker("web", 80, seconds=0.4)


def test_no_docker_at_all(stand_in: StandIn) -> None:
    (stand_in.bin / "docker").unlink()
    with pytest.raises(DockerError, match="docker is not on PATH"):
        docker("web", 80)
