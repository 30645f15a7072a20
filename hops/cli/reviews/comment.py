"""`hops comment`: comments on a pull request on GitHub, from the files that a run of the workflow `preview` uploaded.

The run executed the code of the pull request, so its upload is untrusted: its size, its names, and the pull request
that it belongs to. The upload is read as data only, and the comment is made here.
"""

import base64
import gzip
import http.client
import io
import json
import os
import re
import stat
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from hops.cli.output import echo, stop
from hops.pull_requests.events import EventsError
from hops.pull_requests.markdown import MARKER, comment
from hops.pull_requests.report import PullRequest, pull_request
from hops.rules.formats import sarif

ARTIFACT = "pull-request"
WORKFLOW = ".github/workflows/preview.yml"
_AUTHOR = "github-actions[bot]"
"""The author of comments that are written with a workflow's token."""
_NAMES = re.compile(
    r"head\.jsonl|base\.jsonl|stacks/(Pulumi\.[a-z0-9-]{1,50}\.yaml|build\.py)|components/[a-z_]{1,50}\.py"
)
_MOST_FILES, _MOST_ZIPPED, _MOST_BYTES = 64, 20_000_000, 60_000_000
"""A preview of the project is 2 MB, 0.2 MB zipped; one of 170 services 25 MB."""
_SECONDS, _PAGE, _MOST_PAGES = 60, 100, 30


class CommentError(RuntimeError):
    """The comment cannot be written."""


class GitHub:
    """The part of GitHub's REST API that a comment needs, of one repository."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Reads the variables of a workflow's job. Raises CommentError if one is missing."""
        try:
            self.repository, self._token = environment["GITHUB_REPOSITORY"], environment["GITHUB_TOKEN"]
        except KeyError as error:
            raise CommentError(f"{error.args[0]} is not set; a job of GitHub Actions has it") from None
        api = environment.get("GITHUB_API_URL", "https://api.github.com")
        self._base = f"{api}/repos/{self.repository}"

    def bytes(self, method: str, path: str, limit: int, body: Mapping[str, Any] | None = None) -> bytes:
        """The body of an answer. Raises CommentError, also if it has more than `limit` bytes.

        method: of HTTP.
        path: below the repository's address.
        limit: the most bytes that are read.
        body: sent as JSON. Default: none.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._base}/{path}", data, method=method)  # noqa: S310 - the API's own
        request.add_header("Accept", "application/vnd.github+json")
        request.add_header("X-GitHub-Api-Version", "2022-11-28")
        # The answer for an artifact redirects to another host, which must not get the token.
        request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - as before
                read: bytes = answer.read(limit + 1)
        except urllib.error.HTTPError as error:
            error.close()
            raise CommentError(f"{method} {path}: GitHub says {error.code} {error.reason}") from None
        except (OSError, http.client.HTTPException) as error:
            raise CommentError(f"{method} {path}: {error}") from None
        if len(read) > limit:
            raise CommentError(f"{method} {path}: more than {limit} bytes came, so it is refused")
        return read

    def json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The body of an answer, read as JSON. Raises CommentError.

        method: of HTTP.
        path: below the repository's address.
        body: sent as JSON. Default: none.
        """
        answer = self.bytes(method, path, _MOST_ZIPPED, body)
        try:
            return json.loads(answer)
        except ValueError:
            raise CommentError(f"{method} {path}: the answer is no JSON") from None

    def pages(self, path: str) -> Iterator[Any]:
        for page in range(1, _MOST_PAGES + 1):
            entries = self.json("GET", f"{path}?{urlencode({'per_page': _PAGE, 'page': page})}")
            yield from entries
            if len(entries) < _PAGE:
                return


def pull_request_of(github: GitHub, run: Mapping[str, Any]) -> int | None:
    """The number of the open pull request whose newest commit a run used; None without one. Raises CommentError."""
    if run["event"] != "pull_request" or run["path"].partition("@")[0] != WORKFLOW:
        raise CommentError(f"run {run['id']} is of {run['path']} on {run['event']}, not of {WORKFLOW} on pull_request")
    head = run["head_repository"] or {}
    asked = {
        "state": "open",
        "head": f"{(head.get('owner') or {}).get('login')}:{run['head_branch']}",
        "per_page": _PAGE,
    }
    for found in github.json("GET", f"pulls?{urlencode(asked)}"):
        theirs = found["head"]["repo"] or {}
        if found["head"]["sha"] == run["head_sha"] and theirs.get("id") == head.get("id"):
            return int(found["number"])
    return None


