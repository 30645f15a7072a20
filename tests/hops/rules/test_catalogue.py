"""Every rule of the catalogue: what it says of itself, and its own examples."""

import re
from pathlib import Path

import pytest
import yaml

import hops.rules.families
from hops.kubernetes.values import unknown_paths
from hops.model.finding import Level, Severity
from hops.model.hop import KINDS
from hops.model.settings.policy_settings import PolicySettings
from hops.model.settings.problem_text import keys
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.docs import FAMILIES as FAMILY_TITLES
from hops.rules.docs import page
from hops.rules.patches import patched
from hops.rules.rule import NoParameters
from tests.hops.rules.cases import Case, documents, of_rule, verdict
from tests.hops.rules.families.test_accepted_routes import CASES as ACCEPTED_ROUTES
from tests.hops.rules.families.test_api_server import CASES as API_SERVER
from tests.hops.rules.families.test_clash_rules import CASES as FLEET
from tests.hops.rules.families.test_exceptions import CASES as PACK
from tests.hops.rules.families.test_exposure import CASES as EXPOSURE
from tests.hops.rules.families.test_host_ports import CASES as HOST_PORTS
from tests.hops.rules.families.test_hosts_and_paths import CASES as HOSTS_AND_PATHS
from tests.hops.rules.families.test_ingress import CASES as INGRESS
from tests.hops.rules.families.test_kind_clusters import CASES as KIND_NODES
from tests.hops.rules.families.test_request_path import CASES as REQUEST_PATH
from tests.hops.rules.families.test_services import CASES as SERVICES
from tests.hops.rules.families.test_tls import CASES as TLS

FAMILIES = ("AP", "HP", "KN", "XS", "IN", "TL", "SV", "RP", "EX", "PK")
CODES = list(RULES)
EDGES: list[Case] = [
    *API_SERVER,
    *HOST_PORTS,
    *KIND_NODES,
    *FLEET,
    *SERVICES,
    *REQUEST_PATH,
    *EXPOSURE,
    *INGRESS,
    *HOSTS_AND_PATHS,
    *ACCEPTED_ROUTES,
    *TLS,
    *PACK,
]


def test_the_catalogue_is_in_order_without_gaps() -> None:
    counts = {family: sum(code.startswith(family) for code in CODES) for family in FAMILIES}
    assert all(counts.values())
    assert [f"{family}{number:02}" for family, count in counts.items() for number in range(1, count + 1)] == CODES
    assert list(FAMILY_TITLES) == list(FAMILIES)


def test_every_rule_of_the_modules_is_in_the_catalogue() -> None:
    declared = sum(
        len(re.findall(r'^    code="[A-Z]{2}[0-9]{2}",$', module.read_text(), re.MULTILINE))
        for module in Path(hops.rules.families.__path__[0]).rglob("*.py")
    )
    assert declared == len(RULES)


@pytest.mark.parametrize("code", CODES)
def test_a_rule_says_everything(code: str) -> None:
    rule = RULES[code]
    assert rule.title
    assert not rule.title.endswith(".")
    assert rule.why.endswith(".")
    assert rule.remedy.endswith(".")
    assert isinstance(rule.severity, Severity)
    assert rule.level in (Level.MANDATORY, Level.ADVISORY)
    assert rule.hop is None or rule.hop in {kind.name for kind in KINDS}
    assert rule.parameters_of is None or RULES[rule.parameters_of].parameters is rule.parameters
    rule.parameters()


@pytest.mark.parametrize("code", CODES)
def test_the_page_of_a_rule_describes_every_parameter(code: str) -> None:
    rule = RULES[code]
    if rule.parameters is NoParameters or rule.parameters_of:
        return
    for name, field in rule.parameters.model_fields.items():
        assert re.search(rf"^\| `{field.alias or name}` \| .+ \| \w.* \| .+ \|$", page(rule), re.MULTILINE)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (
            "HP01",
            "list of {`workload`: text, `port`: number from 1 to 65535 or text, `protocol`: `TCP` or `UDP` or `SCTP`}",
        ),
        ("HP02", "list of text"),
        ("HP10", "`all` or `root` or nothing"),
        ("PK03", "number"),
        ("SV03", "list of `NodePort` or `LoadBalancer`"),
    ],
)
def test_the_page_of_a_rule_names_the_type_of_a_parameter(code: str, kind: str) -> None:
    assert re.search(rf"^\| `\w+` \| {re.escape(kind)} \|", page(RULES[code]), re.MULTILINE)


