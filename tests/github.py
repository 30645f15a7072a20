"""A GitHub of one repository, as far as a comment needs it. Source of its answers: docs.github.com, REST API."""

import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "somebody/ingress-hops"
TOKEN = "a-token"  # noqa: S105 - opens nothing
BOT = "github-actions[bot]"
RUN = 77
HEAD = "a" * 40


def run(**changed: Any) -> dict[str, Any]:
    """A run of preview.yml for a fork's pull request."""
    return {
        "id": RUN,
        "event": "pull_request",
        "path": ".github/workflows/preview.yml",
        "head_sha": HEAD,
        "head_branch": "change&state=closed",
        "head_repository": {"id": 2, "owner": {"login": "forker"}},
        "pull_requests": [],
        **changed,
    }


def pull(number: int, **head: Any) -> dict[str, Any]:
    return {"number": number, "head": {"sha": HEAD, "repo": {"id": 2}, **head}}


def zipped(files: Mapping[Any, str]) -> bytes:
    """An archive of texts by name, or by ZipInfo."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return into.getvalue()


@dataclass
class GitHub:
    """What it holds, and what it was asked. asked: method, path and whether the token came with it."""

    runs: dict[int, dict[str, Any]] = field(default_factory=lambda: {RUN: run()})
    pulls: list[dict[str, Any]] = field(default_factory=lambda: [pull(5)])
    archive: bytes = b""
    artifacts: list[dict[str, Any]] | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    scanning: bool = True
    asked: list[tuple[str, str, bool]] = field(default_factory=list)
    address: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Of a job."""
        return {"GITHUB_API_URL": self.address, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN}

    def say(self, author: str, body: str) -> None:
        self.comments.append({"id": 100 + len(self.comments), "user": {"login": author}, "body": body})

    def answer(  # noqa: PLR0911 - one for each question
        self, method: str, path: str, query: Mapping[str, list[str]], body: Any
    ) -> tuple[int, Any]:
        here = path.removeprefix(f"/repos/{REPOSITORY}/")
        page, size = int(query.get("page", ["1"])[0]), int(query.get("per_page", ["30"])[0])
        match method, here.split("/"):
            case "GET", ["actions", "runs", number]:
                return 200, self.runs[int(number)]
            case "GET", ["actions", "runs", _, "artifacts"]:
                one = {"id": 9, "name": "pull-request", "expired": False, "size_in_bytes": len(self.archive)}
                return 200, {"artifacts": [one] if self.artifacts is None else self.artifacts}
            case "GET", ["actions", "artifacts", "9", "zip"]:
                return 302, f"{self.address}/elsewhere"
            case "GET", ["pulls"]:
                assert query["state"] == ["open"]
                return 200, self.pulls if query["head"] == ["forker:change&state=closed"] else []
            case "GET", ["issues", _, "comments"]:
                return 200, self.comments[(page - 1) * size : page * size]
            case "POST", ["issues", number, "comments"]:
                self.say(BOT, body["body"])
                return 201, {"html_url": f"{self.address}/{number}"}
            case "PATCH", ["issues", "comments", number]:
                (one,) = [one for one in self.comments if one["id"] == int(number)]
                one["body"] = body["body"]
                return 200, {"html_url": f"{self.address}/{number}"}
            case "POST", ["code-scanning", "sarifs"]:
                self.logs.append(body)
                return (202, {"id": "1"}) if self.scanning else (403, {"message": "not enabled"})
        return 404, {"message": "Not Found"}


@contextmanager
def serving(github: GitHub) -> Iterator[GitHub]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            has_token = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            github.asked.append((self.command, parts.path, has_token))
            if parts.path == "/elsewhere":
                self._send(200, github.archive)
            elif not has_token:
                self._send(401, b"{}")
            else:
                status, answer = github.answer(self.command, parts.path, parse_qs(parts.query), body)
                data = b"" if status == 302 else json.dumps(answer).encode()
                self._send(status, data, *([("Location", answer)] if status == 302 else []))

        do_GET = do_POST = do_PATCH = _any  # noqa: N815 - the server's names

        def _send(self, status: int, data: bytes, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            for name, value in (*headers, ("Content-Length", str(len(data)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        github.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield github
        finally:
            server.shutdown()
            thread.join()


def codes_in(markdown: str) -> list[str]:
    """The codes of a comment's findings, in order."""
    return re.findall(r"^- \*\*\w+\*\* \*\*([A-Z]{2}\d{2})\*\*", markdown, re.MULTILINE)
