"""Sends the followed request: from this machine, and from the nodes to later hops with the nodes' own curl."""

import base64
import binascii
import errno
import hashlib
import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from hops.model.hop import bracketed
from hops.observe.in_cluster.nodes import PART, sections
from hops.observe.local import docker
from hops.observe.local.host import Resolved
from hops.observe.timed_tasks import later
from hops.observe.tls import certificates, context, entered, server_name, with_error
from hops.trace.facts.client_proxy import ClientProxy
from hops.trace.facts.probes import Probe, probing
from hops.trace.observed.observation import Failure, FollowedRequest, Handshake, ObservedNode, SentRequest

# Envoy connects to a pod for 2 s with Contour. Its 503 must still arrive.
CONNECT_SECONDS = 3.0
SECONDS = 4.0
MEBIBYTE = 1 << 20
_HEADERS = 1 << 16
_SHOWN = 2048
_AGENT = "hops-trace"

# curl prints its JSON report to stderr after the answer. The body is cut, and the rest is read and dropped.
_SCRIPT = f"""{PART}
probes=()
while read -r line && test -n "$line"; do probes+=("$line"); done
config=$(cat)
ask() {{
  local enter=() method=(--include --request "$4")
  test "$1" = - || enter=(nsenter "--net=/var/run/netns/$1")
  test "$4" = HEAD && method=(--head)
  local given=$config
  # Only curl's `url` has this text, and it stands before the headers.
  # A server that speaks no HTTP/2 is asked by HTTP/1.1, so that its answer shows it.
  test "$5" = h2c && "${{enter[@]}}" curl --config <(printf '%s\\n' "${{given/http1.1/http2-prior-knowledge}}") \
    --connect-to "::$2:$3" "${{method[@]}}" --max-time {CONNECT_SECONDS} >/dev/null 2>&1 &&
    given=${{given/http1.1/http2-prior-knowledge}}
  test "$5" = https && given=${{config/'url = "http:'/'url = "https:'}} && given=${{given/http1.1/http2}}
  "${{enter[@]}}" curl --config <(printf '%s\\n' "$given") --connect-to "::$2:$3" "${{method[@]}}" 2>&3 |
    {{ body=$({{ head --bytes {MEBIBYTE + _HEADERS}; cat >/dev/null; }} | base64 --wrap 0); printf '%s\\n' "$body"; }}
}}
asked=()
for probe in "${{probes[@]}}"; do
  read -r namespace address port method scheme <<<"$probe"
  exec {{answer}}< <(said=$(ask "$namespace" "$address" "$port" "$method" "$scheme" 3>&1); printf '%s\\n' "$said")
  asked+=("$answer")
done
for number in "${{!asked[@]}}"; do printf '\\036request %s\\n' "$number"; cat <&"${{asked[number]}}"; done
part nat iptables-save --counters --table nat
part links ip -json -statistics address
test -n "$NODE_PORT" && part conntrack conntrack --dump --proto tcp --orig-port-dst "$NODE_PORT"
true
"""

_AFTER = {"nat_after": "nat", "links_after": "links", "conntrack": "conntrack"}
"""The sections that the script prints after the requests, by the field of the node."""
_FAILURES: Mapping[int, Failure] = {
    **dict.fromkeys((5, 6), "no name"),
    7: "refused",
    **dict.fromkeys((18, 55, 56), "reset"),
    28: "timeout",
    35: "tls",
    52: "empty",
}
"""The meaning of curl's exit statuses (https://curl.se/docs/manpage.html, EXIT CODES)."""


@dataclass(frozen=True)
class _Outcome:
    """How a request ended; the fields are those of SentRequest."""

    failure: Failure | None = None
    error: str = ""
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    tls: Handshake | None = None


