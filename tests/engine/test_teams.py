"""What docs/teams.md says, by the real engine: a bucket on a local server, and stacks that move, meet and are read."""

import dataclasses
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from hops.model.plan import plan
from hops.rules.files.stack_file_settings import stack_settings
from tests.engine.conftest import Clone, clone_of
from tests.test_documents import TEAMS, blocks

BUCKET, KEY, REGION = "hops-state", "alias/hops", "us-east-1"
DOCUMENTED = "http://127.0.0.1:9000"
"""The endpoint that the document names."""
STATE = ".pulumi/stacks/ingress-hops/alice.json"
DUMMY = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "hidden-from-state",
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
WAITS = """
import pathlib, time
import pulumi
if not pulumi.runtime.is_dry_run():
    pathlib.Path("started").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server that speaks S3 and KMS, with a bucket and a key."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client("s3", url).create_bucket(Bucket=BUCKET)
    kms = client("kms", url)
    kms.create_alias(AliasName=KEY, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    yield url
    server.stop()


def client(service: str, endpoint: str) -> Any:
    secret = DUMMY["AWS_SECRET_ACCESS_KEY"]
    return boto3.client(
        service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id="nobody", aws_secret_access_key=secret
    )


def in_bucket(endpoint: str) -> dict[str, str]:
    """What the bucket holds, by key."""
    s3 = client("s3", endpoint)
    listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {o["Key"]: s3.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read().decode() for o in listed}


def documented(start: str) -> str:
    """The one command of the document that starts so."""
    (found,) = {command for command in TEAMS if command.startswith(start)}
    return found


def bucket_url(endpoint: str) -> str:
    """The backend that the document names, on the server of these tests."""
    (export,) = [command for command in TEAMS if DOCUMENTED in command]
    _, assigned = shlex.split(export)
    return assigned.removeprefix("PULUMI_BACKEND_URL=").replace(DOCUMENTED, endpoint)


@pytest.fixture(scope="module")
def team(origin: Path, manifests: Path, endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A developer whose state is in the bucket."""
    clone = clone_of(origin, tmp_path_factory.mktemp("team"), manifests)
    clone.environment.update(DUMMY, PULUMI_BACKEND_URL=bucket_url(endpoint), AWS_ENDPOINT_URL=endpoint)
    return clone


def shell(clone: Clone, command: str) -> str:
    """Runs a command of the document, as it stands there."""
    return clone.run("bash", "-c", command).stdout


def with_other(clone: Clone, **environment: str) -> Clone:
    return Clone(clone.folder, clone.environment | environment)


ANOTHER = {"PULUMI_CONFIG_PASSPHRASE": "another"}


@pytest.fixture(scope="module")
def alice(team: Clone) -> str:
    """What `hops stack new alice` wrote, before Pulumi has added to it."""
    team.run(*shlex.split(".venv/bin/hops stack new alice"))
    return (team.folder / "stacks" / "Pulumi.alice.yaml").read_text()


def test_a_new_file_is_taken_by_plain_pulumi(team: Clone, alice: str, endpoint: str) -> None:
    """It gains a salt and loses nothing, its preview is whole, and the state is in the bucket alone."""
    shell(team, documented("pulumi stack init alice"))
    after = (team.folder / "stacks" / "Pulumi.alice.yaml").read_text()
    assert re.fullmatch(re.escape(alice) + r"encryptionsalt: v1:\S+\n", after)
    assert team.status() == "?? stacks/Pulumi.alice.yaml\n"
    said = shell(team, documented("pulumi preview --stack alice"))
    assert re.search(r"\+ \d\d to create", said)
    assert STATE in in_bucket(endpoint)
    assert not (team.folder / ".ingress-hops" / "state").exists()


def test_the_list_reads_the_bucket(team: Clone, alice: str) -> None:
    assert "httpPort" in alice
    listed = json.loads(team.run(".venv/bin/hops", "stack", "list", "--format", "json").stdout)
    assert {row["name"]: row["resources"] for row in listed} == {"alice": 0, "ci": 0, "local": 0, "seed": 0}


