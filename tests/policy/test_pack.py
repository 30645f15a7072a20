"""The pack over gRPC, as the engine asks it."""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import analyzer_pb2 as messages

from hops.kubernetes.inventory import Inventory
from hops.model.finding import Place
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.finding_text import as_message
from hops.rules.judge import judge
from hops.rules.rule import Rule
from tests.hops.rules.cases import documents
from tests.policy.pack import FOLDER, NAME, UNKNOWN, Pack, codes, forked, running

POD = "kubernetes:core/v1:Pod"
COMMAND = "command:local:Command"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
LATER = "9999-01-01"
CLUSTER: dict[str, Any] = {
    "apiVersion": "kind.x-k8s.io/v1alpha4",
    "kind": "Cluster",
    "name": "dev",
    "nodes": [
        {"role": "control-plane"},
        {"role": "worker", "extraPortMappings": [{"containerPort": 80, "hostPort": 80, "listenAddress": "0.0.0.0"}]},
    ],
}


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}


@pytest.fixture
def pack(environment: dict[str, str]) -> Iterator[Pack]:
    with forked(environment) as found:
        yield found


def pod(port: object = 81, **metadata: str) -> dict[str, Any]:
    ports = [{"containerPort": 81, "hostPort": port}]
    spec = {"automountServiceAccountToken": False, "containers": [{"name": "web", "image": "web", "ports": ports}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "apps", "name": "web", **metadata},
        "spec": spec,
    }


def command(**properties: object) -> dict[str, Any]:
    return {"create": "kind create cluster --config -", **properties}


def test_mandatory_stops_the_resource_and_advice_comes_with_the_stack(pack: Pack) -> None:
    assert codes(pack.analyze(POD, pod())) == [("mandatory", "HP01")]
    assert {code for level, code in codes(pack.stack((POD, pod(), "it"))) if level == "advisory"} == {"EX04", "EX05"}


def test_a_message_begins_with_the_code_and_ends_with_the_finding_as_json(pack: Pack) -> None:
    ((_, message),) = pack.analyze(POD, pod())
    first, remedy, place, last = message.split("\n")
    assert first.startswith("HP01 Pod/apps/web: container web uses hostPort 81/TCP")
    assert remedy == f"Remedy: {RULES['HP01'].remedy}"
    path = "/spec/containers/0/ports/0/hostPort"
    assert place == f"At: {path}"
    resource = {"apiVersion": "v1", "kind": "Pod", "namespace": "apps", "name": "web"}
    given = json.loads(last)["ingress-hops"]
    assert (given["code"], given["resource"], given["path"]) == ("HP01", resource, path)
    assert given["patch"] == {"resource": resource, "operations": [{"op": "remove", "path": path}]}


@pytest.mark.parametrize("port", [UNKNOWN, "3eeb2bf0-c639-47a8-9e75-3b44932eb421"])
def test_an_unknown_value_is_mandatory_too(pack: Pack, port: str) -> None:
    said = pack.analyze(POD, pod(port))
    assert ("mandatory", "PK01") in codes(said)
    assert "/spec/containers/0/ports/0/hostPort is not known yet" in said[0][1]


def test_unknown_values_elsewhere_are_no_matter(pack: Pack) -> None:
    bare = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it", "namespace": "apps"}}
    assert pack.preview(("kubernetes:core/v1:ConfigMap", {**bare, "data": {"key": UNKNOWN}}, "it")) == []


def test_empty_outputs_are_judged_by_their_inputs(pack: Pack) -> None:
    backend = {"service": {"name": "gone", "port": {"number": 80}}}
    rule = {"host": "a.localhost", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "it", "namespace": "apps"},
        "spec": {"ingressClassName": "contour", "rules": [rule]},
    }
    pack.analyze(INGRESS, ingress)
    assert ("mandatory", "IN01") in codes(pack.stack((INGRESS, {}, "it")))


def test_empty_outputs_without_inputs_are_undecidable(pack: Pack) -> None:
    said = codes(pack.stack((INGRESS, {}, "it")))
    assert ("mandatory", "PK01") in said


