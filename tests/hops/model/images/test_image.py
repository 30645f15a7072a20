"""The name of an image that is built."""

import stat

from hops.model.images.image import REGISTRY, Build, ContextFile, digest

FILE = ContextFile("app.py", stat.S_IFREG | 0o644, "1" * 64)
OTHER = ContextFile("lib/a.py", stat.S_IFREG | 0o644, "2" * 64)


def of(*files: ContextFile, dockerfile: str = "FROM a", target: str | None = None, **args: str) -> str:
    return digest(dockerfile, target, args, files)


def test_the_digest_is_that_of_the_content_in_any_order() -> None:
    assert of(FILE, OTHER) == of(OTHER, FILE)
    assert len(of(FILE)) == 16


def test_everything_that_goes_into_the_image_changes_the_digest() -> None:
    changed = {
        "nothing": of(FILE),
        "content": of(ContextFile("app.py", FILE.mode, "3" * 64)),
        "name": of(ContextFile("app2.py", FILE.mode, FILE.content)),
        "mode": of(ContextFile("app.py", stat.S_IFREG | 0o755, FILE.content)),
        "kind": of(ContextFile("app.py", stat.S_IFLNK | 0o644, FILE.content)),
        "another file": of(FILE, OTHER),
        "Dockerfile": of(FILE, dockerfile="FROM b"),
        "target": of(FILE, target="prod"),
        "args": of(FILE, VERSION="1"),
        "the value of an arg": of(FILE, VERSION="2"),
    }
    assert len(set(changed.values())) == len(changed)


def test_a_name_that_is_not_utf_8_has_a_digest() -> None:
    assert of(ContextFile("caf\udce9", FILE.mode, FILE.content))


def test_no_node_can_pull_the_image() -> None:
    build = Build("apps/web", "ingress-hops-alice", "/p/web", "/p/web/Dockerfile", None, {}, "0" * 16)
    assert build.image == f"ingress-hops.invalid/ingress-hops-alice/apps/web:{'0' * 16}"
    assert REGISTRY.endswith(".invalid")
