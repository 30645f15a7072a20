"""What this machine shows of a name and a port."""

import os
import socket
import struct
import sys
import threading
import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from hops.observe.local import host as module
from hops.observe.local.host import host, resolve
from hops.trace.facts.client_proxy import PROXY_VARIABLES
from hops.trace.observed.observation import FollowedRequest
from tests.hops.observe.conftest import StandIn

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows its sockets in /proc")


def asked(name: str = "web.example", port: int = 8080) -> FollowedRequest:
    return FollowedRequest(host=name, port=port)


def answers(monkeypatch: pytest.MonkeyPatch, **by_family: list[str]) -> None:
    """Lets the resolver answer so; a family without addresses fails as a real one does."""
    names = {socket.AF_INET: "four", socket.AF_INET6: "six", socket.AF_UNSPEC: "both"}

    def ask(name: str, port: None, family: socket.AddressFamily, kind: int) -> list[object]:
        assert (port, kind) == (None, socket.SOCK_STREAM)
        found = by_family.get(names[family], [])
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(family, kind, 6, name, (address, 0)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", ask)


def test_each_family_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, four=["127.0.0.1", "127.0.0.1"])
    four, six = host(asked(), {}).lookups
    assert (four.family, four.addresses, four.error) == (4, ("127.0.0.1",), None)
    assert (six.family, six.addresses, six.error) == (6, (), "Name or service not known")


def test_a_client_takes_the_resolvers_order(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, both=["::1", "127.0.0.1"])
    assert resolve("web.example").addresses == ("::1", "127.0.0.1")


def test_a_resolver_that_stalls_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKUP_SECONDS", 0.2)
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: answered.wait(20))
    began = time.monotonic()
    four, _ = host(asked(), {}).lookups
    answered.set()
    assert four.error == "the resolver did not answer within 0 s"
    assert four.seconds == 0.2
    assert time.monotonic() - began < 15


def test_a_name_that_no_resolver_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert resolve("a" * 70 + ".example").error


def test_localhost_is_asked_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch)
    four, six = host(asked("web.localhost"), {}).lookups
    assert (four.addresses, six.addresses, four.error, six.error) == (("127.0.0.1",), (), None, None)
    assert resolve("web.localhost").addresses == ("127.0.0.1",)
    assert resolve("weblocalhost").error


def test_the_resolver_itself_is_asked_for_a_name_in_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_filter", lambda _: "")
    answers(monkeypatch)
    seen = host(asked("web.localhost"), {})
    assert seen.resolver is not None
    assert (seen.resolver.addresses, seen.resolver.error) == ((), "Name or service not known")
    assert [lookup.addresses for lookup in seen.lookups] == [("127.0.0.1",), ()]
    assert host(asked("localhost"), {}).resolver is None
    assert host(asked("web.example"), {}).resolver is None


def test_the_proxy_of_the_environment_is_kept_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://sam:secret@proxy:3128")
    monkeypatch.setenv("all_proxy", "sam:secret@proxy")
    monkeypatch.setenv("HTTP_PROXY", "http://other:1")
    monkeypatch.setenv("no_proxy", "example.com")
    expected = {"http_proxy": "http://proxy:3128", "all_proxy": "proxy", "no_proxy": "example.com"}
    assert module.environment() == expected


@pytest.mark.parametrize(("script", "expected"), [("echo '-A INPUT -j DROP'", "-A INPUT -j DROP\n"), ("exit 4", "")])
def test_the_packet_filter_is_kept_if_this_user_may_read_it(stand_in: StandIn, script: str, expected: str) -> None:
    stand_in.program("iptables-save", f"#!/bin/sh\n{script}\n")
    unseen: dict[str, str] = {}
    assert module._filter(unseen) == expected
    assert unseen == {}


def test_lines_of_the_hosts_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch)
    monkeypatch.setattr(module, "HOSTS", tmp_path / "hosts")
    unseen: dict[str, str] = {}
    assert host(asked(), unseen).hosts == ()
    assert "No such file" in unseen["host: hosts file"]
    lines = ["127.0.0.1 web.example # mine", "::1 x WEB.example", "# 10.0.0.1 web.example", "10.0.0.2 sub.web.example"]
    (tmp_path / "hosts").write_text("\n".join(lines))
    assert host(asked(), {}).hosts == tuple(lines[:2])


@LINUX
def test_who_listens_on_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        unseen: dict[str, str] = {}
        (listener,) = host(asked(port=port), unseen).listeners
        assert (listener.address, listener.port, listener.pid) == ("127.0.0.1", port, os.getpid())
        assert listener.process
        assert unseen == {}
        with socket.socket() as client:
            client.connect(("127.0.0.1", port))
            assert len(host(asked(port=port), {}).listeners) == 1, "a connection is no listener"
    assert host(asked(port=port), {}).listeners == ()


@LINUX
def test_a_listener_whose_process_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch)
    monkeypatch.setattr(module, "_owners", lambda _: {})
    with socket.create_server(("127.0.0.1", 0)) as one:
        unseen: dict[str, str] = {}
        (listener,) = host(asked(port=one.getsockname()[1]), unseen).listeners
    assert (listener.pid, listener.process) == (None, None)
    assert unseen == {"host: listeners' processes": "other users' processes are shown to root only"}


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "fe80::1:2", "::ffff:10.0.0.1"])
def test_addresses_of_the_kernels_tables(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    # Python 3.13 writes a mapped address with its IPv4 part, older ones in hexadecimal.
    assert module._address("".join(f"{word:08X}" for word in words)) == str(ip_address(address))


@LINUX
def test_the_machines_own_addresses_and_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch)
    seen = host(asked(), {})
    assert seen.system == "Linux"
    assert "127.0.0.1" in seen.addresses
    assert not any(address.endswith(".255") for address in seen.addresses), "a broadcast address is nobody's own"
    assert set(seen.inotify) == {"max_user_instances", "max_user_watches"}


def test_a_machine_without_proc_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, four=["127.0.0.1"])
    monkeypatch.setattr(module, "PROC", tmp_path)
    unseen: dict[str, str] = {}
    seen = host(asked(), unseen)
    assert (seen.listeners, seen.addresses, seen.inotify) == ((), (), {})
    assert seen.lookups[0].addresses == ("127.0.0.1",)
    assert set(unseen) == {"host: listeners", "host: addresses"}