def from_client(asked: FollowedRequest, resolved: Resolved, published: Iterable[str]) -> list[SentRequest]:
    """The request as a client on this machine sends it, then one request to each other address.

    asked: the followed request.
    resolved: the addresses of its host name.
    published: the addresses at which requests should enter; they are tried, too, if the name does not lead there.
    """
    others = [address for address in published if address not in resolved.addresses]
    if not resolved.addresses:
        outcome = _Outcome("no name", resolved.error or "the name has no address")
        nowhere = Probe("client", "", asked.port, asked.method, scheme=asked.scheme)
        first = _request(nowhere, asked, {"name": resolved.seconds}, outcome)
        return [
            first,
            *(
                _sent(Probe("client", address, asked.port, probing(asked), scheme=asked.scheme), asked, 0.0)
                for address in others
            ),
        ]
    addresses = [*resolved.addresses[:4], *others]
    methods = [asked.method, *(probing(asked) for _ in addresses[1:])]
    probes = [
        Probe("client", address, asked.port, method, scheme=asked.scheme)
        for address, method in zip(addresses, methods, strict=True)
    ]
    sent = [later(partial(_sent, probe, asked, resolved.seconds)) for probe in probes]
    answers = [each.result() for each in sent]
    # A client that cannot connect tries the next address of the name.
    by_name = answers[: len(addresses) - len(others)]
    taken = next((answer for answer in by_name if "connect" in answer.seconds), by_name[0])
    rest = [answer for answer in answers if answer is not taken]
    if taken.method != asked.method:
        taken = _sent(
            Probe("client", taken.address, asked.port, asked.method, scheme=asked.scheme), asked, resolved.seconds
        )
    return [taken, *rest]


def through_proxy(asked: FollowedRequest, proxy: ClientProxy) -> list[SentRequest]:
    """The request as a client sends it to a proxy (RFC 9112, section 3.2.2). One over TLS is not sent."""
    if asked.scheme != "http" or proxy.scheme != "http":
        return []
    probe = Probe("proxy", proxy.host, proxy.port, probing(asked))
    return [_sent(probe, asked.model_copy(update={"path": f"http://{asked.authority}{asked.path}"}), 0.0)]


def _sent(probe: Probe, asked: FollowedRequest, name: float) -> SentRequest:
    """Sends one request from this machine.

    name: how many seconds the look-up of the name took.
    """
    began = time.monotonic()
    stages = {"name": name}
    # A client that distrusts the server sees no chain, so the chain is read over a connection of its own.
    shown = later(partial(_shown, probe, asked)) if asked.scheme == "https" else None
    try:
        with socket.create_connection((probe.address, probe.port), CONNECT_SECONDS) as connection:
            stages["connect"] = name + time.monotonic() - began
            answer = over(connection, probe, asked, stages, checked=not asked.insecure)
    except OSError as error:
        return _request(probe, asked, stages, _Outcome(_failure(error), _reason(error)))
    if shown and answer.tls and (seen := shown.result()) and seen.protocol:
        more = {"alpn": seen.alpn, "chain": answer.tls.chain or seen.chain}
        return answer.model_copy(update={"tls": answer.tls.model_copy(update=more)})
    return answer


def _shown(probe: Probe, asked: FollowedRequest) -> Handshake | None:
    """What the server shows a client that speaks HTTP/2 and trusts everybody; None if nothing answers."""
    try:
        with socket.create_connection((probe.address, probe.port), CONNECT_SECONDS) as connection:
            connection.settimeout(SECONDS)
            secure, seen, _ = entered(connection, asked, context(asked, checked=False, protocols=("h2", "http/1.1")))
            if secure:
                secure.close()
            return seen
    except OSError:
        return None


def over(
    connection: socket.socket,
    probe: Probe,
    asked: FollowedRequest,
    stages: Mapping[str, float],
    *,
    checked: bool = False,
) -> SentRequest:
    """Sends one request over an open connection.

    stages: seconds since the start at which earlier stages ended.
    checked: whether the server's certificate is verified.
    """
    if probe.scheme != "https":
        return _exchanged(connection, probe, asked, stages)
    began, before = time.monotonic(), max(stages.values(), default=0.0)
    try:
        settings = context(asked, checked=checked, protocols=("http/1.1",))
    except OSError as error:
        return _request(probe, asked, stages, _Outcome("tls", f"{asked.ca_file}: {_reason(error)}"))
    connection.settimeout(SECONDS)
    secure, seen, failed = entered(connection, asked, settings)
    after = {**stages, "tls": before + time.monotonic() - began}
    if secure is None:
        failure: Failure = "timeout" if isinstance(failed, TimeoutError) else "tls"
        return _request(probe, asked, stages, _Outcome(failure, seen.error or seen.distrust, tls=seen))
    with secure:
        return _exchanged(secure, probe, asked, after, seen)


