"""Which command a finding brings: a stack's own, one of kubectl, or one that only looks."""

import shlex

from hops.trace.facts.remedies import command, kubectl, make
from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.names import JSON, POD
from tests.hops.trace.observations import found, healthy, view


def first(observation: JSON) -> tuple[str, str, str]:
    finding = trace(view(observation).observation).findings[0]
    return finding.setting, finding.remedy, finding.look


def test_every_word_is_quoted_where_it_has_to_be() -> None:
    words = ["kubectl", "a b", "it's", "$HOME", "{}"]
    assert shlex.split(command(*words)) == words


def test_an_object_of_the_stack_is_put_right_by_its_update() -> None:
    observation = healthy()
    faults.contourless(observation)
    faults.unrouted(observation)
    assert first(observation)[1] == "make up STACK=local"


def test_an_update_puts_nothing_right_in_an_existing_cluster() -> None:
    observation = healthy()
    faults.contourless(observation)
    faults.unrouted(observation)
    assert first(faults.unowned(observation))[1].startswith(
        ".venv/bin/hops kubectl local --namespace projectcontour scale "
    )


def test_a_setting_is_named_only_where_the_pod_runs_what_it_says() -> None:
    observation = healthy()
    faults.listening(observation, ("127.0.0.1", 8080))
    service = view(observation).observation.stack.settings.services[0]  # type: ignore[union-attr]
    container = found(observation, "Pod", POD)["spec"]["containers"][0]
    container |= {"image": service.image, "command": list(service.command)}
    container.pop("args", None)
    corrected = ("stacks/Pulumi.local.yaml: services[0].command", "make up STACK=local")
    assert first(observation)[:2] == corrected
    assert first(faults.unowned(observation))[:2] == corrected, "an update applies a corrected setting in any cluster"
    container["command"] = ["sleep", "9"]
    assert first(observation)[:2] == ("", "make up STACK=local")
    kubectl = f".venv/bin/hops kubectl local --namespace apps edit pod {POD}"
    assert first(faults.unowned(observation))[:2] == ("", kubectl)


def test_remedies_of_a_project_without_a_makefile_are_commands_of_hops() -> None:
    observation = healthy()
    observation["stack"]["makefile"] = False
    facts = view(observation)
    assert make(facts) == ".venv/bin/hops up local"
    assert kubectl(facts, "get", "pods") == ".venv/bin/hops kubectl local get pods"
