"""What was seen of a running path: plain values that can be written to a file and judged again.

Texts of programs are kept as they were printed; to read them is the business of `hops.trace.view`.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from hops.model.hop import IPV6, ip_version
from hops.model.path import USUAL_PORTS
from hops.model.settings.stack_settings import Settings

Where = Literal["client", "proxy", "node", "envoy", "pod", "pod from envoy", "service"]
"""Where a request was sent: through the host machine, to the proxy of the client's environment, to the publishing
node's port, to Envoy's pod, to the backend's pod from its node, to the backend's pod from Envoy's network
namespace, to the ClusterIP from the node."""

Failure = Literal["no name", "refused", "timeout", "reset", "empty", "unreachable", "tls", "other"]
"""How a request ended without an answer."""


class Part(BaseModel):
    """A part of an observation: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class FollowedRequest(Part):
    """The request that is followed.

    scheme: http or https.
    host: the host name.
    path: with its query.
    port: of the host machine.
    method: of HTTP.
    headers: names as given.
    expect: a text that the answer's body has to hold.
    from_node: the request starts in the publishing node and not on this machine.
    ca_file: the file of the authorities that the client trusts, None for this machine's own.
    insecure: whether the client accepts any certificate.
    tls_max: the newest TLS version that the client speaks, None for no limit.
    follow: whether redirects are followed.
    grpc: whether it is a gRPC call, and so no request is a GET.
    """

    scheme: Literal["http", "https"] = "http"
    host: str
    path: str = "/"
    port: int
    method: str = "GET"
    headers: Mapping[str, str] = {}
    expect: str | None = None
    from_node: bool = False
    ca_file: str | None = None
    insecure: bool = False
    tls_max: Literal["1.2", "1.3"] | None = None
    follow: bool = True
    grpc: bool = False

    @property
    def authority(self) -> str:
        """The host, with the port unless it is the scheme's usual one."""
        return self.host if self.port == USUAL_PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of the request, with its port."""
        return f"{self.scheme}://{self.host}:{self.port}{self.path}"


class TracedStack(Part):
    """The stack whose path it is.

    name: of the stack.
    outputs: what the stack published, None where that could not be read.
    makefile: whether its project has the Makefile of ingress-hops. Default: true.
    """

    name: str
    settings: Settings
    outputs: Mapping[str, Any] | None = None
    makefile: bool = True


class Lookup(Part):
    """One look-up of the host name.

    A name in `.localhost` is not looked up: clients take it for 127.0.0.1 without asking (RFC 6761, section 6.3).

    family: 4 or 6.
    addresses: in the resolver's order.
    seconds: how long it took.
    error: the resolver's words; None if it answered.
    """

    family: Literal[4, 6]
    addresses: tuple[str, ...]
    seconds: float
    error: str | None = None


class Listener(Part):
    """A TCP socket that listens on the host machine.

    address: IP address.
    port: TCP port.
    pid: None if this user may not see it.
    process: the command's name; None if this user may not see it.
    """

    address: str
    port: int
    pid: int | None = None
    process: str | None = None


class Host(Part):
    """The machine that the request starts on.

    system: as `platform.system()`.
    hosts: the lines of the hosts file that hold the name.
    lookups: of the host name.
    listeners: those on the asked port.
    addresses: the machine's own IP addresses.
    inotify: `max_user_instances`, `max_user_watches`.
    environment: the variables of the client's proxy, without passwords.
    resolver: what the system's resolver says of a name in .localhost; None for other names.
    filter: of `iptables-save`, "" where this user may not read it.
    """

    system: str
    hosts: tuple[str, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[str, ...] = ()
    inotify: Mapping[str, int] = {}
    environment: Mapping[str, str] = {}
    resolver: Lookup | None = None
    filter: str = ""


class ObservedDocker(Part):
    """info: some of `docker info`. containers: of `docker inspect`, the cluster's nodes and who publishes the port."""

    info: Mapping[str, Any]
    containers: tuple[Mapping[str, Any], ...]


