"""Registries: their mirrors, as containerd reads them in a node, and logins.

Source: containerd, docs/hosts.md. Each registry has a folder of its host's name with the file hosts.toml.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence

FOLDER = "/etc/containerd/certs.d"
"""Where containerd looks for the folders of registries in kind's nodes."""
_CONFIG = "/etc/containerd/config.toml"
_SECTION = 'plugins."io.containerd.grpc.v1.cri".registry'
_MIRROR = re.compile(r"(?P<server>https?://(?P<host>[a-z0-9.-]+)(:[0-9]{1,5})?)(?P<path>(/[a-z0-9._-]+)*)")
_OWN = "# Written by ingress-hops.\n"


def registry_of(image: str) -> str:
    """The registry of an image, as the logins of a client name it.

    image: the image's name, such as `registry.example:5000/shop/web:1`.
    """
    first, slash, _ = image.partition("/")
    host = first if slash and (set(".:") & set(first) or first == "localhost") else "docker.io"
    # Docker Hub's logins have the address of its first version.
    return "https://index.docker.io/v1/" if host in ("docker.io", "index.docker.io") else host


def login(image: str, credentials: str) -> str:
    """The login of an image's registry, as a Secret of type kubernetes.io/dockerconfigjson holds it.

    image: the image's name.
    credentials: USER:PASSWORD.
    """
    auth = base64.b64encode(credentials.encode()).decode()
    return json.dumps({"auths": {registry_of(image): {"auth": auth}}})


def mirror_problem(url: str) -> str:
    """What is wrong with the URL of a mirror, with the remedy; "" if nothing is known against it."""
    match = _MIRROR.fullmatch(url)
    if not match:
        return "a mirror is http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]"
    host = match["host"]
    if host == "localhost" or host.startswith("127."):
        return (
            f"{host} is the node itself, inside a node; name a container in Docker's network kind, or the address of "
            "this machine that containers reach"
        )
    return ""


def hosts_file(mirrors: Sequence[str]) -> str:
    """The hosts.toml of a registry. containerd asks the mirrors in order, then the registry itself.

    mirrors: their URLs. A path stands before the repository's name, as in a proxy project of Harbor.
    """
    hosts = []
    for match in filter(None, map(_MIRROR.fullmatch, mirrors)):
        if match["path"]:
            host, more = f"{match['server']}/v2{match['path']}", "override_path = true\n"
        else:
            host, more = match["server"], ""
        hosts.append(f'[host."{host}"]\ncapabilities = ["pull", "resolve"]\n{more}')
    return "\n".join([_OWN, *hosts])


def script(registries: Mapping[str, Sequence[str]]) -> str:
    """The shell script that writes the hosts files in a node. Files of an earlier run go; others stay.

    registries: the URLs of the mirrors by the registry's host.

    containerd reads the files at each pull. One that does not look for them gets a setting for it and is restarted; its
    containers go on running.
    """
    lines = [
        "set -eu",
        f"mkdir -p {FOLDER}",
        f"for file in {FOLDER}/*/hosts.toml; do",
        f'  if [ -f "$file" ] && [ "$(head -n 1 "$file")" = \'{_OWN.strip()}\' ]; then rm "$file"; fi',
        "done",
    ]
    for registry, mirrors in sorted(registries.items()):
        lines += [
            f"mkdir -p '{FOLDER}/{registry}'",
            f"cat > '{FOLDER}/{registry}/hosts.toml' <<'END'",
            hosts_file(mirrors).rstrip("\n"),
            "END",
        ]
    if registries:
        lines += [
            f"looks() {{ containerd config dump | grep -q 'config_path = .*{FOLDER}'; }}",
            "if ! looks; then",
            f"  if grep -q '{_SECTION}' {_CONFIG}; then",
            f"    echo 'set config_path to {FOLDER} in the section of registries in {_CONFIG}' >&2",
            "    exit 1",
            "  fi",
            f"  printf '\\n[%s]\\n  config_path = \"%s\"\\n' '{_SECTION}' {FOLDER} >> {_CONFIG}",
            f"  looks || {{ echo 'containerd takes no config_path from {_CONFIG}; use another image' >&2; exit 1; }}",
            "  systemctl restart containerd",
            "fi",
        ]
    return "\n".join(lines) + "\n"
