"""Pulumi's configuration as settings."""

import json
from pathlib import Path

import pytest

from hops.model.settings.stack_config import SettingsError
from hops.model.settings.stack_settings import Settings
from stacks import config
from tests.conftest import committed
from tests.recording import Recording, run


def read(given: dict[str, str], secret: tuple[str, ...] = (), stack: str = "alice") -> Settings:
    taken: list[Settings] = []
    run(lambda: taken.append(config.read()), Recording(preview=True), stack, given, secret)
    return taken[0]


@pytest.fixture(autouse=True)
def _no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INGRESS_HOPS_NODE_IMAGE", raising=False)


def test_nothing_set_is_all_defaults() -> None:
    assert read({}).cluster.name == "ingress-hops-alice"


def test_objects_come_as_json() -> None:
    given = {"ingress-hops:cluster": json.dumps({"httpPort": 8081}), "ingress-hops:services": '[{"name": "a"}]'}
    taken = read(given)
    assert taken.cluster.http_port == 8081
    assert [service.name for service in taken.services] == ["a"]


def test_other_namespaces_are_none_of_ours() -> None:
    assert read({"pulumi:tags": '{"a": "b"}', "kubernetes:context": "x", "ingress-hops-more:cluster": "1"})


@pytest.mark.parametrize("text", ["hello", "{", "", "80", "null", "NaN", '"quoted"', "[1]"])
@pytest.mark.parametrize("key", ["cluster", "services", "policy"])
def test_a_text_where_an_object_belongs_is_reported(key: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^ingress-hops:{key}"):
        read({f"ingress-hops:{key}": text})


def test_an_unknown_key_is_reported() -> None:
    with pytest.raises(SettingsError, match="ingress-hops:clutser: there is no such key"):
        read({"ingress-hops:clutser": "{}"})


def test_a_secret_is_refused_unseen() -> None:
    given = {"ingress-hops:services": json.dumps([{"name": "hidden"}])}
    with pytest.raises(SettingsError) as caught:
        read(given, ("ingress-hops:services",))
    assert str(caught.value) == (
        "ingress-hops:services is a secret, and settings are published in outputs: "
        "write it in the stack's file without `secure`"
    )


def test_a_secret_of_another_namespace_is_left_alone() -> None:
    assert read({"other:token": "x"}, ("other:token",))


def test_the_node_image_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGRESS_HOPS_NODE_IMAGE", "mine:1")
    assert read({}).cluster.node_image == "mine:1"


@pytest.mark.parametrize("stack", ["seed", "local", "ci"])
def test_the_committed_stacks_are_settings(stack: str) -> None:
    assert read(committed(stack), stack=stack).services[0].pods == ("example-pod",)


PLANTED = "hunter2-planted"
SECRETS = "ingress-hops:secrets"


def test_secrets_are_names_to_the_settings() -> None:
    taken = read({SECRETS: json.dumps({"db-password": PLANTED})}, (SECRETS,))
    assert taken.secrets == ("db-password",)
    assert PLANTED not in taken.model_dump_json()
    assert read({SECRETS: "{}"}).secrets == ()


def test_secrets_in_clear_are_refused_unseen() -> None:
    with pytest.raises(SettingsError, match="ingress-hops:secrets is in clear") as caught:
        read({SECRETS: json.dumps({"db-password": PLANTED})})
    assert PLANTED not in str(caught.value)


def test_one_secret_in_clear_beside_another_is_refused_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stacks").mkdir()
    file = tmp_path / "stacks" / "Pulumi.alice.yaml"
    file.write_text(f"config: {{{SECRETS}: {{a: {{secure: v1:x}}, b: {PLANTED}}}}}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"ingress-hops:secrets\.b is in clear") as caught:
        read({SECRETS: json.dumps({"a": "x", "b": PLANTED})}, (SECRETS,))
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize("value", [PLANTED, "", ":x", "x:"])
def test_a_login_that_is_none_is_refused_unseen(value: str) -> None:
    services = [{"name": "web", "image": "r.example/web:1", "pullSecret": {"secret": "login"}}]
    given = {"ingress-hops:services": json.dumps(services), SECRETS: json.dumps({"login": value})}
    with pytest.raises(SettingsError, match=r"services\[0\].pullSecret takes the secret login, which is not") as caught:
        read(given, (SECRETS,))
    assert PLANTED not in str(caught.value)
    given[SECRETS] = json.dumps({"login": f"anna:{PLANTED}"})
    assert PLANTED not in read(given, (SECRETS,)).model_dump_json()