def test_state_moves_by_export_and_import(team: Clone, alice: str, endpoint: str, tmp_path: Path) -> None:
    """From a folder into the bucket, with its outputs; what is imported is what was exported."""
    assert "my-service.alice.localhost" in alice
    folder = with_other(team, PULUMI_BACKEND_URL=f"file://{tmp_path}")
    folder.pulumi("stack", "init", "alice")
    state = json.loads(folder.pulumi("stack", "export", "--stack", "alice"))
    intended = plan(stack_settings("alice", alice.encode())).paths[0]
    outputs = {"url": intended.url, "hops": json.loads(json.dumps([dataclasses.asdict(hop) for hop in intended.hops]))}
    kind = "pulumi:pulumi:Stack"
    urn = f"urn:pulumi:alice::ingress-hops::{kind}::ingress-hops-alice"
    state["deployment"]["resources"] = [{"urn": urn, "custom": False, "type": kind, "outputs": outputs}]
    made = tmp_path / "made.json"
    made.write_text(json.dumps(state))
    folder.pulumi("stack", "import", "--stack", "alice", "--file", str(made))

    shell(folder, documented("pulumi stack export"))
    shell(team, documented("pulumi stack import"))
    assert json.loads(with_other(team, **ANOTHER).pulumi("stack", "output", "--json", "--stack", "alice")) == outputs
    (resource,) = json.loads(in_bucket(endpoint)[STATE])["checkpoint"]["latest"]["resources"]
    assert resource["outputs"] == outputs
    (team.folder / "alice.json").unlink()


def test_another_program_reads_the_outputs(team: Clone, tmp_path: Path) -> None:
    """The document's own program, in another project; whoever runs it needs nobody's passphrase but its own."""
    (program,) = blocks("docs/teams.md", "python")
    write_program(tmp_path, program)
    theirs = Clone(tmp_path, team.environment | ANOTHER)
    theirs.pulumi("stack", "init", "reader")
    theirs.pulumi("up", "--yes", "--skip-preview", "--stack", "reader")
    seen = json.loads(theirs.pulumi("stack", "output", "--json", "--stack", "reader"))
    port = re.search(r"httpPort: (\d+)", (team.folder / "stacks/Pulumi.alice.yaml").read_text())
    assert port
    assert seen == {"theirs": f"http://my-service.alice.localhost:{port[1]}/", "hops": 12}
    (tmp_path / "__main__.py").write_text(program.replace("/alice", "/nobody"))
    failed = theirs.run("pulumi", "up", "--yes", "--skip-preview", "--stack", "reader", check=False)
    assert failed.returncode != 0
    assert "nobody" in failed.stdout + failed.stderr


def write_program(folder: Path, program: str) -> None:
    runtime = f"{{name: python, options: {{virtualenv: {sys.prefix}}}}}"
    (folder / "Pulumi.yaml").write_text(f"name: another\nruntime: {runtime}\n")
    (folder / "__main__.py").write_text(program)


@pytest.fixture(params=["file", "s3"])
def waiting(
    request: pytest.FixtureRequest, team: Clone, tmp_path: Path
) -> Iterator[tuple[Clone, subprocess.Popen[str]]]:
    """A project whose `up` is under way until a file `go` is there."""
    write_program(tmp_path, WAITS)
    (tmp_path / "state").mkdir()
    urls = {"file": f"file://{tmp_path / 'state'}", "s3": team.environment["PULUMI_BACKEND_URL"]}
    clone = Clone(tmp_path, team.environment | {"PULUMI_BACKEND_URL": urls[request.param]})
    clone.pulumi("stack", "init", "alice")
    words = ["pulumi", "up", "--yes", "--skip-preview", "--stack", "alice", "--non-interactive"]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(words, cwd=tmp_path, env=clone.environment, **streams) as first:
        deadline = time.monotonic() + 60
        while not (tmp_path / "started").exists():
            assert first.poll() is None, first.communicate()[0]
            assert time.monotonic() < deadline, "the first up does not start its program"
            time.sleep(0.1)
        yield clone, first
        (tmp_path / "go").touch()
    clone.pulumi("cancel", "--yes", "--stack", "alice")
    clone.pulumi("stack", "rm", "alice", "--yes", "--force")


def second(clone: Clone, *words: str) -> subprocess.CompletedProcess[str]:
    return clone.run("pulumi", *words, "--stack", "alice", "--non-interactive", "--color=never", check=False)


