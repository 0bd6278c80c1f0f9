"""Preferences: how a setting is shown and changed, kept beside the setting's type."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

from desktop_app.messages import Message

T = TypeVar("T")

GENERAL: Final = Message("General")
CAMERA: Final = Message("Camera")
RECOGNITION: Final = Message("Recognition")
PRIVACY: Final = Message("Privacy")
SAVING: Final = Message("Saving")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preference:
    """Metadata, for `Annotated`, of a setting that the preferences show. Pages and rows have the order of the fields.

    The type gives the widget: a `bool` is a check box, a `Literal` or whatever has `choices` a list, a number with
    `limits` a spin box, and a `Path` a folder.

    Attributes:
        page: the page that it is on.
        label: its name.
        choices: the values to choose from, or a function that finds them; by default those of a `Literal`.
        texts: names of values; others are shown as they are.
        unit: follows a number in a list.
        limits: the lowest and the highest number.
        step: the distance between two numbers.
        tool_tip: what else there is to know.
        hint: a line below it, by value where it depends on that.
        beside: names of further fields, next to this one, that it sets as well: its value is a tuple then.
        languages: whether values are codes of languages, which are shown by their own names.
    """

    page: Message
    label: Message
    choices: Sequence[Any] | Callable[[], Sequence[Any]] = ()
    texts: Mapping[Any, Message | str] = field(default_factory=dict)
    unit: str = ""
    limits: tuple[float, float] | None = None
    step: float = 1
    tool_tip: Message | None = None
    hint: Message | Mapping[Any, Message] | None = None
    beside: tuple[str, ...] = ()
    languages: bool = False


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """A setting that the preferences show.

    Attributes:
        path: names of the fields that lead to it.
        names: of its fields, one but for a `Preference` that sets several.
        kind: its type.
        preference: how it is shown.
    """

    path: tuple[str, ...]
    names: tuple[str, ...]
    kind: Any
    preference: Preference

    @property
    def name(self) -> str:
        """A name that no other row has."""
        return "_".join((*self.path, self.names[0]))

    def value(self, settings: Any) -> Any:
        """What it is in these settings; a tuple where it has several fields."""
        for name in self.path:
            settings = getattr(settings, name)
        values = tuple(getattr(settings, name) for name in self.names)
        return values if len(values) > 1 else values[0]

    def changed(self, settings: T, value: Any) -> T:
        """The same settings with another value of it."""
        values = value if len(self.names) > 1 else (value,)
        changed: T = _replaced(settings, self.path, dict(zip(self.names, values, strict=True)))
        return changed

    def choices(self, value: Any) -> list[Any]:
        """What can be chosen, the present value included; empty where it is not chosen from a list."""
        given = self.preference.choices
        values = list(given() if callable(given) else given)
        if not values and get_origin(self.kind) is Literal:
            values = list(get_args(self.kind))
        return values if not values or value in values else [*values, value]

    def hint(self, value: Any) -> Message | None:
        """The line below it for a value."""
        hint = self.preference.hint
        return hint.get(value) if isinstance(hint, Mapping) else hint


def preference_rows(settings: type[Any], path: tuple[str, ...] = ()) -> Iterator[PreferenceRow]:
    """The settings of a dataclass, and of the dataclasses in it, that have a `Preference`."""
    for name, hint in get_type_hints(settings, include_extras=True).items():
        kind, *metadata = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        for one in metadata:
            if isinstance(one, Preference):
                yield PreferenceRow(path, (name, *one.beside), kind, one)
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            yield from preference_rows(kind, (*path, name))


def _replaced(settings: Any, path: tuple[str, ...], changes: dict[str, Any]) -> Any:
    if path:
        inner, *rest = path
        changes = {inner: _replaced(getattr(settings, inner), tuple(rest), changes)}
    return dataclasses.replace(settings, **changes)