def test_what_the_cluster_adds_to_an_object_is_not_judged(pack: Pack) -> None:
    declared = pod(0)
    live = {**declared, "spec": {**declared["spec"], "hostNetwork": True}}
    pack.analyze(POD, declared)
    assert not [code for _, code in codes(pack.stack((POD, live, "it"))) if code.startswith("HP")]


def test_an_opaque_resource_is_named(pack: Pack) -> None:
    assert ("advisory", "PK02") in codes(pack.preview(("kubernetes:helm.sh/v3:Release", {"chart": "nginx"}, "it")))
    assert ("advisory", "PK02") in codes(pack.preview(("command:remote:Command", {"create": "ls"}, "it")))


@pytest.mark.parametrize(
    "properties",
    [
        command(stdin=json.dumps(CLUSTER)),
        command(stdin=UNKNOWN, triggers=[CLUSTER]),
        command(stdin=json.dumps({"not": "it"}), triggers=[CLUSTER]),
    ],
)
def test_a_kind_configuration_is_read_from_its_command(pack: Pack, properties: dict[str, Any]) -> None:
    assert ("mandatory", "KN05") in codes(pack.analyze(COMMAND, properties))


@pytest.mark.parametrize("properties", [command(stdin=UNKNOWN), command(), {"create": UNKNOWN}])
def test_a_cluster_without_a_readable_configuration_is_undecidable(pack: Pack, properties: dict[str, Any]) -> None:
    assert ("mandatory", "PK01") in codes(pack.analyze(COMMAND, properties))


def test_other_commands_are_left_alone(pack: Pack) -> None:
    assert pack.preview((COMMAND, {"create": "true", "stdin": json.dumps(CLUSTER)}, "it")) == []


def test_a_rule_is_switched_by_its_code(pack: Pack) -> None:
    pack.configure({"HP01": {"level": "disabled"}, "HP02": {"level": "advisory"}})
    assert pack.analyze(POD, pod()) == []
    assert ("advisory", "HP02") in codes(pack.stack((POD, pod(), "it")))


def test_parameters_and_exceptions_are_applied(pack: Pack) -> None:
    reason = {"reason": "scraped on the node", "owner": "alice", "expires": LATER}
    pack.configure(
        {
            "HP01": {"parameters": {"allowed": [{"port": 81}]}},
            "HP02": {"exceptions": [{"resource": "Pod/apps/web", **reason}]},
        }
    )
    assert pack.analyze(POD, pod()) == []
    # Nobody may except for ever.
    assert ("mandatory", "PK03") in codes(pack.stack((POD, pod(), "it")))


def test_what_is_left_after_remediation_is_mandatory(pack: Pack) -> None:
    assert pack.mended(POD, pod()) is None
    pack.configure({code: {"level": "remediate"} for code in ("HP01", "HP02")})
    mended = pack.mended(POD, pod(UNKNOWN) | pod())
    assert mended["spec"]["containers"] == [{"name": "web", "image": "web", "ports": [{"containerPort": 81.0}]}]
    assert mended["metadata"] == {"name": "web", "namespace": "apps"}
    assert pack.analyze(POD, mended) == []
    assert codes(pack.analyze(POD, pod())) == [("mandatory", "HP01")]


def test_remediation_leaves_unknown_values_and_secrets_as_they_are(pack: Pack) -> None:
    pack.configure({"HP01": {"level": "remediate"}})
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "hush"}
    given = pod(labels={"a": UNKNOWN, "b": secret})  # type: ignore[arg-type]
    assert pack.mended(POD, given)["metadata"] == given["metadata"]
    assert pack.mended(POD, pod(UNKNOWN)) is None


def reached() -> tuple[dict[str, Any], dict[str, Any]]:
    """A pod that says nothing of tokens and users, and a Service that leads to it from outside."""
    container = {"name": "web", "image": "web", "ports": [{"containerPort": 8080}]}
    metadata = {"name": "web", "namespace": "apps"}
    web = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "labels": {"app": "web"}}}
    ports = [{"port": 80, "targetPort": 8080}]
    spec = {"type": "NodePort", "selector": {"app": "web"}, "ports": ports}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    return {**web, "spec": {"containers": [container]}}, service


