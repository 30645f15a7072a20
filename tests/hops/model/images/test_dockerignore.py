"""The patterns of a .dockerignore file: the cases of Docker's own tests, and of its reference."""

import pytest

from hops.model.images.dockerignore import IgnoreError, ignored

CASES = [
    # Without a slash, a pattern names an entry of the context itself, and all below it.
    ("node_modules", "node_modules", True),
    ("node_modules", "node_modules/a/b.js", True),
    ("node_modules", "web/node_modules", False),
    ("/node_modules", "node_modules/a", True),
    ("node_modules/", "node_modules/a", True),
    ("*/temp*", "somedir/temporary.txt", True),
    ("*/temp*", "temporary.txt", False),
    ("*/*/temp*", "a/b/temporary.txt", True),
    ("temp?", "tempa", True),
    ("temp?", "temp/a", False),
    ("*.py", "a.py", True),
    ("*.py", "a/b.py", False),
    ("*", ".git", True),
    ("./a/../b", "b/c", True),
    (".", "a", False),
    ("/", "a", False),
    # **
    ("**", "a/b", True),
    ("**/", "file", True),
    ("**/**", "dir/file", True),
    ("**/foo", "foo", True),
    ("**/foo", "a/b/foo/c", True),
    ("**/foo", "a/xfoo", False),
    ("**foo", "a/xfoo", True),
    ("**/*.go", "a/b.go", True),
    ("**/*.go", "b.go", True),
    ("**/*.go", "b.got", False),
    ("a/**/z", "a/z", True),
    ("a/**/z", "a/b/c/z", True),
    ("a/**/z", "a/bz", False),
    ("dir/**", "dir/a/b", True),
    ("dir/**", "dir", False),
    ("abc**", "abcd/e", True),
    # Characters that only regular expressions know.
    ("a.b", "axb", False),
    ("a+b", "aab", False),
    ("(a)", "(a)", True),
    ("$x{1}", "$x{1}", True),
    ("[a-c]x", "bx", True),
    ("[^a-c]x", "bx", False),
    (r"a\*b", "a*b", True),
    (r"a\*b", "acb", False),
    # The last pattern that matches decides.
    ("*\n!README.md", "README.md", False),
    ("*\n!README.md", "LICENSE", True),
    ("!a\na", "a", True),
    ("docs\n!docs/README.md", "docs/README.md", False),
    ("docs\n!docs/README.md", "docs/other.md", True),
    ("docs\n!docs/keep\ndocs/keep/secret", "docs/keep/a", False),
    ("docs\n!docs/keep\ndocs/keep/secret", "docs/keep/secret", True),
    ("*\n! a", "a", False),
    # Comments and blank lines.
    ("# a\n\n  b  ", "b", True),
    ("#a", "#a", False),
    (" #a", "#a", True),
    ("\ufeffa", "a", True),
]


@pytest.mark.parametrize(("text", "path", "out"), CASES)
def test_as_docker_reads_it(text: str, path: str, out: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert ignored(text)(path) is out


@pytest.mark.parametrize(("text", "said"), [("a\n!", "line 2"), ("[", "line 1: [ is no pattern")])
def test_a_pattern_that_docker_refuses(text: str, said: str) -> None:
    with pytest.raises(IgnoreError) as caught:
        ignored(text)
    assert str(caught.value).startswith(said)


def test_only_a_line_that_takes_files_back_opens_an_ignored_folder() -> None:
    assert ignored("a\n!a/b").takes_back
    assert not ignored("a").takes_back
