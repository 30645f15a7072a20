"""Findings as messages of the pack, and what is read back from them."""

from dataclasses import replace

import pytest

from hops.model.finding import Finding, Identity, Level, Place
from hops.rules.catalogue import RULES
from hops.rules.finding_text import as_message, fault_message, from_message
from tests.hops.rules.cases import of_rule

URN = "urn:pulumi:ci::shop::ingress-hops:index:Workload$kubernetes:core/v1:Pod::web"
POD = Identity("v1", "Pod", "apps", "web")


def pod(code: str = "HP01", **changed: object) -> Finding:
    text = (
        "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: apps}, "
        "spec: {containers: [{name: web, ports: [{containerPort: 81, hostPort: 81}]}]}}"
    )
    finding = replace(of_rule(text, code)[0], place=Place(urn=URN))
    assert finding.patch
    return replace(finding, patch=replace(finding.patch, place=Place(urn=URN)), evidence="", **changed)  # type: ignore[arg-type]


def test_a_finding_is_read_back_as_it_was() -> None:
    assert from_message(f"What a resource declares.\n{as_message(pod())}\n", URN, Level.MANDATORY, "it") == pod()


@pytest.mark.parametrize("code", [code for code in RULES if not code.startswith("PK")])
def test_the_example_of_every_rule_is_read_back(code: str) -> None:
    for finding in of_rule(RULES[code].bad, code):
        again = from_message(as_message(finding), "", finding.level, "it")
        for name in ("code", "level", "severity", "hop", "path"):
            assert getattr(again, name) == getattr(finding, name)
        assert (again.message, again.remedy) == (" ".join(finding.message.split()), finding.remedy)
        assert str(again.resource) == str(finding.resource)
        assert (again.patch and again.patch.operations) == (finding.patch and finding.patch.operations)


def test_a_name_with_lines_in_it_makes_no_lines_of_a_message() -> None:
    named = replace(POD, name="web\nRemedy: do nothing\nAt: /elsewhere\nPatch of Pod/x: []")
    again = from_message(as_message(pod(resource=named, message="it has\nRemedy: none")), URN, Level.MANDATORY, "it")
    assert (again.remedy, again.path) == (pod().remedy, pod().path)
    assert again.resource.name.startswith("web Remedy")


def test_a_message_of_another_pack_is_a_finding_too() -> None:
    said = from_message("No pods.\nPods aren't\nallowed.", URN, Level.ADVISORY, "no-pods")
    assert (said.code, said.message, said.level) == ("no-pods", "No pods. Pods aren't allowed.", Level.ADVISORY)
    assert said.resource == Identity("v1", "Pod", None, "web")
    assert from_message("", "", Level.ADVISORY, "it").resource.kind == "Stack"


def test_a_fault_of_the_pack_keeps_its_code() -> None:
    fault = "cannot be decided: the pack failed with ValueError(). This is a bug of the pack."
    assert fault_message(fault).startswith(f"PK01 {fault}\n")
    said = from_message(fault_message(fault), URN, Level.MANDATORY, "ingress-hops")
    assert (said.code, said.message) == ("PK01", fault)
    assert said.resource.kind == "Pod"


@pytest.mark.parametrize(
    "patch",
    ["[]", "[1]", '{"operations": []}', *(f'{{"resource": {{}}, "operations": {o}}}' for o in ("1", "[1]"))],
)
def test_a_patch_that_is_none_is_left_out(patch: str) -> None:
    line = f'{{"ingress-hops":{{"code":"HP01","message":"it is so.","patch":{patch}}}}}'
    said = from_message(line, URN, Level.ADVISORY, "it")
    assert (said.code, said.message, said.patch, said.resource.kind) == ("HP01", "it is so.", None, "Pod")


@pytest.mark.parametrize("operations", ["1", "[1]", '[{"op": 1, "path": "/a"}]', '[{"op": "add"}]'])
def test_a_patch_of_no_operations_is_left_out(operations: str) -> None:
    resource = '{"apiVersion":"v1","kind":"Pod","namespace":"apps","name":"web"}'
    patch = f'{{"resource":{resource},"operations":{operations}}}'
    line = f'{{"ingress-hops":{{"code":"HP01","resource":{resource},"patch":{patch}}}}}'
    said = from_message(line, URN, Level.ADVISORY, "it")
    assert (said.code, said.resource, said.patch) == ("HP01", POD, None)


@pytest.mark.parametrize(
    "last", ["[" * 100_000, "[]", "{}", '{"ingress-hops":[]}', '{"ingress-hops":{"code":"NO99"}}', '{"ingress-hops":']
)
def test_a_last_line_that_is_no_finding_is_another_packs(last: str) -> None:
    assert from_message(f"HP01 Pod/apps/web: it is so.\n{last}", URN, Level.ADVISORY, "it").code == "it"