def _exchanged(
    connection: socket.socket,
    probe: Probe,
    asked: FollowedRequest,
    stages: Mapping[str, float],
    seen: Handshake | None = None,
) -> SentRequest:
    """Sends the request and reads the answer; the arguments are those of `over`.

    seen: the handshake of the connection; None for plain HTTP.
    """
    began, before = time.monotonic(), max(stages.values(), default=0.0)
    seconds = dict(stages)
    outcome = _Outcome(tls=seen)
    try:
        connection.settimeout(SECONDS)
        _write(connection, _head(asked, probe.method))
        # An encrypted connection cannot be peeked at; HTTPResponse then reports the missing answer.
        if seen or connection.recv(1, socket.MSG_PEEK):
            seconds["first byte"] = before + time.monotonic() - began
            answer = http.client.HTTPResponse(connection, method=probe.method)
            answer.begin()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            seconds["first byte"] = before + time.monotonic() - began if seen else seconds["first byte"]
            outcome = _Outcome(status=answer.status, headers=headers, tls=seen)
            outcome = replace(outcome, body=_body(answer, began + SECONDS, connection))
        else:
            outcome = _Outcome("empty", "the connection was closed without an answer")
    except http.client.RemoteDisconnected:
        outcome = _Outcome("empty", "the connection was closed without an answer", tls=seen)
    except ssl.SSLError as error:
        handshake = with_error(seen, error) if seen else None
        outcome = replace(outcome, failure="tls", error=handshake.error if handshake else _reason(error), tls=handshake)
    except http.client.HTTPException as error:
        failure: Failure = "reset" if isinstance(error, http.client.IncompleteRead) else "other"
        outcome = replace(outcome, failure=failure, error=f"no whole answer in HTTP: {error!r}")
    except OSError as error:
        outcome = replace(outcome, failure=_failure(error), error=_reason(error))
    seconds["total"] = before + time.monotonic() - began
    return _request(probe, asked, seconds, outcome)


def _write(connection: socket.socket, data: bytes) -> None:
    """Sends data. Raises OSError, with the alert that an encrypted server sent before it closed."""
    try:
        connection.sendall(data)
    except OSError:
        if isinstance(connection, ssl.SSLSocket):
            connection.recv(1)
        raise


def _body(answer: http.client.HTTPResponse, deadline: float, connection: socket.socket) -> bytes:
    """The first MiB of the body. Raises TimeoutError after the deadline."""
    body = b""
    while len(body) < MEBIBYTE:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = answer.read1(MEBIBYTE - len(body))
        if not piece:
            if answer.length:
                raise http.client.IncompleteRead(body, answer.length)
            break
        body += piece
    return body


