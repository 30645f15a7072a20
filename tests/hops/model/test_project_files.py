"""The names of a stack's files."""

from pathlib import PurePath

from hops.model.project_files import STACK_FILES, generations, kubeconfig_file, stack_of, stack_path


def test_the_name_of_a_stack_s_file_leads_back_to_the_stack() -> None:
    path = PurePath(stack_path("alice"))
    assert path == PurePath("stacks/Pulumi.alice.yaml")
    assert path.match(STACK_FILES)
    assert stack_of(path.name) == "alice"


def test_generations_are_those_of_this_stack() -> None:
    files = [kubeconfig_file("alice", 3), "alice.yaml", "alice-b-4.yaml", "alice-5.yaml.bak", "bob-6.yaml"]
    assert generations("alice", files) == [3]
