"""The options of what a component is made of."""

from collections.abc import Sequence

import pulumi


def child(
    parent: pulumi.ComponentResource,
    opts: pulumi.ResourceOptions | None,
    depends_on: Sequence[pulumi.Resource] = (),
    *,
    delete_before_replace: bool | None = None,
    timeout: str | None = None,
) -> pulumi.ResourceOptions:
    """Options for a child of a component that was given `opts`.

    The engine hands provider and `deleted_with` down by itself, and `replacement_trigger` it does not. timeout: for
    creating and updating, such as 5m.
    """
    return pulumi.ResourceOptions(
        parent=parent,
        depends_on=list(depends_on),
        delete_before_replace=delete_before_replace,
        custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout) if timeout else None,
        replacement_trigger=opts.replacement_trigger if opts else None,
    )