class Namespace(Part):
    """One pod's network namespace, as its node sees it.

    name: below /var/run/netns.
    links: of `ip -json -details address`.
    routes: of `ip -json route`.
    sockets: of `ss`, the listening TCP sockets.
    processes: a line each with the process id, its state as in /proc/PID/stat, how many file descriptors it has open,
        how many it may have, and its command's name.
    """

    name: str
    links: str
    routes: str
    sockets: str
    processes: str = ""


class ObservedNode(Part):
    """One node from inside.

    name: of the node.
    nat, filter: of `iptables-save --counters`, before the requests.
    nat_after: the same table after the requests.
    links: of `ip -json -details -statistics address`, before the requests.
    links_after: of `ip -json -statistics address`, after the requests.
    routes: of `ip -json route`.
    conntrack: its entries of the node's port, after the requests.
    sysctls: by name with dots.
    cni: configuration files by name.
    namespaces: of the pods on it.
    kubelet_address: the address that its kubelet is configured with, or two joined by a comma; "" where none is.
    nat_ipv6: of `ip6tables-save --counters`; "" on a node without an IPv6 address.
    routes_ipv6: of `ip -6 -json route`; "" on such a node.
    """

    name: str
    nat: str = ""
    nat_after: str = ""
    filter: str = ""
    links: str = ""
    links_after: str = ""
    routes: str = ""
    conntrack: str = ""
    sysctls: Mapping[str, int] = {}
    cni: Mapping[str, str] = {}
    namespaces: tuple[Namespace, ...] = ()
    kubelet_address: str = ""
    nat_ipv6: str = ""
    routes_ipv6: str = ""

    def nat_of(self, address: str | None) -> str:
        """The nat table that a connection to an address meets."""
        return self.nat_ipv6 if ip_version(address) == IPV6 else self.nat

    def routes_of(self, address: str | None) -> str:
        """The routes of the family of an address."""
        return self.routes_ipv6 if ip_version(address) == IPV6 else self.routes


class ObservedCluster(Part):
    """What the Kubernetes API says.

    server: its address.
    kubeconfig, context: the file and its context that led there.
    version: of the API server.
    objects: as the API gives them, of all kinds that matter to a path, Secrets without their data.
    logs: the last lines by "namespace/pod/container", those of a container that died by "namespace/pod/container
        previous".
    certificates: end of validity of Secrets' public certificates, ISO 8601, by "namespace/secret/key".
    authorities: the SHA-256 of their ca.crt, by "namespace/secret".
    fingerprints: SHA-256 of Secrets' public certificates, by "namespace/secret/key".
    unusable: why a Secret cannot serve TLS, by "namespace/secret".
    """

    server: str
    kubeconfig: str | None = None
    context: str | None = None
    version: str = ""
    objects: tuple[Mapping[str, Any], ...] = ()
    logs: Mapping[str, str] = {}
    certificates: Mapping[str, str] = {}
    authorities: Mapping[str, str] = {}
    fingerprints: Mapping[str, str] = {}
    unusable: Mapping[str, str] = {}


class ObservedEnvoy(Part):
    """One Envoy by its admin interface, JSON as it answers.

    pod: "namespace/name".
    listeners: of /listeners.
    routes: the route configurations of /config_dump.
    clusters: of /clusters.
    stats, stats_after: counters by name, before and after the requests; what was never counted is left out.
    server: of /server_info.
    certs: of /certs, the certificates that it holds.
    """

    pod: str
    listeners: Mapping[str, Any] = {}
    routes: tuple[Mapping[str, Any], ...] = ()
    clusters: Mapping[str, Any] = {}
    stats: Mapping[str, int] = {}
    stats_after: Mapping[str, int] = {}
    server: Mapping[str, Any] = {}
    certs: Mapping[str, Any] = {}


class Certificate(Part):
    """The public facts of a certificate (RFC 5280).

    subject, issuer: distinguished names (RFC 4514).
    begins, ends: validity, ISO 8601.
    hosts: DNS names and IP addresses that it is for.
    key: type and size of its public key.
    sha256: its fingerprint.
    issued_at: where its issuer's certificate can be fetched; None if it does not say.
    """

    subject: str
    issuer: str
    begins: str
    ends: str
    hosts: tuple[str, ...] = ()
    key: str = ""
    sha256: str = ""
    issued_at: str | None = None


