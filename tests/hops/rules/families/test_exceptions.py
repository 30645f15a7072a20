"""Edges of the rules on rules, and of the judge."""

import pytest
from pydantic import ValidationError

from hops.model.finding import Level
from hops.model.settings.policy_settings import PolicySettings
from hops.model.settings.stack_config import SettingsError
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure, read
from hops.rules.installed import INSTALLED
from tests.hops.rules.cases import Case, documents, of_rule, verdict

BAD_POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec: {containers: [{ports: [{hostPort: 81}]}]}
"""


def policy(code: str, **settings: object) -> PolicySettings:
    return PolicySettings.model_validate({"rules": {code: settings}}, strict=False)


def exception(
    resource: str = "Pod/apps/*", reason: str = "why", owner: str = "me", expires: str = "2026-12-31"
) -> object:
    return {"resource": resource, "reason": reason, "owner": owner, "expires": expires}


def excepting(rules: str) -> str:
    return f"apiVersion: ingress-hops/v1\nkind: Policy\nrules: {rules}"


def declared(selector: str, namespace: str = "apps", kind: str = "Service") -> str:
    return f"""
---
apiVersion: v1
kind: {kind}
metadata: {{name: web, namespace: {namespace}}}
spec: {{selector: {{app: {selector}}}}}
"""


CASES = [
    Case("PK05", "the same object with another selector", declared("a") + declared("b"), ("",)),
    Case("PK05", "three declarations, two of them equal", declared("a") + declared("b") + declared("a"), ("",)),
    Case(
        "PK05",
        "a List declares it again",
        declared("a")
        + "---\napiVersion: v1\nkind: List\nitems:\n- "
        + "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: apps}, spec: {selector: {app: b}}}",
        ("",),
    ),
    Case("PK05", "the same content twice changes nothing", declared("a") + declared("a")),
    Case(
        "PK05",
        "another namespace, or another kind, is another object",
        declared("a") + declared("b", "other") + declared("c", kind="Endpoints"),
    ),
    Case("PK01", "nothing is unknown", BAD_POD),
    Case(
        "PK02",
        "an operator's object with a pod template",
        "{apiVersion: example.com/v1, kind: App, metadata: {name: a}, spec: "
        "{podTemplate: {spec: {containers: [{image: a}]}}}}",
        ("",),
    ),
    Case(
        "PK02",
        "an operator's object without one",
        "{apiVersion: example.com/v1, kind: App, metadata: {name: a}, spec: {}}",
    ),
    Case(
        "PK02", "a remote command", "{apiVersion: pulumi, kind: 'command:remote:Command', metadata: {name: a}}", ("",)
    ),
    Case(
        "PK02",
        "one that is known by other means",
        "{apiVersion: pulumi, kind: 'command:remote:Command', metadata: {name: a}}\n---\n"
        + excepting("{PK02: {parameters: {seen: ['command:remote:Command/default/a']}}}"),
    ),
    Case(
        "PK03",
        "its last day still counts",
        excepting("{HP01: {exceptions: [{resource: a, reason: b, owner: c, expires: 2026-06-01}]}}"),
    ),
    Case(
        "PK03",
        "the day after doesn't",
        excepting("{HP01: {exceptions: [{resource: a, reason: b, owner: c, expires: 2026-05-31}]}}"),
        ("/rules/HP01/exceptions/0/expires",),
    ),
    Case(
        "PK03",
        "blanks are no reason",
        excepting("{HP01: {exceptions: [{resource: a, reason: ' ', owner: c, expires: 2026-07-01}]}}"),
        ("/rules/HP01/exceptions/0",),
    ),
    Case(
        "PK03",
        "the end of time is no end",
        excepting("{HP01: {exceptions: [{resource: a, reason: b, owner: c, expires: 9999-12-31}]}}"),
        ("/rules/HP01/exceptions/0/expires",),
    ),
    Case(
        "PK04",
        "an exception for everything",
        excepting("{HP01: {exceptions: [{resource: '*/*', reason: b, owner: c, expires: 2026-07-01}]}}"),
        ("/rules/HP01/exceptions/0/resource",),
    ),
    Case("PK04", "PK01 off", excepting("{PK01: {level: disabled}}"), ("/rules/PK01/level",)),
    Case(
        "PK04",
        "everything off",
        excepting("{" + ", ".join(f"{code}: {{level: disabled}}" for code in RULES if code != "PK04") + "}"),
        ("/rules", "/rules/PK01/level"),
    ),
]


def test_a_message_begins_with_its_code_when_printed() -> None:
    (finding,) = of_rule(BAD_POD, "HP01")
    assert str(finding).startswith("HP01 Pod/apps/web: container ")
    assert finding.docs == "docs/rules/HP01.md"


def test_an_exception_holds_for_its_resources_until_its_day() -> None:
    pod = documents(BAD_POD)
    assert not verdict(pod, policy("HP01", exceptions=[exception()]), rules=["HP01"])
    assert verdict(pod, policy("HP01", exceptions=[exception("Pod/other/*")]), rules=["HP01"])
    assert verdict(pod, policy("HP01", exceptions=[exception(expires="2026-05-31")]), rules=["HP01"])
    assert verdict(pod, policy("HP02", exceptions=[exception()]), rules=["HP01"])


def test_an_exception_without_a_reason_is_refused() -> None:
    with pytest.raises(ValidationError, match="reason"):
        policy("HP01", exceptions=[exception(reason="")])


def test_an_undecided_rule_is_as_strict_as_the_rule_and_no_stricter() -> None:
    unknown = documents(
        "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: apps}, spec: {containers: !unknown }}"
    )
    levels = {finding.message[:4]: finding.level for finding in verdict(unknown) if finding.code == "PK01"}
    assert levels["HP01"] is Level.MANDATORY
    assert levels["HP09"] is Level.ADVISORY
    (advisory,) = verdict(unknown, policy("PK01", level="advisory"), rules=["HP01"])
    assert advisory.level is Level.ADVISORY
    assert advisory.path == "/spec/containers"
    assert not verdict(unknown, policy("HP01", exceptions=[exception()]), rules=["HP01"])


def test_a_rule_that_is_off_finds_nothing() -> None:
    assert not verdict(documents(BAD_POD), policy("HP01", level="disabled"), rules=["HP01"])


def test_the_stricter_level_wins_and_the_first_parameters() -> None:
    pack = policy("HP01", level="advisory", parameters={"allowed": [{"port": 81.0}]})
    stack = policy("HP01", level="disabled", parameters={"allowed": []})
    assert configure(pack, stack).levels["HP01"] is Level.ADVISORY
    assert configure(stack, pack).levels["HP01"] is Level.ADVISORY
    assert not verdict(documents(BAD_POD), pack, stack, rules=["HP01"])
    assert verdict(documents(BAD_POD), stack, pack, rules=["HP01"])


def test_remediate_is_for_rules_that_can_and_leaves_the_rest_mandatory() -> None:
    (finding,) = verdict(documents(BAD_POD), policy("HP01", level="remediate"), rules=["HP01"])
    assert finding.level is Level.MANDATORY
    sentence = r"^ingress-hops:policy\.rules\.HP05\.level is remediate, which HP05 does not support; set mandatory$"
    with pytest.raises(SettingsError, match=sentence):
        configure(policy("HP05", level="remediate"))


@pytest.mark.parametrize(
    ("code", "parameters", "said"),
    [
        (
            "HP01",
            {"allowd": []},
            (
                "ingress-hops:policy.rules.HP01.parameters.allowd: there is no such parameter; did you mean allowed? "
                "(parameters: allowed)"
            ),
        ),
        ("HP01", {"allowed": [{"port": "80"}]}, "ingress-hops:policy.rules.HP01.parameters.allowed.0.port is '80'"),
        (
            "HP03",
            {"x": 1},
            "ingress-hops:policy.rules.HP03.parameters.x: there is no such parameter; there are no parameters",
        ),
        ("HP06", {"nodePorts": [1]}, "ingress-hops:policy.rules.HP06.parameters.nodePorts"),
        (
            "HP01",
            {"allowed": [80]},
            (
                "ingress-hops:policy.rules.HP01.parameters.allowed.0 is 80: a mapping; for example "
                '{"allowed": [{"port": 80}, {"port": "5000-6000", '
            ),
        ),
        *(
            (
                "HP01",
                {"allowed": [{"port": port}]},
                (
                    f"ingress-hops:policy.rules.HP01.parameters.allowed.0.port is {port!r}: a port is a number from 1 "
                    "to 65535, or a range such as 5000-6000; for example "
                ),
            )
            for port in (0, 65536, "6000-5000", "1-70000", "-", "a-b", "5000-", True, 1.5)
        ),
        (
            "SV03",
            {"types": ["ClusterIP"]},
            (
                "ingress-hops:policy.rules.SV03.parameters.types.0 is 'ClusterIP': one of 'NodePort' or 'LoadBalancer'"
                '; for example {"types": ["LoadBalancer"]}'
            ),
        ),
        (
            "IN12",
            {"externalNames": "yes"},
            (
                "ingress-hops:policy.rules.IN12.parameters.externalNames is 'yes': true or false; "
                'for example {"externalNames": true}'
            ),
        ),
    ],
)
def test_a_wrong_parameter_is_an_error_that_names_the_key(code: str, parameters: object, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        configure(policy(code, parameters=parameters))
    assert str(error.value).startswith(said)


def test_what_is_installed_is_excepted_by_codes_that_exist() -> None:
    assert {entry.code for entry in INSTALLED} <= set(RULES)


WEB_POD = """
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps, labels: {app: a}}
spec: {containers: [{name: web, image: web}]}
"""


@pytest.mark.parametrize(
    ("about", "text", "reported"),
    [
        ("the second selects no pod", declared("a") + declared("b"), ["mandatory PK05"]),
        ("the first selects no pod", declared("b") + declared("a"), ["mandatory PK05"]),
        ("none selects a pod", declared("b") + declared("c"), ["advisory PK05", "mandatory SV01", "mandatory SV01"]),
        ("one declaration that selects no pod", declared("b"), ["mandatory SV01"]),
        ("two objects", declared("a") + declared("b", "other"), ["mandatory SV01"]),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_what_a_second_declaration_causes_is_reported_with_it(about: str, text: str, reported: list[str]) -> None:
    found = verdict(documents(text + WEB_POD), rules=("PK05", "SV01"))
    assert sorted(f"{finding.level} {finding.code}" for finding in found) == sorted(reported), about


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rule": {}}, "policy.rule: there is no such key; did you mean rules? (keys: rules)"),
        ({"rules": ["HP01"]}, "policy.rules is ['HP01']: a mapping; for example rules: {HP01: {level: advisory}}"),
        ({"rules": {"HP01": "off"}}, "policy.rules.HP01 is 'off': a mapping; for example HP01: {level: advisory}"),
        (
            {"rules": {"HP01": {"level": "off"}}},
            (
                "policy.rules.HP01.level is 'off': one of 'mandatory', 'advisory', 'remediate' or 'disabled'; "
                "for example level: advisory"
            ),
        ),
        (
            {"rules": {"HP01": {"parameters": []}}},
            "policy.rules.HP01.parameters is []: a mapping; for example parameters: {allowed: [{port: 80}]}",
        ),
        (
            {"rules": {"HP01": {"exceptions": {}}}},
            "policy.rules.HP01.exceptions is {}: a list; for example exceptions: [{resource: Pod/apps/web, ",
        ),
        ({"rules": {"hp01": {}}}, "policy.rules.hp01 is 'hp01': a rule's code is two letters and two digits"),
    ],
)
def test_a_wrong_policy_names_the_right_form(given: object, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(given, "policy.")
    assert str(error.value).startswith(said)
