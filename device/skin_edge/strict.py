"""Strict typed decoding of YAML: one way in for the config, the manifest and the preprocess spec.

Types are frozen `msgspec.Struct`s that forbid unknown fields; msgspec does the checking. What this adds is
YAML without surprises (no aliases, no duplicate keys) and errors that name the nearest valid key.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
import yaml

T = TypeVar("T")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*?)`(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<path>.*)`)?$", re.DOTALL)


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every decoded structure: frozen, keyword-only, no unknown fields."""


class SchemaError(ValueError):
    """Data that does not fit its type; the message is one line and names the path."""


class _StrictLoader(_Loader):  # type: ignore[misc]
    """Safe YAML that refuses duplicate keys, which override silently."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"duplicate key {key.value!r}", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str | bytes) -> Any:
    """Return the plain data in a YAML text.

    Raises:
        SchemaError: not UTF-8, not YAML, or with aliases, duplicate keys or exotic tags.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        if "*" in text:  # the C parser composes aliases out of our reach, so look for them in its events
            _refuse_aliases(text)
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SchemaError(f"{where}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise SchemaError(f"not valid YAML: {' '.join(str(error).split())[:200]}") from None


def _refuse_aliases(text: str) -> None:
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=event.start_mark)


def convert(data: Any, kind: type[T]) -> T:
    """Return `data` as an instance of `kind`.

    Raises:
        SchemaError: an unknown, missing or ill-typed key, named by its dotted path.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise SchemaError(_explain(str(error), kind)) from None


def dump_yaml(value: Any) -> str:
    """Return `value` (a Struct or plain data) as YAML, keys in declared order."""
    plain = msgspec.to_builtins(value)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)


def _explain(message: str, kind: Any) -> str:
    unknown = _UNKNOWN.match(message)
    if unknown:
        path, name = unknown["path"] or "", unknown["name"]
        import difflib  # only on the way to an error

        near = difflib.get_close_matches(name, _fields_at(kind, path), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else f"; valid keys: {', '.join(_fields_at(kind, path))}"
        return f"{f'{path}.{name}' if path else name}: unknown key{hint}"
    match = _AT.match(message)
    if match is None:
        return message
    return f"{match['path'] or 'document'}: {match['what']}"


def _fields_at(kind: Any, path: str) -> list[str]:
    """Field names of the structure found by walking `path` (msgspec's notation) from `kind`."""
    info = msgspec.inspect.type_info(kind)
    for part in [p for p in re.split(r"\.|(?=\[)", path) if p]:
        info = _descend(info, part)
    return sorted(f.encode_name for f in info.fields) if isinstance(info, msgspec.inspect.StructType) else []


def _descend(info: Any, part: str) -> Any:
    options = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    for option in options:
        if isinstance(option, msgspec.inspect.StructType):
            for field in option.fields:
                if field.encode_name == part:
                    found = field.type
                    if isinstance(found, msgspec.inspect.UnionType):
                        structs = [t for t in found.types if isinstance(t, msgspec.inspect.StructType)]
                        found = structs[0] if structs else found
                    return found
        elif part == "[...]":
            return getattr(option, "item_type", None) or getattr(option, "value_type", option)
    return info