MENDING = {"EX02": {"level": "remediate"}, "EX04": {"level": "remediate"}}


def assert_harmless(mended: dict[str, Any]) -> None:
    assert mended["spec"]["automountServiceAccountToken"] is False
    (container,) = mended["spec"]["containers"]
    assert container["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "readOnlyRootFilesystem": True,
    }


def test_a_pod_that_is_reached_by_itself_is_mended_by_itself(pack: Pack) -> None:
    pack.configure({**MENDING, "HP01": {"level": "disabled"}, "HP02": {"level": "disabled"}})
    web, _ = reached()
    assert pack.mended(POD, web) is None, "nothing leads to it"
    web["spec"]["containers"][0]["ports"] = [{"containerPort": 8080, "hostPort": 8080}]
    mended = pack.mended(POD, web)
    assert_harmless(mended)
    pack.analyze(POD, mended)
    assert not [code for _, code in codes(pack.stack((POD, mended, "it"))) if code in MENDING]


def test_a_pod_is_mended_in_the_light_of_what_was_declared_before_it(pack: Pack) -> None:
    pack.configure({**MENDING, "SV03": {"level": "disabled"}})
    web, service = reached()
    pack.analyze("kubernetes:core/v1:Service", service)
    assert_harmless(pack.mended(POD, web))
    service["spec"]["type"] = "ClusterIP"
    pack.analyze("kubernetes:core/v1:Service", service)
    assert pack.mended(POD, web) is None


def test_a_pod_that_is_reached_by_what_comes_after_it_is_mandatory_and_has_its_patch(pack: Pack) -> None:
    pack.configure({**MENDING, "SV03": {"level": "disabled"}})
    web, service = reached()
    assert pack.mended(POD, web) is None
    said = pack.preview((POD, web, "web"), ("kubernetes:core/v1:Service", service, "it"))
    patched = {message[:4] for level, message in said if level == "mandatory" and '"patch":{"resource"' in message}
    assert patched == set(MENDING)


def test_remediation_of_a_cluster_changes_what_kind_reads_and_its_trigger(pack: Pack) -> None:
    pack.configure({"KN05": {"level": "remediate"}})
    mended = pack.mended(COMMAND, command(stdin=json.dumps(CLUSTER), triggers=[CLUSTER, "image"]))
    assert json.loads(mended["stdin"]) == mended["triggers"][0]
    assert mended["triggers"][0]["nodes"][1]["extraPortMappings"][0]["listenAddress"] == "127.0.0.1"
    assert mended["triggers"][1] == "image"
    assert pack.analyze(COMMAND, mended) == []


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"HP01": {"level": "remedate"}}, "rules.HP01.level is 'remedate'"),
        ({"HP01": {"parameters": {"allowd": []}}}, "rules.HP01.parameters.allowd: there is no such parameter"),
        ({"hp1": {}}, "rules.hp1"),
        ({"HP01": {"exceptions": [{"resource": "a"}]}}, "rules.HP01.exceptions.0.reason is missing"),
        ({"HP05": {"level": "remediate"}}, "rules.HP05.level is remediate, which HP05 does not support"),
    ],
)
def test_a_wrong_configuration_stops_the_stack_once_and_names_the_key(
    pack: Pack, rules: dict[str, Any], said: str
) -> None:
    pack.configure(rules)
    assert pack.mended(POD, pod()) is None
    ((level, sentence),) = pack.preview((POD, pod(), "it"), (POD, pod(), "other"))
    assert level == "mandatory"
    assert sentence.startswith(f"the policy pack's configuration: {said}")


def test_a_code_of_no_rule_is_a_finding(pack: Pack) -> None:
    pack.configure({"HP99": {"level": "disabled"}})
    assert [code for _, code in codes(pack.preview((POD, pod(0), "it")))] == ["PK04"]


def stack_says(pack: Pack, policy: object, others: Mapping[str, object] | None = None, project: str = "shop") -> None:
    config = {f"{NAME}:{key}": json.dumps(value) for key, value in {"policy": policy, **(others or {})}.items()}
    request = messages.AnalyzerStackConfigureRequest(stack="dev", project=project, config=config)
    pack.stub.ConfigureStack(request)


