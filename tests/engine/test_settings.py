"""A mistake in the settings is reported once, in its own sentence, by the real engine with the pack."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Clone, clone_of

SERVICES: list[dict[str, Any]] = [{"name": "shop", "host": "shop.localhost"}]
_TYPO: dict[str, Any] = {"rules": {"HP01": {"parameters": {"allowd": []}}}}


@pytest.fixture(scope="module")
def mistaken(origin: Path, manifests: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    made = clone_of(origin, tmp_path_factory.mktemp("mistaken"), manifests)
    made.write_config("alice", {"services": SERVICES})
    made.pulumi("stack", "init", "alice")
    return made


@pytest.mark.parametrize(
    ("config", "of_pack", "sentence"),
    [
        (
            {"services": [{**SERVICES[0], "comand": ["a"]}]},
            {},
            "ingress-hops:services[0].comand: there is no such key; did you mean command? (keys: ",
        ),
        (
            {"services": SERVICES, "policy": _TYPO},
            {},
            "ingress-hops:policy.rules.HP01.parameters.allowd: there is no such parameter; did you mean allowed? ",
        ),
        (
            {"services": SERVICES},
            # Pulumi checks the rest against the pack's schema.
            {"rules": {"hp01": {}}},
            "the policy pack's configuration: rules.hp01 is 'hp01': a rule's code is two letters and two digits",
        ),
    ],
    ids=["the stack's key", "the stack's policy", "the pack's configuration"],
)
def test_a_mistake_is_reported_once(
    mistaken: Clone, tmp_path: Path, config: dict[str, Any], of_pack: dict[str, Any], sentence: str
) -> None:
    mistaken.write_config("alice", config)
    pack: list[str] = ["--policy-pack", "policy"]
    if of_pack:
        (tmp_path / "pack.json").write_text(json.dumps({"ingress-hops": of_pack}))
        pack += ["--policy-pack-config", str(tmp_path / "pack.json")]
    preview = mistaken.preview("alice", *pack)
    assert preview.returncode != 0
    assert preview.text.count(sentence) == 1, preview.text
    words = ("remediation", "Traceback", "Exception")
    assert not [word for word in words if word in preview.text], preview.text
