"""Image: the image of a service, built from a folder and loaded into the nodes of a kind cluster."""

import dataclasses
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NotRequired, TypedDict

import pulumi
import pulumi_command as command
from pydantic import Field

from components.arguments import ArgumentError, checked
from components.children import child
from hops.model.images.image import Build
from hops.model.settings import service_settings, setting_types
from hops.observe.contexts import BuildError, read_build


class ImageArgs(TypedDict):
    """The arguments of an Image. All are plain: the image's name follows from them and from the folder's files."""

    context: str
    """The folder that the build reads."""
    cluster: str
    """The name of the kind cluster that the image is loaded into."""
    service: NotRequired[str]
    """What runs the image; the image's name contains it. Default: the component's name."""
    dockerfile: NotRequired[str]
    """The Dockerfile, relative to the context. Default: Dockerfile."""
    target: NotRequired[str | None]
    """The stage to build. Default: None, the last one."""
    args: NotRequired[Mapping[str, str]]
    """The build arguments by name, which the image's history and the state show to everybody. Default: none."""
    digest: NotRequired[str | None]
    """The digest of everything that goes into the image. Default: None, the files are read."""


class _Bounds(service_settings.BuildSettings):
    cluster: setting_types.ClusterName
    service: str = Field(pattern="^[a-z0-9]([-a-z0-9/]*[a-z0-9])?$")
    digest: str | None = Field(None, pattern="^[0-9a-f]{16}$")


class Image(pulumi.ComponentResource):
    """An image whose name follows from everything that goes into it: an unchanged folder builds nothing.

    The old image is removed when everything that ran it has the new one.
    """

    image: pulumi.Output[str]
    """The image's name."""

    def __init__(self, name: str, args: ImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declares the image.

        name: the component's name.
        args: see ImageArgs.
        opts: Pulumi's options; let the component depend on the cluster.

        Raises ArgumentError for wrong arguments, or a folder that cannot be built.
        """
        build = _build(f"Image {name}", {"service": name, **args})
        super().__init__("ingress-hops:index:Image", name, {"image": build.image}, opts)
        self._command = command.local.Command(
            f"{name}-image",
            create=_run("make"),
            # Another place of the project or of Python makes no other image.
            update="true",
            delete=_run("remove"),
            stdin=json.dumps(dataclasses.asdict(build) | {"folders": []}, sort_keys=True),
            environment={"BUILT_IMAGE": build.image},
            triggers=[build.image],
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions.merge(
                child(self, opts),
                pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="60m", delete="5m")),
            ),
        )
        self.image = pulumi.Output.from_input(build.image)
        self.register_outputs({"image": self.image})

    @property
    def command(self) -> command.local.Command:
        """The command that builds, loads and removes the image."""
        return self._command


def _build(where: str, args: Mapping[str, object]) -> Build:
    values = checked(where, args, _Bounds, ImageArgs)
    context = Path(values["context"]).resolve()
    dockerfile = context / values["dockerfile"]
    if values["digest"]:
        return Build(
            **{key: values[key] for key in ("service", "cluster", "target", "args", "digest")},
            context=str(context),
            dockerfile=str(dockerfile),
        )
    try:
        return read_build(
            values["service"],
            values["cluster"],
            context=context,
            dockerfile=dockerfile,
            target=values["target"],
            args=values["args"],
        )
    except (BuildError, OSError, ValueError) as error:
        raise ArgumentError(f"{where}: {str(error).removeprefix(': ')}") from None


def _run(what: str) -> str:
    # -I: no module of the working folder replaces one of Python's or of this project.
    return f"{shlex.quote(sys.executable)} -I -m hops.cli.image_build {what}"
