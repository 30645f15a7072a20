"""Requests over real sockets: from this machine by Python, from a node by its curl."""

import hashlib
import shutil
import socket
import struct
import time
from collections.abc import Callable

import pytest

from hops.observe import requests
from hops.observe.local.docker import DockerError
from hops.observe.local.host import Resolved
from hops.observe.requests import from_client, from_node, through_proxy
from hops.trace.facts.client_proxy import ClientProxy
from hops.trace.facts.probes import Probe
from hops.trace.observed.observation import FollowedRequest, ObservedNode, SentRequest
from tests.hops.observe.conftest import Behaviour, Serve, StandIn, answering, request_of

OK = b"HTTP/1.1 200 OK\r\nServer: envoy\r\nX-Envoy-Upstream-Service-Time: 3\r\nContent-Length: 5\r\n\r\nhello"
HERE = Resolved(("127.0.0.1",), 0.002)


def asked(port: int, **more: object) -> FollowedRequest:
    return FollowedRequest.model_validate({"host": "web.localhost", "port": port, **more})


def by_client(port: int, **more: object) -> SentRequest:
    return from_client(asked(port, **more), HERE, ())[0]


def by_node(port: int, **more: object) -> SentRequest:
    """By the script that runs in a node, which here is this machine with its real curl."""
    if not shutil.which("curl"):
        pytest.skip("curl is not on PATH")
    unseen: dict[str, str] = {}
    probe = Probe("envoy", "127.0.0.1", port, str(more.get("method", "GET")), "node")
    answers, _ = from_node(ObservedNode(name="node"), asked(port, **more), [probe], None, unseen)
    assert [what for what in unseen if what.startswith("requests")] == []
    return answers[0]


Send = Callable[..., SentRequest]
BOTH = pytest.mark.parametrize("send", [by_client, by_node])


