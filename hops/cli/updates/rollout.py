"""Rolls out the images of Deployments ahead of Pulumi, with the server-side apply that an `up` would send.

Pulumi's provider applies each object under a field manager of its own (4.25.0). The same object, applied under the same
name, makes the pods at once; the update that follows changes nothing that runs. Until then an annotation says so, and
an `up` that finds it counts the Deployment as changed in the cluster.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any

from components.workload import DIGEST
from hops.kubernetes import objects
from hops.model.images.image import Build
from hops.model.kind_names import KUBECTL
from hops.observe.in_cluster.drift import AHEAD, DeclaredObject, declared
from hops.observe.local import docker

_SECONDS = 30.0


def deployments(state: Mapping[str, Any]) -> dict[str, DeclaredObject]:
    """The Deployments in a state that can be applied as Pulumi does it, by NAMESPACE/NAME.

    state: as `pulumi stack export` prints it.
    """
    return {
        f"{each.namespace}/{each.name}": each for each in declared(state) if each.kind == "Deployment" and each.manager
    }


def with_image(of: DeclaredObject, build: Build, template: Mapping[str, Any]) -> dict[str, Any]:
    """A Deployment as an `up` declares it after a build.

    of: the Deployment in the state.
    build: of the new image.
    template: the new pod template, as the program declares it.

    Returns the object to apply. It carries the annotation AHEAD unless it is the one in the state.
    """
    body = copy.deepcopy(dict(of.inputs))
    new = body["spec"]["template"]
    new["metadata"]["annotations"][DIGEST] = objects.annotations(template)[DIGEST]
    for container in new["spec"]["containers"]:
        if str(container["image"]).startswith(f"{build.repository}:"):
            container["image"] = build.image
    if body != of.inputs:
        body["metadata"]["annotations"] = {**body["metadata"].get("annotations", {}), AHEAD: build.image}
    return body


def apply(control_plane: str, of: DeclaredObject, body: Mapping[str, Any]) -> None:
    """Applies a Deployment as Pulumi's provider does. Raises DockerError.

    control_plane: name of the control plane's container.
    of: the Deployment in the state.
    body: of `with_image`.
    """
    words = ("apply", "--server-side", f"--field-manager={of.manager}", "--validate=false", "--filename=-")
    docker.run("exec", "--interactive", control_plane, *KUBECTL, *words, text=json.dumps(body), seconds=_SECONDS)
