"""Image: its name, what makes another one, and when the command runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from components import ArgumentError, Image, ImageArgs
from tests.recording import Declared, Recording, run


@pytest.fixture
def web(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM python:3.13-slim AS prod\n")
    (tmp_path / "app.py").write_text("1")
    return tmp_path


def recorded(web: Path, **changes: Any) -> Recording:
    args: Any = {"context": str(web), "cluster": "sam-test-cluster", **changes}
    whole: ImageArgs = args
    return run(lambda: Image("web", whole), Recording())


def command(web: Path, **changes: Any) -> Declared:
    return recorded(web, **changes).one("Command")


def test_the_image_is_known_in_a_preview(web: Path) -> None:
    recording = recorded(web)
    component = recording.resources[0]
    image = recording.registered[component.urn]["image"]
    assert image.startswith("ingress-hops.invalid/sam-test-cluster/web:")
    assert recording.one("Command").inputs["triggers"] == [image]


def test_an_unchanged_folder_declares_the_same(web: Path) -> None:
    before = command(web).inputs
    (web / "app.py").touch()
    assert command(web).inputs == before


def test_a_changed_folder_triggers_the_command(web: Path) -> None:
    before = command(web).inputs["triggers"]
    (web / "app.py").write_text("2")
    assert command(web).inputs["triggers"] != before
    assert command(web, target="prod").inputs["triggers"] != command(web).inputs["triggers"]


def test_no_build_argument_is_a_word_of_the_command(web: Path) -> None:
    inputs = command(web, args={"VERSION": "1.2.3"}).inputs
    assert "1.2.3" not in inputs["create"] + inputs["delete"]
    assert json.loads(inputs["stdin"])["args"] == {"VERSION": "1.2.3"}


def test_a_given_digest_is_not_computed_again(web: Path) -> None:
    image = command(web / "nowhere", digest="0123456789abcdef").inputs["triggers"][0]
    assert image.endswith(":0123456789abcdef")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": "test"}, "Image web: target is test, and the Dockerfile has no such stage; its stages: prod"),
        ({"dockerfile": "Containerfile"}, "No such file"),
        ({"cluster": "My Cluster"}, "the argument cluster is"),
        ({"file": "x"}, "there is no argument file"),
    ],
)
def test_wrong_arguments(web: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match="Image web") as caught:
        recorded(web, **changes)
    assert said in str(caught.value)
