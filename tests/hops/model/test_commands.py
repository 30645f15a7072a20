"""The commands of a project with the Makefile, and of one that `hops init` made."""

from hops.model import commands


def test_a_project_without_the_makefile_has_the_commands_of_hops() -> None:
    assert commands.of_stack("up", "local", makefile=True) == "make up STACK=local"
    assert commands.of_stack("up", "local", makefile=True, replace=True) == "make up STACK=local REPLACE=1"
    assert commands.of_stack("down", "local", makefile=False) == ".venv/bin/hops down local"
    assert commands.of_stack("up", "local", makefile=False, replace=True) == ".venv/bin/hops up local --replace"
    assert commands.env("local", makefile=True) == "make -s env STACK=local"
    assert commands.env("local", makefile=False) == ".venv/bin/hops env local"
