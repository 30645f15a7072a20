"""What can break: on this machine, before Docker has the request."""

from collections.abc import Callable, Iterator

from hops.model.finding import Finding, Level, Severity
from hops.model.hop import HopName
from hops.trace.checks.host.name import added, named
from hops.trace.checks.host.port_conflicts import other_entrypoint
from hops.trace.code import Code
from hops.trace.facts.client_proxy import client_proxy
from hops.trace.facts.evidence import request_line
from hops.trace.facts.path_facts import PathFacts, container
from hops.trace.facts.remedies import command
from hops.trace.observed.observation import Listener, SentRequest
from hops.trace.readers.kernel import IptablesRule, rules
from hops.trace.readers.published_ports import Published

proxied = Code(
    code="T78",
    hop=HopName.NAME,
    title="A proxy in the client's environment takes the request",
    symptom="curl prints a page or an error of the proxy, such as 502, 503 or 403, or ends with 5 or 7. Browsers do "
    "not read these variables.",
    cause="`http_proxy`, `https_proxy` or `all_proxy` is set, and `no_proxy` does not name the host. The proxy then "
    "resolves the name and connects. On the proxy's machine, 127.0.0.1 is that machine itself.",
    confirmed_by="The trace reads the variables as curl does. It sends the request directly, and once more through "
    "the proxy. The finding is advisory if Envoy answers the request through the proxy.",
    remedy="Add the host to `no_proxy`.",
    references=("https://curl.se/docs/manpage.html#ENVIRONMENT",),
)
only_curl = Code(
    code="T79",
    hop=HopName.NAME,
    title="The system's resolver does not know names in .localhost",
    symptom="curl and browsers reach the service. Python, Java, ping and other programs report an unknown host.",
    cause="curl and browsers resolve each name in .localhost to 127.0.0.1 themselves. Other programs ask the "
    "resolver, which knows only `localhost`.",
    confirmed_by="The name is in .localhost, and a look-up by the system's resolver gives no address.",
    remedy="Add the name to the hosts file, or use a resolver that answers it, such as systemd-resolved or "
    "nss-myhostname.",
    level=Level.ADVISORY,
    severity=Severity.LOW,
    references=("https://www.rfc-editor.org/rfc/rfc6761#section-6.3",),
)
firewall = Code(
    code="T80",
    hop=HopName.PORT_MAPPING,
    title="A firewall of this machine blocks the request to the node",
    symptom="curl ends with 28 or 7; or, behind Docker's proxy, with 52 or 56.",
    cause="A rule of the machine's packet filter drops or rejects packets to the port, or from Docker to the node.",
    confirmed_by="Docker's proxy listens on the port and no connection reaches it, while the node's port answers "
    "inside the node. Behind Docker's proxy, only a rule that was seen proves it. Only root can read the rules.",
    remedy="Delete the rule, or allow the port and Docker's networks.",
    references=("https://docs.docker.com/engine/network/packet-filtering-firewalls/",),
)
no_proxy = Code(
    code="T82",
    hop=HopName.PORT_MAPPING,
    title="Docker publishes the port, and docker-proxy does not listen on it",
    symptom="curl ends with 7, connection refused.",
    cause="The process `docker-proxy` of the port has ended: somebody killed it, or memory ran out. Docker does not "
    "start it again.",
    confirmed_by="Docker shows the port as published and the node as running, this machine has no listening socket on "
    "the port, and the node's port answers in the node.",
    remedy="Restart the node's container: Docker then starts its proxy again.",
    references=("https://docs.docker.com/engine/network/port-publishing/",),
)

_STOPS = ("DROP", "REJECT")
_WAYS = ("INPUT", "OUTPUT", "FORWARD", "DOCKER-USER")


def _proxied(view: PathFacts) -> Iterator[Finding]:
    host = view.observation.host
    proxy = client_proxy(host.environment, view.asked) if host else None
    if host is None or proxy is None or view.asked.from_node:
        return
    name, by_proxy, direct = view.asked.host, view.request("proxy"), view.request("client")
    spares = host.environment.get("no_proxy") or host.environment.get("NO_PROXY")
    evidence = [f"{proxy.variable} is {proxy}", f"no_proxy is {spares or 'not set'}"]
    evidence += [request_line(one) for one in (by_proxy, direct) if one]
    arrives = by_proxy is None or by_proxy.by_envoy
    how = "" if by_proxy is None else f", which answers {_came(by_proxy)}"
    message = f"{proxy.variable} sends the request for {name} to the proxy {proxy}{how}."
    remedy = f'export no_proxy="{",".join(filter(None, [spares, name]))}"'
    yield proxied.finding(named(name), message, remedy, evidence, stops=not arrives)