@pytest.fixture(autouse=True)
def quick(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but real curl stands in for a node; time-outs are short where a test waits for one."""
    stand_in.program("iptables-save", "#!/bin/sh\necho '*nat'\n")
    monkeypatch.setattr(requests, "SECONDS", 1.0)
    monkeypatch.setattr(requests, "CONNECT_SECONDS", 0.5)


@BOTH
def test_an_answer(serve: Serve, send: Send) -> None:
    received: list[bytes] = []
    answer = send(serve(answering(OK, received)), path="/a/../b", headers={"X-Any": 'a "b" \\c', "Empty": ""})
    assert (answer.failure, answer.status, answer.size) == (None, 200, 5)
    assert answer.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert answer.headers["x-envoy-upstream-service-time"] == "3"
    assert answer.by_pod
    assert answer.body == "", "what a pod says is nobody's business"
    assert list(answer.seconds)[-3:] == ["connect", "first byte", "total"]
    assert list(answer.seconds.values()) == sorted(answer.seconds.values())
    head = received[0].decode()
    assert head.startswith("GET /a/../b HTTP/1.1\r\n")
    assert f"\r\nHost: web.localhost:{answer.port}\r\n" in head
    assert '\r\nX-Any: a "b" \\c\r\n' in head
    assert "\r\nEmpty:" in head


@BOTH
def test_what_envoy_itself_says_is_kept(serve: Serve, send: Send) -> None:
    said = b"no healthy upstream"
    answer = send(serve(answering(b"HTTP/1.1 503 x\r\nServer: envoy\r\nContent-Length: 19\r\n\r\n" + said)))
    assert (answer.status, answer.by_pod, answer.body) == (503, False, said.decode())


def closing(connection: socket.socket) -> None:
    request_of(connection)


def resetting(connection: socket.socket) -> None:
    request_of(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(connection: socket.socket) -> None:
    request_of(connection)
    time.sleep(3)


def stopping_in_the_body(connection: socket.socket) -> None:
    request_of(connection)
    connection.sendall(OK.replace(b"Length: 5", b"Length: 500"))
    time.sleep(3)


def ending_in_the_body(connection: socket.socket) -> None:
    request_of(connection)
    connection.sendall(OK.replace(b"Length: 5", b"Length: 500"))


@BOTH
@pytest.mark.parametrize(
    ("behaviour", "failure", "status"),
    [
        (closing, "empty", None),
        (resetting, "reset", None),
        (silent, "timeout", None),
        (stopping_in_the_body, "timeout", 200),
        (ending_in_the_body, "reset", 200),
        (answering(b"220 mail.example ESMTP\r\n"), "other", None),
    ],
    ids=["empty", "reset", "silent", "stops in the body", "ends in the body", "no HTTP"],
)
def test_no_whole_answer(serve: Serve, send: Send, behaviour: Behaviour, failure: str, status: int | None) -> None:
    answer = send(serve(behaviour))
    assert (answer.failure, answer.status) == (failure, status)
    assert answer.error
    assert "connect" in answer.seconds
    assert status is None or "first byte" in answer.seconds


@BOTH
def test_nobody_listens(send: Send) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    answer = send(port)
    assert (answer.failure, answer.status, answer.error) == ("refused", None, "Connection refused")
    assert "connect" not in answer.seconds


@BOTH
def test_nobody_takes_the_connection(send: Send) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.settimeout(0)
            one.connect_ex(("127.0.0.1", port))
        answer = send(port)
        for one in waiting:
            one.close()
    assert answer.failure == "timeout"
    assert "connect" not in answer.seconds


@BOTH
def test_a_redirect_is_an_answer(serve: Serve, send: Send) -> None:
    port = serve(answering(b"HTTP/1.1 302 Found\r\nLocation: http://nowhere.invalid/\r\nContent-Length: 0\r\n\r\n"))
    answer = send(port)
    assert (answer.status, answer.failure, answer.headers["location"]) == (302, None, "http://nowhere.invalid/")


@BOTH
def test_chunks_and_interim_answers(serve: Serve, send: Send) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    answer = send(serve(answering(b"HTTP/1.1 100 Continue\r\n\r\n" + chunked)))
    assert (answer.status, answer.size, answer.headers.get("transfer-encoding")) == (200, 5, "chunked")


@BOTH
def test_what_is_expected_is_looked_for_in_the_body(serve: Serve, send: Send) -> None:
    port = serve(answering(OK))
    assert send(port).expected is None
    assert send(port, expect="ell").expected is True
    assert send(port, expect="other").expected is False


@BOTH
def test_a_head_request_has_no_body(serve: Serve, send: Send) -> None:
    received: list[bytes] = []
    answer = send(serve(answering(OK.removesuffix(b"hello"), received)), method="HEAD")
    assert (answer.status, answer.failure, answer.size) == (200, None, 0)
    assert received[0].startswith(b"HEAD / ")


@BOTH
def test_only_the_first_mebibyte_is_kept(serve: Serve, send: Send) -> None:
    size = requests.MEBIBYTE + 1000
    head = f"HTTP/1.1 200 OK\r\nX-Envoy-Upstream-Service-Time: 0\r\nContent-Length: {size}\r\n\r\n".encode()
    answer = send(serve(answering(head + b"x" * size)))
    assert (answer.status, answer.failure, answer.size) == (200, None, requests.MEBIBYTE)


def test_a_name_without_address_ends_the_request_and_the_published_address_is_tried(serve: Serve) -> None:
    port = serve(answering(OK))
    nowhere = Resolved((), 0.1, "Name or service not known")
    first, other = from_client(asked(port), nowhere, ("127.0.0.1",))
    assert (first.failure, first.error, first.address) == ("no name", "Name or service not known", "")
    assert (other.status, other.address) == (200, "127.0.0.1")
    assert [answer.failure for answer in from_client(asked(port), nowhere, ())] == ["no name"]


def test_a_client_goes_on_to_the_next_address_where_it_cannot_connect(serve: Serve) -> None:
    port = serve(answering(OK))
    answers = from_client(asked(port), Resolved(("127.0.0.2", "127.0.0.1"), 0.0), ("127.0.0.1",))
    assert [(answer.address, answer.failure) for answer in answers] == [("127.0.0.1", None), ("127.0.0.2", "refused")]


def test_what_may_change_something_is_sent_once(serve: Serve) -> None:
    received: list[bytes] = []
    port = serve(answering(OK, received))
    answers = from_client(asked(port, method="POST"), Resolved(("127.0.0.2", "127.0.0.1", "127.0.0.1"), 0.0), ())
    assert answers[0].method == "POST"
    assert sum(request.startswith(b"POST ") for request in received) == 1
    assert {request.split()[0] for request in received} == {b"POST", b"GET"}


def test_a_node_sends_several_requests_at_once(serve: Serve, stand_in: StandIn) -> None:
    stand_in.program("nsenter", '#!/bin/sh\nprintf "%s\\n" "$1" >>"$STAND_IN/entered"\nshift\nexec "$@"\n')
    ports = [serve(silent), serve(answering(OK)), serve(answering(OK.replace(b"200", b"404")))]
    probes = [
        Probe("pod", "127.0.0.1", ports[0]),
        Probe("envoy", "127.0.0.1", ports[1]),
        Probe("pod from envoy", "127.0.0.1", ports[2], namespace="cni-1"),
    ]
    began = time.monotonic()
    answers, _ = from_node(ObservedNode(name="node"), asked(1), probes, None, {})
    assert [(a.where, a.port, a.status) for a in answers] == [
        ("pod", ports[0], None),
        ("envoy", ports[1], 200),
        ("pod from envoy", ports[2], 404),
    ]
    assert time.monotonic() - began < 15
    assert (stand_in.folder / "entered").read_text() == "--net=/var/run/netns/cni-1\n"


SETTINGS = b"\0\0\0\4\0\0\0\0\0"
HTTP_2 = SETTINGS + b"\0\0\1\1\5\0\0\0\1\x88"
"""An empty answer with status 200: a frame HEADERS that ends the stream (RFC 9113, section 6.2)."""


@pytest.mark.parametrize(
    ("said", "status", "spoken"),
    [(HTTP_2, 200, b"PRI * HTTP/2.0"), (OK.replace(b"200", b"405"), 405, b"POST / HTTP/1.1")],
)
def test_a_pod_behind_http_2_is_asked_by_it_and_by_http_1_where_it_speaks_no_other(
    serve: Serve, said: bytes, status: int, spoken: bytes
) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not on PATH")
    received: list[bytes] = []
    probe = Probe("pod", "127.0.0.1", serve(answering(said, received)), "POST", scheme="h2c")
    request = asked(1, method="POST", grpc=True)
    (answer,), _ = from_node(ObservedNode(name="node"), request, [probe], None, {})
    assert (answer.failure, answer.status) == (None, status)
    assert received[-1].startswith(spoken)


def test_the_node_tells_its_counters_afterwards(serve: Serve, stand_in: StandIn) -> None:
    for tool in ("conntrack", "ip"):
        stand_in.program(tool, '#!/bin/sh\necho "$*"\n')
    probe = Probe("envoy", "127.0.0.1", serve(answering(OK)))
    _, after = from_node(ObservedNode(name="node", nat="before"), asked(1), [probe], 80, {})
    assert (after.nat, after.nat_after) == ("before", "*nat\n")
    assert after.links_after == "-json -statistics address\n"
    assert after.conntrack == "--dump --proto tcp --orig-port-dst 80\n"


def test_a_node_without_curl_is_reported(stand_in: StandIn) -> None:
    (stand_in.bin / "curl").unlink(missing_ok=True)
    unseen: dict[str, str] = {}
    answers, _ = from_node(ObservedNode(name="node"), asked(1), [Probe("envoy", "127.0.0.1", 1)], None, unseen)
    assert answers == []
    assert "curl: command not found" in unseen["requests: envoy"]


@pytest.mark.parametrize(
    ("why", "failure"),
    [
        ("Connection refused", "refused"),
        ("No route to host", "unreachable"),
        ("Network is unreachable", "unreachable"),
        ("Connection timed out", "timeout"),
    ],
)
def test_a_node_tells_why_it_could_not_connect(stand_in: StandIn, why: str, failure: str) -> None:
    """Its exit status is 7 for all of them, and its message is the same."""
    reported = '{"exitcode": 7, "errormsg": "Could not connect to server", "response_code": 0, "size_header": 0, '
    reported += '"time_connect": 0, "time_starttransfer": 0, "time_total": 3.1}'
    stand_in.program(
        "curl",
        "#!/bin/sh\nprintf '%s\\n' '*   Trying 10.0.0.1:80...' "
        f"'* connect to 10.0.0.1 port 80 failed: {why}' '{{ [5 bytes data]' '{reported}' >&2\n",
    )
    answers, _ = from_node(ObservedNode(name="node"), asked(1), [Probe("pod", "10.0.0.1", 80)], None, {})
    assert [(answer.failure, answer.error) for answer in answers] == [(failure, why)]


def test_headers_are_no_arguments(serve: Serve, stand_in: StandIn) -> None:
    probe = Probe("envoy", "127.0.0.1", serve(answering(OK)))
    stand_in.program("curl", '#!/bin/sh\nprintf "%s\\n" "$*" >>"$STAND_IN/arguments"\n')
    from_node(ObservedNode(name="node"), asked(1, headers={"Authorization": "Bearer hidden"}), [probe], None, {})
    assert "hidden" not in (stand_in.folder / "arguments").read_text() + "\n".join(stand_in.calls)


@BOTH
def test_an_upgrade_is_sent_with_one_connection_header(serve: Serve, send: Send) -> None:
    received: list[bytes] = []
    send(serve(answering(OK, received)), headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    lines = [line for line in received[0].split(b"\r\n") if line.lower().startswith(b"connection:")]
    assert lines == [b"Connection: Upgrade"]


def test_a_proxy_is_asked_for_the_whole_url(serve: Serve) -> None:
    received: list[bytes] = []
    proxy = ClientProxy("http_proxy", "http", "127.0.0.1", serve(answering(OK, received)))
    (answer,) = through_proxy(asked(8080, path="/a?b=1"), proxy)
    assert (answer.where, answer.status) == ("proxy", 200)
    assert received[0].startswith(b"GET http://web.localhost:8080/a?b=1 HTTP/1.1\r\nHost: web.localhost:8080\r\n")


def test_nothing_is_sent_to_a_proxy_that_speaks_another_protocol() -> None:
    assert through_proxy(asked(8080), ClientProxy("all_proxy", "socks5", "127.0.0.1", 1)) == []
    assert through_proxy(asked(8443, scheme="https"), ClientProxy("https_proxy", "http", "127.0.0.1", 1)) == []


def test_a_paused_node_says_so(stand_in: StandIn) -> None:
    (stand_in.folder / "dead-node").touch()
    with pytest.raises(DockerError, match="container node is paused"):
        from_node(ObservedNode(name="node"), asked(1), [Probe("envoy", "127.0.0.1", 1)], None, {})
