"""Checks of config fields that name value, rule and choices."""

LABEL = {"label": True}
"""Marks a field that only names a choice or a place: shown everywhere, part of no identity."""


def label(group: str, name: str, kind: str, kinds: tuple[str, ...], default: str) -> str:
    """The label of a choice; its kind, where that was set and the default option's label is left.

    Args:
        group: such as `corruption`.
        name: the label; the YAML's file name.
        kind: what the choice is.
        kinds: all that there are.
        default: label of the group's default option.

    Raises:
        ValueError: the label is another kind: whoever set it meant the kind.
    """
    if name in kinds and name != kind:
        if name != default:
            raise ValueError(
                f"{group}.name is a label and got {name!r}, while {group}.kind is {kind!r}; "
                f"choose by {group}={name} or {group}.kind={name}"
            )
        return kind
    return name


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless the value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")


def share(name: str, value: float) -> None:
    """Raise ValueError unless the value is in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value}")


def at_least(name: str, value: float, least: float) -> None:
    """Raise ValueError unless the value is at least `least`."""
    if not value >= least:
        raise ValueError(f"{name} must be >= {least}, got {value}")