def locked(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether that is what the document says of a second `up`."""
    (message,) = (block for block in blocks("docs/teams.md", "") if "locked" in block)
    reported, where = message.splitlines()
    assert reported in done.stderr, done.stdout + done.stderr
    shape = re.sub(r"s3://\S+", r"\\S+/.pulumi/locks/organization/another/alice/[-0-9a-f]+.json\\S*", where)
    shape = shape.replace("bob@laptop (pid 4711)", r"\S+@\S+ \(pid \d+\)")
    assert re.search(re.sub(r"at 2026\S+", r"at \\S+", shape), done.stderr), done.stderr
    return done.returncode == 1


def test_the_second_up_names_who_has_the_lock(waiting: tuple[Clone, subprocess.Popen[str]]) -> None:
    """And the first goes on; previews and outputs are read all the while."""
    clone, first = waiting
    assert locked(second(clone, "up", "--yes", "--skip-preview"))
    assert locked(second(clone, "destroy", "--yes", "--skip-preview"))
    assert second(clone, "preview").returncode == 0
    assert second(clone, "stack", "output").returncode == 0
    (clone.folder / "go").touch()
    assert first.wait(60) == 0
    assert second(clone, "up", "--yes", "--skip-preview").returncode == 0


def test_the_lock_of_a_killed_up_is_cancelled(waiting: tuple[Clone, subprocess.Popen[str]]) -> None:
    clone, first = waiting
    # Stopped before its children go, so that it cannot end well; they would stay behind otherwise.
    first.send_signal(signal.SIGSTOP)
    subprocess.run(["pkill", "-KILL", "-P", str(first.pid)], check=False)
    first.kill()
    first.wait(60)
    (clone.folder / "go").touch()
    assert locked(second(clone, "up", "--yes", "--skip-preview"))
    shell(clone, documented("pulumi cancel"))
    assert second(clone, "up", "--yes", "--skip-preview").returncode == 0


def test_cancelling_takes_the_lock_and_stops_nobody(waiting: tuple[Clone, subprocess.Popen[str]]) -> None:
    clone, first = waiting
    shell(clone, documented("pulumi cancel"))
    assert first.poll() is None
    (clone.folder / "go").touch()
    assert "Resources:\n    + 1 created" in first.communicate(timeout=60)[0]


def test_a_stack_may_have_another_secrets_provider(team: Clone, endpoint: str) -> None:
    """A key of KMS: it stands in the stack file and in the state, and no passphrase is asked for."""
    file = team.folder / "stacks" / "Pulumi.carol.yaml"
    committed = (team.folder / "stacks" / "Pulumi.local.yaml").read_text()
    file.write_text(committed)
    shell(with_other(team, **ANOTHER), documented("pulumi stack init carol"))
    settings, _, salt = committed.partition("encryptionsalt")
    assert salt
    keys = r"secretsprovider: awskms://alias/hops\?region=us-east-1\nencryptedkey: \S+\n"
    assert re.fullmatch(re.escape(settings) + keys, file.read_text())
    state = json.loads(in_bucket(endpoint)[STATE.replace("alice", "carol")])
    assert state["checkpoint"]["latest"]["secrets_providers"]["type"] == "cloud"
    team.pulumi("stack", "rm", "carol", "--yes", "--preserve-config")
    team.pulumi("stack", "init", "carol")
    assert re.fullmatch(re.escape(settings) + r"encryptionsalt: v1:\S+\n", file.read_text()), (
        "what the document warns of"
    )
    team.pulumi("stack", "rm", "carol", "--yes")


def test_a_stack_changes_over_to_another_secrets_provider(team: Clone) -> None:
    shell(team, documented("pulumi stack change-secrets-provider"))
    assert "awskms" in (team.folder / "stacks" / "Pulumi.alice.yaml").read_text()
    assert with_other(team, **ANOTHER).preview("alice").returncode == 0


def test_nobodys_credentials_are_kept(team: Clone, endpoint: str) -> None:
    kept = "".join(in_bucket(endpoint).values()) + (team.folder / "stacks" / "Pulumi.alice.yaml").read_text()
    assert DUMMY["AWS_SECRET_ACCESS_KEY"] not in kept


def test_the_stack_goes_and_its_file_stays(team: Clone, endpoint: str) -> None:
    shell(team, documented(".venv/bin/hops stack rm"))
    assert STATE not in in_bucket(endpoint)
    assert (team.folder / "stacks" / "Pulumi.alice.yaml").exists()
