"""Looks into kind's nodes: one script by `docker exec`, of the node's own tools. Nothing in a pod is run."""

from collections.abc import Iterable, MutableMapping
from itertools import groupby

from hops.observe import docker
from hops.trace.observed.observation import Namespace, ObservedNode

_MARK = "\x1e"
_SYSCTLS = "/proc/sys/"

# A section begins with ASCII's record separator and its name; one that failed has its name after "! " and says why.
PART = """
part() {
  local name=$1 said; shift
  printf '\\036%s\\n' "$name"
  { said=$("$@" 2>&1 >&3) || printf '\\036! %s\\n%s' "$name" "${said:-$1 ended with $?}"; } 3>&1
}
"""

# Only what ends like a network configuration: an agent keeps a kubeconfig with a token beside its own.
_SCRIPT = f"""{PART}
part filter iptables-save --counters --table filter
part nat iptables-save --counters --table nat
part links ip -json -details address
part routes ip -json route
# Where one of the files is missing the others count all the same.
sysctls() {{ grep --no-messages --with-filename '' "$@"; true; }}
part sysctls sysctls /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/forwarding \\
  /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/conf/*/route_localnet \\
  /proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max \\
  /proc/sys/fs/inotify/max_user_instances /proc/sys/fs/inotify/max_user_watches
for file in /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist; do
  test -f "$file" && part "cni ${{file##*/}}" cat "$file"
done
for file in /var/run/netns/*; do
  name=${{file##*/}}
  test -e "$file" || continue
  part "links $name" ip -netns "$name" -json -details address
  part "routes $name" ip -netns "$name" -json route
  part "sockets $name" nsenter "--net=$file" ss --no-header --listening --tcp --numeric
done
"""


def node(name: str, unseen: MutableMapping[str, str]) -> ObservedNode:
    """A node from inside; what its tools cannot show is told in `unseen`. Raises DockerError."""
    parts = sections(docker.run("exec", name, "bash", "-c", _SCRIPT), f"node {name}", unseen)
    return ObservedNode(
        name=name,
        nat=parts.get("nat", ""),
        filter=parts.get("filter", ""),
        links=parts.get("links", ""),
        routes=parts.get("routes", ""),
        sysctls=dict(_sysctls(parts.get("sysctls", ""))),
        cni={key.removeprefix("cni "): text for key, text in parts.items() if key.startswith("cni ")},
        namespaces=tuple(_namespaces(parts)),
    )


def sections(said: str, where: str, unseen: MutableMapping[str, str]) -> dict[str, str]:
    """The sections that PART wrote, by name; those that failed go to `unseen`."""
    found: dict[str, str] = {}
    for section in said.split(_MARK)[1:]:
        name, _, text = section.partition("\n")
        if name.startswith("! "):
            unseen[f"{where}: {name[2:]}"] = (text.strip() or "it failed").splitlines()[-1]
            found.pop(name[2:], None)
        else:
            found[name] = text
    return found


def _sysctls(lines: str) -> Iterable[tuple[str, int]]:
    for line in lines.splitlines():
        path, _, value = line.partition(":")
        if value.strip("-").isdigit():
            yield path.removeprefix(_SYSCTLS).replace("/", "."), int(value)


def _namespaces(parts: dict[str, str]) -> Iterable[Namespace]:
    of_pods = [
        (*key.split(" ", 1), text) for key, text in parts.items() if key.startswith(("links ", "routes ", "sockets "))
    ]
    for name, group in groupby(sorted(of_pods, key=lambda entry: entry[1]), key=lambda entry: entry[1]):
        own = {kind: text for kind, _, text in group}
        yield Namespace(
            name=name,
            links=own.get("links", ""),
            routes=own.get("routes", ""),
            sockets=own.get("sockets", ""),
        )
