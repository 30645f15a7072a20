"""A observation of a healthy path, as plain JSON that a test changes before it is judged.

One control plane and one worker of the stack `local`, under Calico and Contour.
"""

import json
from copy import deepcopy
from functools import cache

from hops.model.path import envoy_cluster
from hops.trace.facts.path_facts import PathFacts
from hops.trace.observed.observation import Observation
from hops.trace.observed.redact import redacted
from tests.conftest import stack_config
from tests.hops.trace.names import (
    CLUSTER,
    CONTROL,
    CONTROL_IP,
    DNAT_CHAIN,
    ENVOY,
    ENVOY_IP,
    ENVOY_IPV6,
    GATEWAY,
    HOST,
    JSON,
    POD,
    POD_IP,
    POD_IPV6,
    PORT,
    SERVICE_IP,
    SERVICE_IPV6,
    WORKER,
    WORKER_IP,
    WORKER_IPV6,
)
from tests.hops.trace.nodes import control_plane, node_container, worker
from tests.hops.trace.objects import objects, thing


def view(observation: JSON) -> PathFacts:
    """What checks ask of a changed observation."""
    return PathFacts(redacted(Observation.model_validate_json(json.dumps(observation))))


def found(observation: JSON, kind: str, name: str) -> JSON:
    """An object of the observation's cluster, to be changed in place."""
    return next(o for o in observation["cluster"]["objects"] if o["kind"] == kind and o["metadata"]["name"] == name)


def without(observation: JSON, kind: str, name: str) -> None:
    """Takes an object away."""
    observation["cluster"]["objects"].remove(found(observation, kind, name))


def added(observation: JSON, *objects: JSON) -> None:
    """Puts objects into the cluster."""
    observation["cluster"]["objects"] += objects


def node(observation: JSON, name: str = WORKER) -> JSON:
    """A node from inside."""
    return next(n for n in observation["nodes"] if n["name"] == name)


def container(observation: JSON, name: str = WORKER) -> JSON:
    """A container of Docker."""
    return next(c for c in observation["docker"]["containers"] if c["Name"] == f"/{name}")


def request(observation: JSON, where: str) -> JSON:
    """A request that was sent."""
    return next(r for r in observation["requests"] if r["where"] == where)


def failed(observation: JSON, failure: str, *where: str) -> None:
    """Lets requests end without an answer; 503 is Envoy's own answer."""
    for one in where:
        answer = request(observation, one)
        for key in ("status", "headers", "body", "size", "sha256"):
            answer.pop(key, None)
        if failure == "503":
            answer |= {"status": 503, "headers": {"server": "envoy"}, "body": "upstream connect error"}
        else:
            answer |= {"failure": failure}


def healthy() -> JSON:
    """Everything seen, and everything as it should be."""
    # A copy that keeps what two places share.
    return deepcopy(_healthy())


def dual() -> JSON:
    """The same path in a cluster of both families, each of which the client's requests enter by; IPv4 first."""
    observation = healthy()
    observation["stack"]["settings"]["cluster"]["ipFamily"] = "dual"
    observation["host"]["listeners"].append({**observation["host"]["listeners"][0], "address": "::1"})
    network = container(observation)
    network["HostConfig"]["PortBindings"]["80/tcp"].append({"HostIp": "::1", "HostPort": str(PORT)})
    network["NetworkSettings"]["Networks"]["kind"]["GlobalIPv6Address"] = WORKER_IPV6
    found(observation, "Node", WORKER)["status"]["addresses"].append({"type": "InternalIP", "address": WORKER_IPV6})
    node(observation)["nat_ipv6"] = "\n".join(
        [
            "*nat",
            "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
            f"-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 80 -j {DNAT_CHAIN}",
            f"-A {DNAT_CHAIN} -p tcp -m tcp --dport 80 -j DNAT --to-destination [{ENVOY_IPV6}]:8080",
            "COMMIT",
        ]
    )
    for name, ipv4, ipv6 in ((POD, POD_IP, POD_IPV6), (ENVOY, ENVOY_IP, ENVOY_IPV6)):
        found(observation, "Pod", name)["status"]["podIPs"] = [{"ip": ipv4}, {"ip": ipv6}]
    found(observation, "Service", "my-service")["spec"]["clusterIPs"] = [SERVICE_IP, SERVICE_IPV6]
    first = found(observation, "EndpointSlice", "my-service-8fmwz")
    endpoints = [{**first["endpoints"][0], "addresses": [POD_IPV6]}]
    labels = first["metadata"]["labels"]
    kind, ports = (first["apiVersion"], "EndpointSlice", "my-service-v6", "apps"), first["ports"]
    added(observation, thing(*kind, labels=labels, addressType="IPv6", endpoints=endpoints, ports=ports))
    (envoy,) = observation["envoys"]
    envoy["listeners"]["listener_statuses"][0]["local_address"]["socket_address"]["address"] = "::"
    hosts = envoy["clusters"]["cluster_statuses"][0]["host_statuses"]
    hosts.append({**hosts[0], "address": {"socket_address": {"address": POD_IPV6, "port_value": 8080}}})
    for space in node(observation)["namespaces"]:
        if POD_IP in space["links"] or ENVOY_IP in space["links"]:
            space["sockets"] = space["sockets"].replace("0.0.0.0:8080 ", "*:8080 ")
    observation["requests"] += [
        _request("client", "::1", PORT, through_envoy=True),
        _request("node", WORKER_IPV6, 80, through_envoy=True),
        _request("envoy", ENVOY_IPV6, 8080, through_envoy=True),
        _request("pod", POD_IPV6, 8080, through_envoy=False),
        _request("pod from envoy", POD_IPV6, 8080, through_envoy=False),
    ]
    return observation