def test_the_stack_is_read_and_the_stricter_level_wins(pack: Pack) -> None:
    rules = {"HP01": {"level": "advisory"}, "HP02": {"level": "disabled"}}
    stack_says(pack, {"rules": rules})
    assert pack.analyze(POD, pod()) == []
    pack.configure({"HP02": {"level": "mandatory"}})
    assert codes(pack.analyze(POD, pod())) == [("mandatory", "HP02")]


def test_older_engines_tell_by_the_environment(environment: dict[str, str]) -> None:
    config = {f"{NAME}:policy": json.dumps({"rules": {"HP01": {"level": "disabled"}}})}
    variables = {"PULUMI_CONFIG": json.dumps(config), "PULUMI_PROJECT": "shop", "PULUMI_STACK": "dev"}
    with running({**environment, **variables, "PULUMI_DRY_RUN": "true"}) as pack:
        assert codes(pack.analyze(POD, pod())) == [("mandatory", "HP02")]


@pytest.mark.parametrize(
    ("policy", "others", "said"),
    [
        (
            {"rules": {"HP01": {"lvl": "x"}}},
            {},
            "ingress-hops:policy.rules.HP01.lvl: there is no such key; did you mean level? (keys: ",
        ),
        (
            {"rules": {"HP01": {"parameters": {"allowd": []}}}},
            {},
            "ingress-hops:policy.rules.HP01.parameters.allowd: there is no such parameter; did you mean allowed? ",
        ),
        ({}, {"cluster": {"httpPort": 0}}, "ingress-hops:cluster.httpPort is 0"),
    ],
)
def test_a_wrong_stack_stops_once_and_names_the_key(
    pack: Pack, policy: object, others: dict[str, object], said: str
) -> None:
    """The pack reports it for a program of another project; this project's program refuses it by itself."""
    stack_says(pack, policy, others)
    ((level, sentence),) = pack.preview((POD, pod(), "it"), (POD, pod(), "other"))
    assert (level, sentence.startswith(said)) == ("mandatory", True)
    stack_says(pack, policy, others, NAME)
    assert pack.preview((POD, pod(), "it")) == []


def test_a_fault_of_the_pack_is_a_finding(pack: Pack) -> None:
    odd: dict[str, Any] = {"metadata": 1, "spec": [], "stdin": "kind.x-k8s.io: [", "create": "kind create cluster"}
    for kind in (POD, COMMAND, "kubernetes:core/v1:PodList", "kubernetes:yaml/v2:ConfigGroup", "a:b:C"):
        assert not [message for _, message in pack.preview((kind, odd, "it")) if "fault of the" in message]


def test_a_namespace_that_the_provider_gives_counts(pack: Pack) -> None:
    def spoken(namespace: str) -> set[tuple[str, str]]:
        bare = pod(0)
        del bare["metadata"]["namespace"]
        pack.analyze(POD, bare, provider={"namespace": namespace} if namespace else {})
        return set(codes(pack.stack((POD, {}, "it"))))

    assert ("advisory", "EX07") in spoken("")
    assert ("advisory", "EX07") not in spoken("apps")


def kind(name: str, port: int) -> dict[str, Any]:
    ports = [{"containerPort": 80, "hostPort": port, "listenAddress": "127.0.0.1"}]
    nodes = [{"role": "control-plane", "extraPortMappings": ports}]
    return command(stdin=json.dumps({**CLUSTER, "name": name, "nodes": nodes}))


