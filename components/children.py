"""The options of a component's children."""

from collections.abc import Sequence

import pulumi


def child(
    parent: pulumi.ComponentResource,
    opts: pulumi.ResourceOptions | None,
    depends_on: Sequence[pulumi.Resource] = (),
    *,
    former_name: str | None = None,
    delete_before_replace: bool | None = None,
    timeout: str | None = None,
) -> pulumi.ResourceOptions:
    """Options for a child of a component.

    parent: the component.
    opts: the options that the component was given. The engine hands provider and `deleted_with` down by itself;
      `replacement_trigger` it does not.
    depends_on: resources that have to be there before the child.
    former_name: the child's name in older versions, so that the engine replaces nothing.
    delete_before_replace: whether the old resource goes before the new one comes.
    timeout: for creating and updating, such as 5m; default: the provider's own.
    """
    return pulumi.ResourceOptions(
        parent=parent,
        depends_on=list(depends_on),
        aliases=[pulumi.Alias(name=former_name)] if former_name else None,
        delete_before_replace=delete_before_replace,
        custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout) if timeout else None,
        replacement_trigger=opts.replacement_trigger if opts else None,
    )