class Handshake(Part):
    """One TLS handshake.

    name: the server name that the client sent (SNI); None for an IP address.
    protocol, cipher: as negotiated; None if the handshake failed.
    alpn: the application protocol that the server chose, such as h2; None if it chose none.
    chain: the certificates that the server sent, its own first.
    verified: whether the client trusts them; None if it did not check.
    distrust: why it does not, in OpenSSL's words.
    code: OpenSSL's number for that (X509_V_ERR_…).
    trusted: the subjects of the authorities in the client's file; empty if they are this machine's own.
    wants_client: whether the server asked for a certificate of the client; None if that was not seen.
    error: why the handshake failed, in OpenSSL's words.
    """

    name: str | None = None
    protocol: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    chain: tuple[Certificate, ...] = ()
    verified: bool | None = None
    distrust: str = ""
    code: int | None = None
    trusted: tuple[str, ...] = ()
    wants_client: bool | None = None
    error: str = ""


class SentRequest(Part):
    """One request and its answer.

    where: the place that it was sent from.
    address: IP address that it was sent to.
    port: TCP port.
    method: as asked, and GET for all but the first of `client` where the asked one may change something (RFC 9110,
        section 9.2.1).
    failure: None where a whole answer came.
    error: what failed, in words; empty if nothing did.
    status: of HTTP; one with a failure broke off in its body.
    headers: lower-case names.
    body: its beginning where Envoy itself answered, else empty.
    size, sha256: of its first MiB.
    seconds: since the start, by stage: `name`, `connect`, `first byte`, `total`; a stage that was not reached is left
        out.
    expected: whether the body held what was expected, None where nothing was.
    tls: the handshake; None for plain HTTP.

    Of several to one place the first is the one that a client like curl would have sent; the others went to the name's
    other addresses, to the address that Docker publishes on where the name does not lead there, or to other pods.
    """

    where: Where
    address: str
    port: int
    method: str = "GET"
    failure: Failure | None = None
    error: str = ""
    status: int | None = None
    headers: Mapping[str, str] = {}
    body: str = ""
    size: int = 0
    sha256: str = ""
    seconds: Mapping[str, float] = {}
    expected: bool | None = None
    tls: Handshake | None = None

    @property
    def by_envoy(self) -> bool:
        """Whether the answer came through an Envoy: it names itself as the server, or how long the pod took."""
        return self.headers.get("server") == "envoy" or "x-envoy-upstream-service-time" in self.headers

    @property
    def by_pod(self) -> bool:
        """Whether a pod gave the answer: Envoy's own 404 and 503 carry no upstream time."""
        return "x-envoy-upstream-service-time" in self.headers or (
            self.where in ("pod", "pod from envoy", "service") and self.status is not None
        )

    @property
    def served(self) -> bool:
        """Whether a pod gave an answer that is no error."""
        return self.by_pod and (self.status or 500) < 400

    @property
    def redirected(self) -> bool:
        """Whether Envoy itself sent the client elsewhere, as a route to https does."""
        return self.by_envoy and not self.by_pod and "location" in self.headers


class Observation(Part):
    """All that was seen in one look. What could not be seen is None or empty.

    taken: ISO 8601 with offset.
    cluster_name: of the kind cluster, None where it is another kind of cluster or none is known.
    versions: of the programs met, by name.
    unseen: what could not be looked at, and why, by what it is: `host…`, `docker`, `node NAME`, `node NAME: PART`,
        `cluster`, `cluster: KIND`, `logs: POD`, `envoy POD`, `requests…`, `outputs`.
    seconds: how long each part of the look took.
    then: the observation of the request that a redirect led to.
    """

    taken: str
    asked: FollowedRequest
    stack: TracedStack | None = None
    cluster_name: str | None = None
    versions: Mapping[str, str] = {}
    host: Host | None = None
    docker: ObservedDocker | None = None
    nodes: tuple[ObservedNode, ...] = ()
    cluster: ObservedCluster | None = None
    envoys: tuple[ObservedEnvoy, ...] = ()
    requests: tuple[SentRequest, ...] = ()
    unseen: Mapping[str, str] = {}
    seconds: Mapping[str, float] = {}
    then: "Observation | None" = None