def ingress(host: str) -> dict[str, Any]:
    metadata = {"name": "it", "namespace": "apps"}
    rules = [{"host": host, "http": {"paths": []}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": {"ingressClassName": "contour", "rules": rules},
    }


@pytest.fixture
def beside_alice(environment: dict[str, str], tmp_path: Path) -> Iterator[Pack]:
    """A pack that lies beside the stack files of alice, of ours, and of one that is broken."""
    (tmp_path / "policy").symlink_to(FOLDER)
    (tmp_path / "stacks").mkdir()
    cluster = "{name: alice, httpPort: 8090, httpsPort: null}"
    alice = f"config: {{ingress-hops:cluster: {cluster}, ingress-hops:services: [{{host: a.localhost}}]}}"
    for name, text in {"alice": alice, "dev": alice, "broken": "config: {ingress-hops:cluster: 1}"}.items():
        (tmp_path / "stacks" / f"Pulumi.{name}.yaml").write_text(text)
    with running(environment, tmp_path / "policy") as pack:
        yield pack


def test_what_another_stack_holds_stops_a_resource_before_it_is_made(beside_alice: Pack) -> None:
    stack_says(beside_alice, {}, {"cluster": {"httpPort": 8090}})
    said = dict(message.split(" ", 1) for _, message in beside_alice.analyze(COMMAND, kind("alice", 8090)))
    assert said["XS01"].startswith("Cluster/alice: 127.0.0.1:8090/TCP is already used by the stack alice.\n")
    assert said["XS03"].startswith("Cluster/alice: cluster name alice is already used by the stack alice.\n")
    assert ("mandatory", "XS02") in codes(beside_alice.analyze(INGRESS, ingress("A.localhost")))
    provider = "pulumi:providers:kubernetes"
    assert ("mandatory", "XS03") in codes(beside_alice.analyze(provider, {"context": "kind-alice"}))
    assert not [c for _, c in codes(beside_alice.analyze(COMMAND, kind("bob", 8091))) if c.startswith("XS")]
    assert not [c for _, c in codes(beside_alice.analyze(INGRESS, ingress("b.localhost"))) if c.startswith("XS")]
    assert beside_alice.analyze(provider, {"context": "kind-bob"}) == []


def test_a_stack_holds_nothing_against_itself_nor_against_another_project(beside_alice: Pack) -> None:
    config = {f"{NAME}:cluster": json.dumps({"httpPort": 8090})}
    ours = messages.AnalyzerStackConfigureRequest(stack="alice", project=NAME, config=config)
    beside_alice.stub.ConfigureStack(ours)
    # The stack dev has the same file, and that is another.
    said = [message for _, message in beside_alice.analyze(COMMAND, kind("alice", 8090))]
    assert {message.partition("already used by ")[2].partition(".")[0] for message in said} == {"the stack dev"}
    stack_says(beside_alice, {})
    assert beside_alice.analyze(COMMAND, kind("alice", 8090)) == []


def test_a_stack_file_that_is_none_is_reported(beside_alice: Pack) -> None:
    stack_says(beside_alice, {}, {"cluster": {"httpPort": 8090}})
    (said,) = beside_alice.preview()
    assert said[0] == "advisory"
    assert said[1].startswith(
        "the ports and names of the stack broken are unknown, because stacks/Pulumi.broken.yaml is invalid: ingress-"
    )


@pytest.fixture(scope="module")
def shared_pack(environment: dict[str, str]) -> Iterator[Pack]:
    with running(environment) as found:
        yield found


def declared(number: int, body: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
    """An object as the resource that makes it."""
    version, kind = body["apiVersion"], body["kind"]
    if kind == "Cluster":
        return COMMAND, command(stdin=json.dumps(body)), f"it-{number}"
    if version == "pulumi":
        return kind, body["spec"], body["metadata"]["name"]
    return f"kubernetes:{version if '/' in version else f'core/{version}'}:{kind}", body, f"it-{number}"


@pytest.mark.parametrize(
    "rule",
    # Files hold Policy and Fleet objects, which the engine tells the pack in other ways; PK01 speaks of unknown values.
    [r for r in RULES.values() if r.code != "PK01" and not {"Policy", "Fleet"} & {d["kind"] for d in documents(r.bad)}],
    ids=lambda rule: rule.code,
)
def test_pack_and_check_say_the_same_sentence(shared_pack: Pack, rule: Rule) -> None:
    bodies = documents(rule.bad)
    inventory = Inventory(((body, Place()) for body in bodies), today=datetime.now(UTC).date())
    said = {as_message(finding).rpartition("\n")[0] for finding in judge(inventory, configure(), [rule])}
    resources = [declared(number, body) for number, body in enumerate(bodies)]
    received = {message.rpartition("\n")[0] for _, message in shared_pack.preview(*resources)}
    assert said
    assert said <= received