def _came(answer: SentRequest) -> str:
    return str(answer.status) if answer.status is not None else f"nothing: {answer.failure}"


def _only_curl(view: PathFacts) -> Iterator[Finding]:
    host, name = view.observation.host, view.asked.host
    asked = host.resolver if host else None
    if asked is None or asked.addresses or view.asked.from_node:
        return
    evidence = [f"look-up of {name} by the system's resolver: {asked.error or 'no address'}"]
    message = f"The resolver of this machine does not know {name}; only curl and browsers reach it."
    yield only_curl.finding(named(name), message, added(view), evidence)


def _filtered(view: PathFacts) -> Iterator[Finding]:
    node, held = view.request("node"), _publisher(view)
    sent = [one for one in view.observation.requests if one.where == "client"]
    # A name may have an address of another family, which Docker does not publish on.
    client = next((one for one in sent if _listener(view, one)), next(iter(sent), None))
    if client is None or held is None or view.answered("client") or node is None or not node.by_envoy:
        return
    listener = _listener(view, client)
    connected = "connect" in client.seconds
    rule = _rule(view)
    # Behind Docker's proxy there are other causes, so only a rule shows that it is the filter.
    shown = rule is not None if connected else listener is not None
    if not shown or client.failure not in ("timeout", "refused", "unreachable", "reset", "empty"):
        return
    evidence = [request_line(client), request_line(node)]
    evidence += [f"{listener.address}:{listener.port} is held by {listener.process or 'Docker'}"] if listener else []
    evidence += [f"filter {rule.chain}: {rule.text}"] if rule else []
    where = f"between Docker and {held.container}" if connected else f"to port {client.port} of this machine"
    message = f"Something on this machine {'drops' if client.failure == 'timeout' else 'rejects'} the packets {where}"
    message += f": the rule {rule.text!r} in {rule.chain}." if rule else "."
    look = command("sudo", "iptables-save", "--table", "filter")
    remedy = f"sudo iptables --delete {rule.chain} {rule.text}" if rule else ""
    yield firewall.finding(container(held.container), message, remedy, evidence, look="" if remedy else look)


def _unheld(view: PathFacts) -> Iterator[Finding]:
    client, node, held = view.request("client"), view.request("node"), _publisher(view)
    if client is None or held is None or client.failure != "refused" or node is None or not node.by_envoy:
        return
    host = view.observation.host
    if host is None or "host: listeners" in view.observation.unseen or host.listeners or host.system != "Linux":
        return
    evidence = [f"docker: {held} -> {held.container}:{held.inside}", request_line(client), request_line(node)]
    message = f"Docker publishes port {held.port}, and no process listens on it."
    yield no_proxy.finding(container(held.container), message, command("docker", "restart", held.container), evidence)


def _publisher(view: PathFacts) -> Published | None:
    """Where a running node publishes the port on this machine, as Docker says."""
    first = next((one for one in view.published if one.bound), None)
    if first is None or view.asked.from_node or other_entrypoint(view) or not view.running(first.container):
        return None
    return first


def _listener(view: PathFacts, client: SentRequest) -> Listener | None:
    """The socket that the client's address and port belong to."""
    host = view.observation.host
    anywhere = ("0.0.0.0", "::", client.address, f"::ffff:{client.address}")
    return next((one for one in host.listeners if one.address in anywhere), None) if host else None


def _rule(view: PathFacts) -> IptablesRule | None:
    """The first rule of this machine's filter that stops packets to the request's port or to the node's."""
    host, ports = view.observation.host, {view.asked.port, view.node_port}
    given = rules(host.filter) if host else ()
    own = (one for one in given if one.chain in _WAYS and one.jump in _STOPS)
    return next((one for one in own if ports & set(one.ports)), None)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (_proxied, _only_curl, _filtered, _unheld)