def _head(asked: FollowedRequest, method: str) -> bytes:
    fields = {"Host": asked.authority, "User-Agent": _AGENT, "Accept": "*/*", "Connection": "close"}
    given = {name.lower() for name in asked.headers}
    kept = {name: value for name, value in fields.items() if name.lower() not in given}
    lines = [f"{method} {asked.path} HTTP/1.1", *(f"{n}: {v}" for n, v in {**kept, **asked.headers}.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1", errors="replace")


def _failure(error: OSError) -> Failure:
    match error:
        case TimeoutError():
            return "timeout"
        case ConnectionRefusedError():
            return "refused"
        case ConnectionError():
            return "reset"
        case ssl.SSLError():
            return "tls"
    return "unreachable" if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH) else "other"


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or "no answer in time"


def _request(probe: Probe, asked: FollowedRequest, seconds: Mapping[str, float], outcome: _Outcome) -> SentRequest:
    body, answered = outcome.body, outcome.status is not None
    answer = SentRequest(
        where=probe.where,
        address=probe.address,
        port=probe.port,
        method=probe.method,
        failure=outcome.failure,
        error=outcome.error,
        status=outcome.status,
        headers=outcome.headers,
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest() if answered else "",
        seconds={stage: round(taken, 6) for stage, taken in seconds.items()},
        expected=asked.expect.encode() in body if asked.expect is not None and answered else None,
        tls=outcome.tls,
    )
    # The body of a pod may be private and is not kept. An answer of Envoy itself is evidence.
    return answer if answer.by_pod else answer.model_copy(update={"body": body[:_SHOWN].decode(errors="replace")})


def from_node(
    node: ObservedNode,
    asked: FollowedRequest,
    probes: Sequence[Probe],
    port: int | None,
    unseen: MutableMapping[str, str],
) -> tuple[list[SentRequest], ObservedNode]:
    """Sends requests from a node, all at once. Returns the answers, and the node with its counters afterwards.

    node: the node before the requests.
    asked: the followed request.
    probes: the requests to send.
    port: the port of the node whose connections are read from conntrack.
    unseen: receives what cannot be read.

    Raises DockerError.
    """
    lines = [f"{p.namespace or '-'} {bracketed(p.address)} {p.port} {p.method} {p.scheme}" for p in probes]
    # Standard input, because a header may be a secret and other users can read arguments.
    text = "\n".join([*lines, "", *_curl(asked)])
    words = ("exec", "--interactive", f"--env=NODE_PORT={port or ''}", node.name, "bash", "-c", _SCRIPT)
    printed = docker.run(*words, text=text, seconds=SECONDS + docker.SECONDS)
    parts = sections(printed, f"node {node.name}", unseen)
    answers = []
    for number, probe in enumerate(probes):
        text = parts.get(f"request {number}", "")
        try:
            answers.append(_answer(probe, asked, text))
        except (ValueError, KeyError):
            unseen[f"requests: {probe.where}"] = f"curl in {node.name} printed {text[:200]!r}"
    after = {field: parts.get(section, "") for field, section in _AFTER.items()}
    return answers, node.model_copy(update=after)


def _curl(asked: FollowedRequest) -> Iterable[str]:
    """Curl's configuration for the request that `_head` describes."""
    # Only the verbose output has the reason of a failed connection.
    yield from ("silent", "verbose", "path-as-is", "globoff", "http1.1", 'noproxy = "*"')
    yield f"max-time = {SECONDS}"
    yield f"connect-timeout = {CONNECT_SECONDS}"
    # The certificates are judged where the client is; only what the server shows is read here.
    yield "insecure"
    yield from (f"tls-max = {asked.tls_max}",) if asked.tls_max else ()
    yield f"url = {_quoted(f'http://{asked.host}:{asked.port}{asked.path}')}"
    yield f"user-agent = {_quoted(_AGENT)}"
    # curl sends a header twice that is given twice.
    if "connection" not in {name.lower() for name in asked.headers}:
        yield 'header = "Connection: close"'
    for name, value in asked.headers.items():
        # curl sends a header without a value only if it ends with a semicolon.
        yield f"header = {_quoted(f'{name}: {value}' if value else f'{name};')}"
    yield r'write-out = "%{stderr}%{json}\n"'


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _answer(probe: Probe, asked: FollowedRequest, text: str) -> SentRequest:
    """An answer, from what the script printed. Raises ValueError or KeyError if the text has another form."""
    line = re.search(r'^\{".*\}$', text, re.MULTILINE)
    if not line:
        raise ValueError(text)
    report: dict[str, Any] = json.loads(line[0])
    encoded = text[line.end() :]
    try:
        answer = base64.b64decode(encoded)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    size = int(report["size_header"])
    fields = answer[:size].decode("latin-1").strip().split("\r\n\r\n")[-1].split("\r\n")[1:]
    pairs = (field.partition(":") for field in fields)
    stages = {"connect": "time_connect", "first byte": "time_starttransfer", "total": "time_total"}
    taken = {stage: float(report[key]) for stage, key in stages.items() if float(report[key])}
    code, reason = int(report["exitcode"]), str(report.get("errormsg") or "")
    failure = _FAILURES.get(code, "other") if code else None
    if failure == "refused":
        failure, reason = _not_connected(text, reason)
    outcome = _Outcome(
        failure,
        reason if code else "",
        int(report["response_code"]) or None,
        {name.strip().lower(): value.strip() for name, _, value in pairs},
        answer[size:][:MEBIBYTE],
        _handshake(asked, report, text[: line.start()], reason if code else "") if probe.scheme == "https" else None,
    )
    return _request(probe, asked, taken, outcome)


def _not_connected(text: str, message: str) -> tuple[Failure, str]:
    """Why curl could not connect, from its verbose output: the exit status is the same for all reasons."""
    reason = ", ".join(re.findall(r"^\* +connect to .* failed: (.*)$", text, re.MULTILINE)) or message
    if "timed out" in reason:
        return "timeout", reason
    return "unreachable" if "No route" in reason or "unreachable" in reason else "refused", reason


def _handshake(asked: FollowedRequest, report: Mapping[str, Any], text: str, error: str) -> Handshake:
    """The handshake, from curl's verbose output."""
    agreed = re.search(r"^\* SSL connection using (\S+) / (\S+)", text, re.MULTILINE)
    alpn = re.search(r"^\* ALPN: server accepted (\S+)", text, re.MULTILINE)
    return Handshake(
        name=server_name(asked.host),
        protocol=agreed[1] if agreed else None,
        cipher=agreed[2] if agreed else None,
        alpn=alpn[1] if alpn else None,
        chain=certificates(str(report.get("certs") or "")),
        wants_client="Request CERT (13)" in text if agreed else None,
        error=error,
    )
