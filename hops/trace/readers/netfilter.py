"""Follows a new connection through the nat table that a node has saved."""

import shlex
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from hops.model.hop import bracketed
from hops.trace.readers.kernel import IptablesRule, rules

_DEEPEST = 32
_FILLERS = frozenset({"-m", "--match", "--comment", "--limit-iface-in", "-f"})


@dataclass(frozen=True)
class Translation:
    """A rule that sends a connection elsewhere.

    address: IP address that the connection goes to.
    port: None where it stays.
    certain: whether the connection is sure to match, as far as the text tells.
    """

    rule: IptablesRule
    address: str
    port: int | None
    certain: bool

    def __str__(self) -> str:
        return self.address if self.port is None else f"{bracketed(self.address)}:{self.port}"


@dataclass(frozen=True)
class _Packet:
    """The first packet of a TCP connection from outside to an address of the node itself. address: None if unknown."""

    address: str | None
    port: int


def translations(saved: str, address: str | None, port: int) -> tuple[Translation, ...]:
    """Every DNAT that a TCP connection to the node's own address and port may meet, in order.

    saved: of `iptables-save --table nat`.
    address: the node's, None where it isn't known.
    port: the node's own TCP port.

    The first certain one is taken; those behind it never are.
    """
    chains: dict[str, list[IptablesRule]] = defaultdict(list)
    for rule in rules(saved):
        chains[rule.chain].append(rule)
    return tuple(_walk(chains, "PREROUTING", _Packet(address, port), certain=True, depth=0))


def taken(found: Sequence[Translation]) -> Translation | None:
    """The one that a connection takes, None where none is certain."""
    return next((translation for translation in found if translation.certain), None)


def _walk(
    chains: Mapping[str, Sequence[IptablesRule]], chain: str, packet: _Packet, *, certain: bool, depth: int
) -> Generator[Translation, None, bool]:
    """Ends with whether the table is surely left here otherwise than by a translation."""
    for rule in chains.get(chain, ()) if depth < _DEEPEST else ():
        options = dict(_options(rule.text))
        matched = _matches(options, packet)
        if matched is False:
            continue
        sure = certain and matched is True
        goto = options.get("-g")
        target = goto or options.get("-j", "")
        if target == "DNAT":
            yield _translation(rule, options.get("--to-destination", ""), certain=sure)
        elif target == "REDIRECT":
            yield Translation(rule, packet.address or "", _number(options.get("--to-ports", "")), sure)
        elif target in chains:
            left = yield from _walk(chains, target, packet, certain=sure, depth=depth + 1)
            if left:
                return True
        if sure and target == "ACCEPT":
            return True
        if matched and (target == "RETURN" or goto):
            return False
    return False


def _translation(rule: IptablesRule, target: str, *, certain: bool) -> Translation:
    if target.startswith("["):
        address, _, port = target[1:].partition("]")
        return Translation(rule, address, _number(port.lstrip(":")), certain)
    address, _, port = target.partition(":") if target.count(":") < 2 else (target, "", "")
    return Translation(rule, address, _number(port), certain)


def _number(text: str) -> int | None:
    """The first port of `8080` or `8080-8090`."""
    first = text.partition("-")[0]
    return int(first) if first.isdigit() else None


def _options(text: str) -> Iterator[tuple[str, str]]:
    """The options of a rule with their values; a negated one begins with `! `."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    negated = ""
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "!":
            negated = "! "
            continue
        values = []
        while position < len(words) and not words[position].startswith("-") and words[position] != "!":
            values.append(words[position])
            position += 1
        yield negated + word, " ".join(values)
        negated = ""


def _matches(options: Mapping[str, str], packet: _Packet) -> bool | None:
    """Whether the packet meets all conditions, None if unknown."""
    verdicts = [_meets(name, value, packet) for name, value in options.items()]
    return False if False in verdicts else None if None in verdicts else True


def _meets(option: str, value: str, packet: _Packet) -> bool | None:
    name, negated = option.removeprefix("! "), option.startswith("! ")
    found: bool | None
    match name:
        case "-p":
            found = value in ("tcp", "all", "6")
        case "-d":
            found = None if packet.address is None else _within(packet.address, value)
        case "-i":
            found = value == "eth0" or (value.endswith("+") and "eth0".startswith(value[:-1]))
        case "--dport" | "--dports":
            found = any(_in_range(packet.port, part) for part in value.split(","))
        case "--dst-type":
            found = "LOCAL" in value.split(",")
        case "--ctstate" | "--state":
            found = "NEW" in value.split(",")
        case _ if name in _FILLERS or name in ("-j", "-g") or name.startswith(("--to-", "--set-", "--random")):
            return True
        case _:
            found = None
    return found if found is None else found is not negated


def _in_range(port: int, given: str) -> bool:
    first, _, last = given.partition(":")
    low, high = int(first or 0) if (first or "0").isdigit() else 65536, last or first
    return low <= port <= (int(high) if high.isdigit() else 65535)


def _within(address: str, networks: str) -> bool | None:
    try:
        return any(ip_address(address) in ip_network(network, strict=False) for network in networks.split(","))
    except ValueError:
        return None
