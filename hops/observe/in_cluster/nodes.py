"""Reads kind nodes with one script of the node's own tools, run by `docker exec`. Nothing runs in a pod."""

from collections.abc import Iterable, MutableMapping
from itertools import groupby

from hops.observe.local import docker
from hops.trace.observed.observation import Namespace, ObservedNode

_MARK = "\x1e"
_SYSCTLS = "/proc/sys/"
_OF_PODS = ("links ", "routes ", "sockets ", "processes ")
"""The sections of a pod's network namespace, by the beginning of their names."""

# A section begins with the ASCII record separator and its name. "! " before the name marks a failed section.
PART = """
part() {
  local name=$1 said; shift
  printf '\\036%s\\n' "$name"
  { said=$("$@" 2>&1 >&3) || printf '\\036! %s\\n%s' "$name" "${said:-$1 ended with $?}"; } 3>&1
}
"""

# Only network configurations: an agent keeps a kubeconfig with a token in the same folder.
_SCRIPT = f"""{PART}
part filter iptables-save --counters --table filter
part nat iptables-save --counters --table nat
part links ip -json -details -statistics address
part routes ip -json route
# A missing file must not hide the others.
sysctls() {{ grep --no-messages --with-filename '' "$@"; true; }}
part sysctls sysctls /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/forwarding \\
  /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/conf/*/route_localnet \\
  /proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max \\
  /proc/sys/fs/inotify/max_user_instances /proc/sys/fs/inotify/max_user_watches
# kind configures a kubelet with its node's address.
address() {{ grep --no-messages --only-matching -- '--node-ip=[^," ]*' /var/lib/kubelet/kubeadm-flags.env; true; }}
part kubelet address
# The tables of IPv6 matter where the node has such an address.
if address | grep --quiet :; then
  part nat_ipv6 ip6tables-save --counters --table nat
  part routes_ipv6 ip -6 -json route
fi
for file in /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist; do
  test -f "$file" && part "cni ${{file##*/}}" cat "$file"
done
# The processes of a pod's network namespace: a line each with state, open and allowed file descriptors.
processes() {{
  local pid stat name rest line descriptors limit
  for pid in $(ip netns pids "$1"); do
    {{ stat=$(</proc/$pid/stat); }} 2>/dev/null || continue
    name=${{stat#*(}} name=${{name%)*}} rest=${{stat##*) }} limit=
    descriptors=(/proc/$pid/fd/*)
    while read -r line; do [[ $line == 'Max open files'* ]] && limit=($line); done </proc/$pid/limits
    printf '%s %s %s %s %s\\n' "$pid" "${{rest%% *}}" "${{#descriptors[@]}}" "${{limit[3]:-unlimited}}" "$name"
  done 2>/dev/null
  true
}}
for file in /var/run/netns/*; do
  name=${{file##*/}}
  test -e "$file" || continue
  part "links $name" ip -netns "$name" -json -details address
  part "routes $name" ip -netns "$name" -json route
  part "sockets $name" nsenter "--net=$file" ss --no-header --listening --tcp --numeric
  part "processes $name" processes "$name"
done
"""


def node(name: str, unseen: MutableMapping[str, str]) -> ObservedNode:
    """The state of a node. The parts that its tools cannot read are added to `unseen`. Raises DockerError."""
    parts = sections(docker.run("exec", name, "bash", "-c", _SCRIPT), f"node {name}", unseen)
    return ObservedNode(
        name=name,
        nat=parts.get("nat", ""),
        filter=parts.get("filter", ""),
        links=parts.get("links", ""),
        routes=parts.get("routes", ""),
        nat_ipv6=parts.get("nat_ipv6", ""),
        routes_ipv6=parts.get("routes_ipv6", ""),
        sysctls=dict(_sysctls(parts.get("sysctls", ""))),
        cni={key.removeprefix("cni "): text for key, text in parts.items() if key.startswith("cni ")},
        namespaces=tuple(_namespaces(parts)),
        kubelet_address=parts.get("kubelet", "").strip().removeprefix("--node-ip="),
    )


def sections(output: str, where: str, unseen: MutableMapping[str, str]) -> dict[str, str]:
    """The sections that a script with PART printed, by name. The failed ones are added to `unseen`."""
    texts: dict[str, str] = {}
    for section in output.split(_MARK)[1:]:
        name, _, text = section.partition("\n")
        if name.startswith("! "):
            unseen[f"{where}: {name[2:]}"] = (text.strip() or "it failed").splitlines()[-1]
            texts.pop(name[2:], None)
        else:
            texts[name] = text
    return texts


def _sysctls(lines: str) -> Iterable[tuple[str, int]]:
    for line in lines.splitlines():
        path, _, value = line.partition(":")
        if value.strip("-").isdigit():
            yield path.removeprefix(_SYSCTLS).replace("/", "."), int(value)


def _namespaces(parts: dict[str, str]) -> Iterable[Namespace]:
    of_pods = [(*key.split(" ", 1), text) for key, text in parts.items() if key.startswith(_OF_PODS)]
    for name, group in groupby(sorted(of_pods, key=lambda entry: entry[1]), key=lambda entry: entry[1]):
        own = {kind: text for kind, _, text in group}
        yield Namespace(
            name=name,
            links=own.get("links", ""),
            routes=own.get("routes", ""),
            sockets=own.get("sockets", ""),
            processes=own.get("processes", ""),
        )
