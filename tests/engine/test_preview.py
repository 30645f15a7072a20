"""Previews by the real engine and its real providers; nothing is created, Docker is a stand-in."""

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.rpc import UNKNOWN

from hops.model.plan import plan
from hops.model.settings.stack_config import settings
from tests.conftest import stack_config
from tests.engine.conftest import POLICY, Clone, Preview, clone_of

STACKS = ("seed", "local", "ci")


@pytest.fixture(scope="module")
def stacks(clone: Clone) -> Iterator[Clone]:
    """The clone with the project's stacks."""
    for stack in STACKS:
        clone.pulumi("stack", "init", stack)
    yield clone
    for stack in STACKS:
        clone.pulumi("stack", "rm", stack, "--yes", "--preserve-config")


@pytest.fixture(scope="module")
def previews(stacks: Clone) -> Mapping[str, Preview]:
    """A preview of each of the project's stacks with the policies on."""
    made = {stack: stacks.preview(stack, *POLICY) for stack in STACKS}
    for preview in made.values():
        assert preview.returncode == 0, preview.text
    return made


@pytest.fixture
def seed_preview(previews: Mapping[str, Preview]) -> Preview:
    return previews["seed"]


def without_unknown(value: Any, planned: Any) -> Any:
    """The value with what is planned in each place where the preview says that it is not known yet."""
    if planned is None and UNKNOWN in json.dumps(value):
        return None
    if isinstance(value, dict):
        return {key: without_unknown(item, planned[key]) for key, item in value.items()}
    if isinstance(value, list):
        return [without_unknown(item, below) for item, below in zip(value, planned, strict=True)]
    return planned if value == UNKNOWN else value


def hops(stack: str) -> Any:
    """The planned hops of a stack whose services have one route, which its hops do not name."""
    paths = plan(settings(stack, stack_config(stack))).paths
    planned = [dataclasses.asdict(hop) for path in paths for hop in path.hops]
    return json.loads(json.dumps([{k: v for k, v in hop.items() if k != "route"} for hop in planned]))


def one(preview: Preview, kind: str, name: str) -> dict[str, Any]:
    (found,) = [
        r["inputs"] for r in preview.resources if r["type"].endswith(f":{kind}") and r["urn"].endswith(f"::{name}")
    ]
    assert isinstance(found, dict)
    return found


def test_a_new_seed_lists_everything_with_its_inputs(seed_preview: Preview) -> None:
    resources = seed_preview.resources
    assert len(resources) == 72
    objects = [r for r in resources if r["type"].startswith("kubernetes:")]
    assert len(objects) == 65
    assert all(r["inputs"]["metadata"]["name"] for r in objects)
    assert all("ingress-hops:index:" in r["parent"] for r in objects)
    envoy = one(seed_preview, "DaemonSet", "contour-daemonset-envoy")["spec"]["template"]["spec"]["containers"][1]
    assert [(p["name"], p.get("hostPort"), p["containerPort"]) for p in envoy["ports"]] == [
        ("http", 80, 8080),
        ("https", 443, 8443),
        ("metrics", None, 8002),
    ]
    ingress = one(seed_preview, "Ingress", "default/example-ingress-ingress")
    assert ingress["spec"]["rules"][0]["host"] == "my-service.local"
    assert one(seed_preview, "Pod", "default/example-pod")["metadata"]["name"] == "example-pod"
    kind = json.loads(one(seed_preview, "Command", "cluster-kind")["stdin"])
    assert kind["nodes"][1]["extraPortMappings"][0]["hostPort"] == 80


def test_a_new_seed_publishes_its_hops(seed_preview: Preview) -> None:
    assert without_unknown(seed_preview.outputs["hops"], hops("seed")) == hops("seed")
    assert seed_preview.outputs["curl"].endswith("http://my-service.local/etc/passwd")
    assert seed_preview.outputs["cluster"]["name"] == "sam-test-cluster"
    # Whoever runs this may hold port 80; what is said of that has tests of its own.
    warnings = [warning for warning in seed_preview.messages("warning") if " has that port on 0.0.0.0; " not in warning]
    assert warnings == seed_preview.messages("error") == []


def test_the_policies_advise_on_the_documents_stack(stacks: Clone, seed_preview: Preview, tmp_path: Path) -> None:
    assert {level for level, *_ in seed_preview.reported} == {"advisory"}
    assert {code for _, code, _ in seed_preview.reported} == {"EX01", "EX07", "IN14", "KN05", "TL05"}
    # The stricter level of pack and stack holds.
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"ingress-hops": {"rules": {"KN05": {"level": "mandatory"}}}}))
    stricter = stacks.preview("seed", *POLICY, "--policy-pack-config", str(config))
    assert stricter.returncode != 0
    assert ("mandatory", "KN05", "Cluster/sam-test-cluster") in stricter.reported


def test_every_object_is_deployed_by_the_clusters_provider(seed_preview: Preview) -> None:
    objects = [r for r in seed_preview.resources if r["type"].startswith("kubernetes:")]
    assert {r["provider"].split("::")[-2] for r in objects} == {"cluster-kubernetes"}


def test_two_previews_are_equal_and_one_can_be_saved(stacks: Clone, tmp_path: Path) -> None:
    """Nothing in a preview of a stack without a cluster comes from a clock."""
    plans = []
    for name in ("first", "second"):
        file = tmp_path / name
        stacks.run("pulumi", "preview", "--stack", "local", "--save-plan", str(file), PULUMI_EXPERIMENTAL="true")
        saved = json.loads(file.read_text())["resourcePlans"]
        # Seeds are the engine's own, and dependencies are a set.
        plans.append({urn: (r["goal"].get("inputDiff"), r["goal"].get("outputDiff")) for urn, r in saved.items()})
    assert plans[0] == plans[1]
    assert any(urn.endswith("cluster-kind") for urn in plans[0])