@cache
def _healthy() -> JSON:
    return {
        "taken": "2026-11-24T10:00:00+00:00",
        "asked": {"host": HOST, "path": "/", "port": PORT},
        "stack": {
            "name": "local",
            "settings": _settings(),
            "outputs": {"cluster": {"name": CLUSTER, "context": f"kind-{CLUSTER}"}, "url": f"http://{HOST}:{PORT}/"},
        },
        "cluster_name": CLUSTER,
        "versions": {"kubernetes": "v1.34.10", "envoy": "1.38.3"},
        "host": {
            "system": "Linux",
            "hosts": [],
            "lookups": [
                {"family": 4, "addresses": ["127.0.0.1"], "seconds": 0.0},
                {"family": 6, "addresses": [], "seconds": 0.0},
            ],
            "listeners": [{"address": "127.0.0.1", "port": PORT, "pid": 4711, "process": "docker-proxy"}],
            "addresses": ["127.0.0.1", "192.168.1.20", "172.17.0.1", GATEWAY, "::1", "fe80::1"],
            "inotify": {"max_user_instances": 512, "max_user_watches": 524288},
        },
        "docker": {
            "info": {"OperatingSystem": "Debian GNU/Linux 12 (bookworm)", "OSType": "linux", "SecurityOptions": []},
            "containers": [
                node_container(CONTROL, CONTROL_IP, "control-plane", {"6443/tcp": ("127.0.0.1", 39871)}),
                node_container(WORKER, WORKER_IP, "worker", {"80/tcp": ("127.0.0.1", PORT)}),
            ],
        },
        "nodes": [control_plane(), worker()],
        "cluster": {
            "server": "https://127.0.0.1:39871",
            "version": "v1.34.10",
            "objects": list(objects()),
            "logs": {},
            "certificates": {
                "projectcontour/contourcert/tls.crt": "2027-11-24T09:00:00+00:00",
                "projectcontour/envoycert/tls.crt": "2027-11-24T09:00:00+00:00",
            },
        },
        "envoys": [_envoy()],
        "requests": [
            _request("client", "127.0.0.1", PORT, through_envoy=True),
            _request("node", WORKER_IP, 80, through_envoy=True),
            _request("envoy", ENVOY_IP, 8080, through_envoy=True),
            _request("pod", POD_IP, 8080, through_envoy=False),
            _request("pod from envoy", POD_IP, 8080, through_envoy=False),
            _request("service", SERVICE_IP, 8080, through_envoy=False),
        ],
        "unseen": {},
        "seconds": {"requests": 0.2},
    }


def _settings() -> JSON:
    service = stack_config("local")["services"][0]
    derived = {
        "ingress": "my-service-ingress",
        "host": HOST,
        "image": "docker.io/library/python:3.13-alpine",
        "command": ["python", "-m", "http.server", "8080", "--directory", "/srv"],
    }
    return {"cluster": {"name": CLUSTER, **stack_config("local")["cluster"]}, "services": [{**derived, **service}]}


def _envoy() -> JSON:
    def listener(name: str, address: str, port: int) -> JSON:
        return {"name": name, "local_address": {"socket_address": {"address": address, "port_value": port}}}

    cluster = envoy_cluster("apps", "my-service", 8080)
    answered = {"http.ingress_http.downstream_rq_total": 6, f"cluster.{cluster}.upstream_rq_total": 6}
    return {
        "pod": f"projectcontour/{ENVOY}",
        "listeners": {
            "listener_statuses": [
                listener("ingress_http", "0.0.0.0", 8080),
                listener("stats-health", "0.0.0.0", 8002),
                listener("envoy-admin", "127.0.0.1", 9001),
            ]
        },
        "routes": [
            {
                "name": "ingress_http",
                "virtual_hosts": [
                    {
                        "name": HOST,
                        "domains": [HOST],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}],
                    }
                ],
            }
        ],
        "clusters": {
            "cluster_statuses": [
                {
                    "name": cluster,
                    "added_via_api": True,
                    "host_statuses": [
                        {
                            "address": {"socket_address": {"address": POD_IP, "port_value": 8080}},
                            "health_status": {"eds_health_status": "HEALTHY"},
                        }
                    ],
                }
            ]
        },
        "stats": answered,
        "stats_after": {name: count + 3 for name, count in answered.items()},
        "server": {"version": "hash/1.38.3/Clean/RELEASE/BoringSSL", "state": "LIVE"},
    }


def _request(where: str, address: str, port: int, *, through_envoy: bool) -> JSON:
    envoy = {"server": "envoy", "x-envoy-upstream-service-time": "2"} if through_envoy else {}
    return {
        "where": where,
        "address": address,
        "port": port,
        "status": 200,
        "headers": {"server": "SimpleHTTP/0.6 Python/3.13.9", "content-type": "text/html", **envoy},
        "size": 312,
        "sha256": "9b8c",
        "seconds": {"name": 0.001, "connect": 0.001, "first byte": 0.006, "total": 0.007},
    }