def uploaded(github: GitHub, run: int) -> dict[str, str] | None:
    """The files that a run uploaded; None if it uploaded none. Raises CommentError for unexpected files."""
    answer = github.json("GET", f"actions/runs/{run}/artifacts?{urlencode({'name': ARTIFACT})}")
    artifacts = [one for one in answer["artifacts"] if one["name"] == ARTIFACT and not one["expired"]]
    if not artifacts:
        return None
    if len(artifacts) > 1 or artifacts[0]["size_in_bytes"] > _MOST_ZIPPED:
        sizes = ", ".join(str(one["size_in_bytes"]) for one in artifacts)
        raise CommentError(
            f"the run's artifact is refused: of sizes {sizes}, and one of at most {_MOST_ZIPPED} is taken"
        )
    return files(github.bytes("GET", f"actions/artifacts/{int(artifacts[0]['id'])}/zip", _MOST_ZIPPED))


def files(archive: bytes) -> dict[str, str]:
    """The texts in an archive by name; nothing is written to a disk. Raises CommentError."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return _texts(opened)
    except CommentError as error:
        raise CommentError(f"the artifact is refused: {error}") from None
    except Exception as error:  # noqa: BLE001 - a damaged archive can raise any exception
        raise CommentError(f"the artifact is refused: {error!r}") from None


def _texts(archive: zipfile.ZipFile) -> dict[str, str]:
    found: dict[str, str] = {}
    left = _MOST_BYTES
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > _MOST_FILES:
        raise CommentError(f"{len(entries)} files, and at most {_MOST_FILES} are taken")
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if not _NAMES.fullmatch(entry.filename) or entry.filename in found or kind not in (0, stat.S_IFREG):
            raise CommentError(f"{entry.filename[:200]!r} is no file of a preview")
        with archive.open(entry) as file:
            # The sizes in an archive are untrusted, too.
            data = file.read(left + 1)
        left -= len(data)
        if left < 0:
            raise CommentError(f"it unpacks to more than {_MOST_BYTES} bytes")
        found[entry.filename] = data.decode("utf-8", "replace")
    return found


def post(github: GitHub, number: int, body: str) -> str:
    """Creates or replaces the one comment on a pull request. Returns its address."""
    for one in github.pages(f"issues/{number}/comments"):
        # Anybody can write a comment with the marker.
        if (one["user"] or {}).get("login") == _AUTHOR and (one["body"] or "").startswith(MARKER):
            return str(github.json("PATCH", f"issues/comments/{int(one['id'])}", {"body": body})["html_url"])
    return str(github.json("POST", f"issues/{number}/comments", {"body": body})["html_url"])


def annotate(github: GitHub, number: int, commit: str, report: PullRequest) -> None:
    """Uploads the findings with their lines. Raises CommentError, for example if code scanning is off."""
    log = json.dumps(sarif(report.found, report.unseen, version("ingress-hops"))).encode()
    packed = base64.b64encode(gzip.compress(log)).decode()
    body = {"commit_sha": commit, "ref": f"refs/pull/{number}/head", "sarif": packed, "tool_name": "ingress-hops"}
    github.json("POST", "code-scanning/sarifs", body)


def main(run: Annotated[int, typer.Argument(help="The number of the workflow run.")]) -> None:
    """Comments on the pull request of a run of preview.yml, and puts its findings on their lines.

    .github/workflows/comment.yml calls it. It reads $GITHUB_TOKEN and $GITHUB_REPOSITORY.

    Exit status: 0 commented, or nothing to report; 2 refused or failed, with the reason.
    """
    try:
        github = GitHub(os.environ)
        of = github.json("GET", f"actions/runs/{run}")
        number, found = pull_request_of(github, of), uploaded(github, run)
        if number is None or not found:
            missing = "no open pull request has its commit" if number is None else "it uploaded nothing"
            echo(f"there is nothing to report on run {run}: {missing}")
            return
        report = pull_request(found.get("head.jsonl", ""), found.get("base.jsonl", ""), found)
        echo(post(github, number, comment(report)))
    except (CommentError, EventsError) as error:
        stop(error)
    try:
        annotate(github, number, of["head_sha"], report)
    except CommentError as error:
        echo(f"hops: no findings on lines: {error}", err=True)
