"""Every key of the configuration file, read off the model: its path, and its default as YAML writes it."""

import typing
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from optout_gate.policy.config import Config, ExtraVendor


def keys(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield ``path`` and ``default`` of each key that holds a value; ``[]`` is any entry, ``NAME`` any name.

    An entry of the catalogue's own format counts as a value: ``docs/catalogue.md`` describes it.
    """
    for name, field in model.model_fields.items():
        path = prefix + name
        inner, step = _part_of(field.annotation)
        if inner is None:
            yield path, _default(field)
        else:
            yield from keys(inner, path + step + ".")


def _part_of(kind: Any) -> tuple[type[BaseModel] | None, str]:
    """Return the mapping of keys that a field holds, if it does, and how its path goes on."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return (None, "") if kind is ExtraVendor else (kind, "")
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    for argument in arguments:
        inner, step = _part_of(argument)
        if inner is not None:
            return inner, {tuple: "[]", dict: ".NAME"}.get(origin, "") + step
    return None, ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    plain = yaml.safe_load(yaml.safe_dump(_plain(value)))
    return yaml.safe_dump(plain, default_flow_style=True, width=1000, sort_keys=False).removesuffix("...\n").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return str(value.value) if hasattr(value, "value") else value
