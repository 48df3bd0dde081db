"""The models of the catalog.

Made from types in core/src by `cargo xtask regen`; do not edit.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypeAlias, TypedDict

ParameterKind: TypeAlias = Literal["string", "integer", "number", "choice", "image", "frames"]
"""The kind of value that a parameter takes.

- `string`: Text.
- `integer`: A whole number; `30.0` is one, as in JSON Schema.
- `number`: Any finite number.
- `choice`: One of `choices`.
- `image`: A picture: data URI or raw bytes.
- `frames`: A list of pictures placed at frames of a clip.
"""


class ParameterSchema(TypedDict):
    """The rules of one parameter."""

    type: ParameterKind
    """The kind of value."""
    label: str
    """A short name for people."""
    choices: NotRequired[list[str | float]]
    """The allowed values of a choice."""
    default: NotRequired[str | float]
    """The value that is used when none is given."""
    help: NotRequired[str]
    """A sentence for people."""
    item: NotRequired[dict[str, ParameterItem]]
    """The fields of an entry of a list."""
    locked: NotRequired[bool]
    """Whether every value but the default is refused."""
    max_length: NotRequired[int]
    """Largest number of characters."""
    maximum: NotRequired[float]
    """Greatest value."""
    min_items: NotRequired[int]
    """Fewest entries of a list."""
    min_length: NotRequired[int]
    """Fewest characters. If this is above 0, the text must not be blank."""
    minimum: NotRequired[float]
    """Least value."""
    recommended: NotRequired[str | float]
    """The value that works best."""
    required: NotRequired[bool]
    """Whether every request must give it."""
    required_if: NotRequired[dict[str, list[str | float]]]
    """The rule under which it must be given. Without a rule, `required` alone decides."""
    step: NotRequired[float]
    """Distance between allowed values, counted from `minimum`."""
    visible_if: NotRequired[dict[str, list[str | float]]]
    """The rule under which it may be given. Without a rule, it may always be given."""


class ParameterItem(ParameterSchema):
    """One field of an entry of a list."""

    below: NotRequired[str]
    """Name of the parameter whose value the field's value must be below."""


class Model(TypedDict):
    """A model as callers see it. Its JSON form is an entry of the list that `GET /models` and the lists of models in
    every language return.
    """

    id: str
    """Stable id."""
    aliases: list[str]
    """Other names that are accepted for it."""
    name: str
    """A name for people."""
    type: Literal["image", "video"]
    """Picture or clip."""
    category: str
    """`anime` or `realistic`."""
    family: str
    """Architecture: `sdxl`, `flux`, `wan`."""
    description: str
    """A sentence for people."""
    modes: list[str]
    """The inputs that it can start from."""
    default_mode: str
    """The mode when none is asked for."""
    fixed_parameters: dict[str, str | float]
    """Values that apply to every request and cannot be changed."""
    recommended_parameters: dict[str, str | float]
    """The values that work best."""
    parameters_schema: dict[str, ParameterSchema]
    """Its parameters, in the order in which people should see them."""
    available: bool
    """Whether the model can run here."""
    files: NotRequired[str]
    """A description of the model's files, if it has its own and can run."""
    unavailable_reason: NotRequired[str]
    """Why the model cannot run here. Absent when it can."""
    user_action: NotRequired[str]
    """What makes the model run here. Absent when it can run."""