@pytest.mark.parametrize("code", CODES)
def test_the_page_of_a_rule_sets_every_parameter_to_a_value_that_is_accepted(code: str) -> None:
    rule = RULES[code]
    if rule.parameters is NoParameters:
        return
    _, _, after = page(rule).partition("## Parameters")
    shown, of_stack = (yaml.safe_load(block.partition("```")[0]) for block in after.split("```yaml\n")[1:3])
    assert of_stack == {"config": {"ingress-hops:policy": shown}}
    ((owner, settings),) = shown["rules"].items()
    assert owner == (rule.parameters_of or code)
    assert set(settings["parameters"]) == set(keys(rule.parameters))
    assert all(value not in ([], None, "") for value in settings["parameters"].values())
    configure(PolicySettings.model_validate(shown, strict=False))


@pytest.mark.parametrize("code", [code for code in CODES if code.startswith("AP")])
def test_the_page_of_a_rule_on_the_api_server_names_what_it_does_not_evaluate(code: str) -> None:
    assert re.search(r"not evaluate .*CEL expressions \(x-kubernetes-validations\)", page(RULES[code]))


@pytest.mark.parametrize("code", CODES)
def test_the_bad_example_breaks_its_rule_and_the_good_one_does_not(code: str) -> None:
    bad = verdict(documents(RULES[code].bad), rules=CODES)
    assert code in {finding.code for finding in bad}
    good = verdict(documents(RULES[code].good), rules=CODES)
    assert code not in {finding.code for finding in good}


@pytest.mark.parametrize("code", CODES)
def test_every_rule_has_an_edge(code: str) -> None:
    assert any(case.code == code for case in EDGES), f"write a Case for {code}"


@pytest.mark.parametrize("case", EDGES, ids=str)
def test_edge(case: Case) -> None:
    findings = of_rule(case.text, case.code)
    assert [f.path for f in findings if f.code == case.code] == list(case.paths)
    assert (case.code != "PK01" and "PK01" in {f.code for f in findings}) is case.undecided


@pytest.mark.parametrize("code", [code for code in CODES if RULES[code].remediable])
def test_a_remediable_rule_patches_its_own_resource(code: str) -> None:
    findings = of_rule(RULES[code].bad, code)
    assert all(finding.patch and finding.patch.resource == finding.resource for finding in findings)


@pytest.mark.parametrize(
    "text", [text for code in CODES for text in (RULES[code].bad, *(c.text for c in EDGES if c.code == code))]
)
def test_a_patch_removes_its_finding_and_adds_none(text: str) -> None:
    bodies = documents(text)
    before = verdict(bodies, rules=CODES)
    for finding in before:
        if finding.patch is None:
            continue
        mended = list(bodies)
        number, within = finding.patch.place.document, finding.patch.place.within
        assert number is not None
        operations = [{**operation, "path": within + operation["path"]} for operation in finding.patch.operations]
        mended[number] = patched(bodies[number], operations)
        after = [(f.code, f.resource, f.path) for f in verdict(mended, rules=CODES)]
        assert len([c for c, *_ in after if c == finding.code]) < len([f for f in before if f.code == finding.code])
        # A port that a pod gives back may have been the only one behind its mapping.
        assert {c for c, *_ in after} <= {f.code for f in before} | {"KN02"}


def test_unknown_values_are_found_in_a_body() -> None:
    assert unknown_paths(documents("{a: [{b/c: !unknown }, 1], d: !unknown }")[0]) == ["/a/0/b~1c", "/d"]