def test_a_file_in_the_kubeconfig_folders_way_is_reported(origin: Path, manifests: Path, tmp_path: Path) -> None:
    clone = clone_of(origin, tmp_path, manifests)
    clone.pulumi("stack", "init", "alice")
    clone.write_config("alice", {"cluster": {"kubeconfigFolder": "Makefile/kubeconfig"}})
    preview = clone.preview("alice")
    assert preview.returncode == 0, preview.text
    assert any("kubeconfigFolder is Makefile/kubeconfig: " in warning for warning in preview.messages("warning"))


@pytest.mark.parametrize("stack", ["local", "ci"])
def test_the_other_stacks(previews: Mapping[str, Preview], stack: str) -> None:
    preview = previews[stack]
    assert preview.reported == set()
    assert len(preview.resources) == 73, "and the namespace apps"
    assert without_unknown(preview.outputs["hops"], hops(stack)) == hops(stack)


def test_making_and_removing_a_stack_leaves_no_change(origin: Path, manifests: Path, tmp_path: Path) -> None:
    clone = clone_of(origin, tmp_path, manifests)
    clone.pulumi("stack", "init", "local")
    assert clone.status() == ""
    assert clone.preview("local").returncode == 0
    clone.pulumi("stack", "select", "local")
    assert clone.status() == ""
    clone.pulumi("stack", "rm", "local", "--yes", "--preserve-config")
    assert clone.status() == ""


def test_one_key_is_set_on_a_new_stack(origin: Path, manifests: Path, tmp_path: Path) -> None:
    clone = clone_of(origin, tmp_path, manifests)
    clone.pulumi("stack", "init", "alice")
    clone.pulumi("config", "set", "--stack", "alice", "--path", "ingress-hops:cluster.httpPort", "9090")
    clone.pulumi("config", "set", "--stack", "alice", "--path", "ingress-hops:services[0].name", "shop")
    preview = clone.preview("alice")
    assert preview.returncode == 0, preview.text
    assert preview.outputs["url"] == "http://shop.localhost:9090/"
    assert clone.status() == "?? stacks/Pulumi.alice.yaml\n"


def without_docker(folder: Path) -> str:
    """PATH, with each folder that holds docker seen through links to all the rest."""
    entries = []
    for number, entry in enumerate(os.environ["PATH"].split(os.pathsep)):
        if not Path(entry, "docker").exists():
            entries.append(entry)
            continue
        seen = folder / str(number)
        seen.mkdir()
        for program in Path(entry).iterdir():
            if program.name != "docker":
                (seen / program.name).symlink_to(program)
        entries.append(str(seen))
    return os.pathsep.join(entries)


def test_a_preview_needs_no_docker(stacks: Clone, tmp_path: Path) -> None:
    preview = stacks.preview("ci", PATH=without_docker(tmp_path))
    assert preview.returncode == 0, preview.text
    assert len(preview.resources) == 73
    warnings = preview.messages("warning")
    assert any("an up would stop here: docker is not on PATH; install Docker" in warning for warning in warnings)


@pytest.fixture(scope="module")
def bad(origin: Path, manifests: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = clone_of(origin, tmp_path_factory.mktemp("bad"), manifests)
    clone.pulumi("stack", "init", "bad")
    return clone


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"cluster": {"httpPort": 0}},
            "ingress-hops:cluster.httpPort is 0: it has to be a whole number from 1 to 65535",
        ),
        ({"cluster": {"httpPort": "80"}}, 'ingress-hops:cluster.httpPort is "80": it has to be a whole number'),
        (
            {"cluster": {"htpPort": 80}},
            "ingress-hops:cluster.htpPort: there is no such key; did you mean httpPort? (keys: existing, ",
        ),
        ({"clutser": {}}, "ingress-hops:clutser: there is no such key; did you mean cluster? (keys: cluster, calico, "),
        (
            {"cluster": {"httpPort": 443}},
            "ingress-hops:cluster: httpPort and httpsPort are both 443; give each its own",
        ),
        ({"services": []}, "ingress-hops:services is []: at least one entry"),
        ({"services": [{}, {}]}, "ingress-hops:services: my-service and my-service both claim the name"),
        ({"cluster": "text"}, "ingress-hops:cluster"),
        ({"services": {"name": "a"}}, "ingress-hops:services"),
    ],
    ids=["range", "type", "key", "section", "clash", "empty", "two services", "text for object", "object for list"],
)
def test_a_bad_configuration_stops_before_anything_is_registered(bad: Clone, config: dict[str, Any], said: str) -> None:
    bad.write_config("bad", config)
    refuses(bad, said)


def refuses(clone: Clone, said: str, **environment: str) -> None:
    preview = clone.preview("bad", **environment)
    assert preview.returncode != 0
    assert said in preview.text.replace('\\"', '"')
    assert "Traceback" not in preview.text
    assert preview.resources == []


def test_a_secret_stops_before_anything_is_registered(bad: Clone) -> None:
    bad.write_config("bad", {})
    bad.pulumi("config", "set", "--stack", "bad", "--secret", "--path", "ingress-hops:cluster.name", "hidden")
    refuses(bad, "ingress-hops:cluster is a secret, and settings are published in outputs")


def test_an_altered_published_file_stops_before_anything_is_registered(
    bad: Clone, manifests: Path, tmp_path: Path
) -> None:
    bad.write_config("bad", {})
    for file in manifests.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text() + "\n")
    refuses(bad, "calico-v3.31.0.yaml is not calico 3.31.0 as published", INGRESS_HOPS_MANIFESTS=str(tmp_path))
