"""What is wrong with a Dockerfile before it is built, and what it copies."""

import pytest

from hops.model.images.dockerfile import copied, problem

DOCKERFILE = "# syntax\nfrom --platform=linux/amd64 python:3 AS Base\nRUN x\nFROM base \\\n as prod\nFROM scratch\n"


@pytest.mark.parametrize("target", [None, "base", "PROD", "0", "2"])
def test_a_target_that_is_there(target: str | None) -> None:
    assert not problem(DOCKERFILE, target)


@pytest.mark.parametrize(
    ("dockerfile", "target", "said"),
    [
        (DOCKERFILE, "test", "target is test, and the Dockerfile has no such stage; its stages: base, prod"),
        (DOCKERFILE, "3", "target is 3"),
        ("FROM a", "prod", "its stages: none has a name"),
        ("RUN x", None, "has no FROM"),
    ],
)
def test_a_dockerfile_that_cannot_be_built(dockerfile: str, target: str | None, said: str) -> None:
    assert said in problem(dockerfile, target)


COPIES = """\
FROM node AS assets
COPY package.json yarn.lock ./
FROM assets AS test
COPY tests /tests
FROM python AS prod
# COPY nothing /
COPY --from=assets /app/built /srv
COPY --chown=1:1 ./app.py \\
  # why
  lib/ /srv/
copy ["a file", "/srv/"]
RUN cat <<<here; echo $((1<<2)) <<-"END"
COPY inside a-heredoc
END
COPY <<a.txt $FILES *.py /
made here
a.txt
ADD https://example.com/x /x
COPY . .
"""


@pytest.mark.parametrize(
    ("target", "paths"),
    [
        (None, ["2 package.json", "2 yarn.lock", "8 app.py", "8 lib", "11 a file", "19 "]),
        ("PROD", ["2 package.json", "2 yarn.lock", "8 app.py", "8 lib", "11 a file", "19 "]),
        ("test", ["2 package.json", "2 yarn.lock", "4 tests"]),
        ("0", ["2 package.json", "2 yarn.lock"]),
        ("missing", []),
    ],
)
def test_what_the_needed_stages_copy_by_a_plain_path(target: str | None, paths: list[str]) -> None:
    assert [f"{each.line} {each.path}" for each in copied(COPIES, target)] == paths


def test_a_stage_of_a_mount_is_needed() -> None:
    mount = "FROM a AS deps\nCOPY lock .\nFROM b\nRUN --mount=type=bind,from=deps,target=/x echo from=b\n"
    assert [each.path for each in copied(mount, None)] == ["lock"]


def test_a_stage_that_is_named_after_its_base_ends() -> None:
    assert copied("FROM python AS python\nCOPY a /\n", None)[0].path == "a"


def test_nothing_is_copied_without_a_stage() -> None:
    assert copied("COPY a b\n", None) == []
