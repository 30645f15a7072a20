"""Kubernetes label selectors."""

from collections.abc import Mapping

from hops.kubernetes.values import JSON, at, pairs, sequence, text, texts


def selects(selector: JSON, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector matches labels; an empty one matches all."""
    return all(labels.get(key) == value for key, value in pairs(at(selector, "matchLabels")).items()) and all(
        _meets(expression, labels) for expression in sequence(at(selector, "matchExpressions"))
    )


def _meets(expression: JSON, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(text(at(expression, "key")) or ""), texts(at(expression, "values"))
    match text(at(expression, "operator")) or "":
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False
