"""What can break: hop 1, the name."""

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from hops.kubernetes.resources.services import load_balancers
from hops.model.finding import Finding, Identity, Level, Severity
from hops.model.hop import Entrance, HopName
from hops.trace.code import Code
from hops.trace.facts.path_facts import PathFacts
from hops.trace.facts.remedies import command

STALL = 2.0
"""Seconds: a resolver that answers needs far less even on a busy machine, one that gives up on multicast DNS five."""
LOOPBACK = "127.0.0.1"
FORMAT = "%s\\n"
"""printf writes each of its arguments on a line of its own."""

T01 = Code(
    code="T01",
    hop=HopName.NAME,
    title="The host name does not resolve",
    symptom="curl ends with 6, could not resolve host.",
    cause="No line of the hosts file and no DNS server knows the name.",
    confirmed_by="Neither address family gives an address, and the request fails before it connects.",
    remedy="Add the name to the hosts file for both address families, or use a name in .localhost.",
)
T02 = Code(
    code="T02",
    hop=HopName.NAME,
    title="The host name resolves to an address on which no node is published",
    symptom="curl ends with 7, connection refused, or with 28, timed out.",
    cause="A line of the hosts file or a DNS server gives an address other than the one on which Docker publishes.",
    confirmed_by="No address of the name is one on which a node is published, and none is 127.0.0.1. The published "
    "address itself accepts requests.",
    remedy="Change the hosts file or the DNS entry to the published address.",
)
T03 = Code(
    code="T03",
    hop=HopName.NAME,
    title="The look-up of the host name stalls",
    symptom="The answer is correct and arrives seconds late, every time.",
    cause="The resolver asks multicast DNS for a name in .local, and no host answers for one of the address families.",
    confirmed_by=f"A look-up took {STALL:.0f} s or longer, although the name has an address.",
    remedy="Add a line for each address family to the hosts file, or use a name in .localhost.",
    level=Level.ADVISORY,
    severity=Severity.MEDIUM,
    references=("https://www.rfc-editor.org/rfc/rfc6762#section-3",),
)
T04 = Code(
    code="T04",
    hop=HopName.NAME,
    title="The host name has addresses of one family only, and Docker publishes on the other",
    symptom="curl ends with 7, connection refused.",
    cause="The hosts file has a line for ::1 and none for 127.0.0.1, while the port is published for IPv4.",
    confirmed_by="No node of the cluster is published in the family of the name's addresses.",
    remedy="Add a line of the published family to the hosts file.",
)


def unknown(view: PathFacts) -> Iterator[Finding]:
    """T01."""
    host = view.observation.host
    request = view.request("client")
    if _beside(view) or not host or not host.lookups or view.resolved or (request and request.status):
        return
    name = view.asked.host
    evidence = [
        *(f"look-up IPv{one.family}: {one.error or 'no address'} ({one.seconds:.1f} s)" for one in host.lookups),
        f"hosts file: {'; '.join(host.hosts) or f'no line for {name}'}",
    ]
    message = f"{name} has no address on this machine, neither for IPv4 nor for IPv6."
    yield T01.finding(named(name), message, added(view), evidence)


def elsewhere(view: PathFacts) -> Iterator[Finding]:
    """T02 and T04."""
    if _beside(view) or not view.resolved or view.through_envoy("client") or _served(view) is not False:
        return
    name, addresses = view.asked.host, " and ".join(view.resolved)
    where = ", ".join(map(str, view.published)) or client_address(view) or "?"
    hosts = view.observation.host.hosts if view.observation.host else ()
    evidence = [f"{name} resolves to {addresses}", f"published:  {where}", *(f"hosts file: {line}" for line in hosts)]
    families = {ip_address(address).version for address in view.resolved}
    published = {ip_address(one.address or "0.0.0.0").version for one in view.published}
    if published and not families & published:
        message = f"{name} resolves to {addresses} only, and port {view.asked.port} is published on {where} only."
        yield T04.finding(named(name), message, added(view), evidence)
    elif not {LOOPBACK, client_address(view)} & set(view.resolved):
        message = f"{name} resolves to {addresses}, and port {view.asked.port} is published on {where}."
        yield T02.finding(named(name), message, _replaced(view), evidence)


def stalls(view: PathFacts) -> Iterator[Finding]:
    """T03."""
    host = view.observation.host
    slow = [one for one in host.lookups if one.seconds >= STALL] if host else []
    if _beside(view) or not slow or not view.resolved:
        return
    name = view.asked.host
    longest = max(slow, key=lambda one: one.seconds)
    evidence = [
        f"look-up IPv{one.family}: {' '.join(one.addresses) or one.error or 'no address'} ({one.seconds:.1f} s)"
        for one in (host.lookups if host else ())
    ]
    message = f"The look-up of {name} for IPv{longest.family} takes {longest.seconds:.1f} s of every request."
    yield T03.finding(named(name), message, _replaced(view), evidence)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (unknown, elsewhere, stalls)


def client_address(view: PathFacts) -> str | None:
    """The address that a client on this machine should use, None where that isn't known."""
    entrypoint = view.entrypoint
    if entrypoint is None or entrypoint.node is None or entrypoint.by is not Entrance.DOCKER:
        return (entrypoint.listen if entrypoint else None) or next(iter(balanced(view)), None)
    return LOOPBACK if entrypoint.listen in ("0.0.0.0", None) else entrypoint.listen


def balanced(view: PathFacts) -> tuple[str, ...]:
    """The addresses that a load balancer gave Envoy's Service."""
    service = view.get("Service", view.home, view.envoy_workload.name)
    return tuple(ip for ip, _ in load_balancers(service) if ip)


def _beside(view: PathFacts) -> bool:
    """Whether no name is looked up: RFC 6761 keeps .localhost for 127.0.0.1, and clients go by that."""
    name = view.asked.host
    return view.asked.from_node or name == "localhost" or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _served(view: PathFacts) -> bool | None:
    """Whether any of the name's addresses is published on, None if unknown."""
    host = view.observation.host
    own = host.addresses if host else ()
    if view.published:
        answers = [one.serves(address, own) for one in view.published for address in view.resolved]
        return True if True in answers else None if None in answers else False
    request = view.request("client")
    if request is None or request.status is not None or client_address(view) in view.resolved:
        return None
    # Where Docker wasn't seen, only that the right address takes requests tells that the name is wrong.
    right = [
        other
        for other in view.observation.requests
        if other.where == "client" and other.address == client_address(view)
    ]
    return False if any(other.by_envoy for other in right) else None


def named(name: str) -> Identity:
    """A host name as the subject of a finding."""
    return Identity("", "Host", None, name)


def _lines(view: PathFacts) -> list[str]:
    """The lines that the hosts file should have."""
    address = client_address(view) or LOOPBACK
    name = view.asked.host
    return [f"{one} {name}" for one in ((address, "::1") if address == LOOPBACK else (address,))]


def added(view: PathFacts) -> str:
    """The command that adds the name to the hosts file."""
    return f"{command('printf', FORMAT, *_lines(view))} | sudo tee -a /etc/hosts"


def _replaced(view: PathFacts) -> str:
    """The command that gives the name other lines in the hosts file: a pipe from and to it would empty it."""
    host = view.observation.host
    if not host or not host.hosts:
        return added(view)
    name = view.asked.host.replace(".", r"\.")
    without = command("sed", "-E", f"s/[[:space:]]{name}([[:space:]]|$)/ /", "/etc/hosts")
    written = f'{command("printf", FORMAT)} "$hosts" {command(*_lines(view))}'
    return f"hosts=$({without}) && {written} | sudo tee /etc/hosts"
