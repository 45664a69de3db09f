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

#: Deeper documents are refused: the C composer recurses on the C stack, so depth alone could crash us.
MAX_DEPTH = 64

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNKNOWN = re.compile(
    r"Object contains unknown field `(?P<name>.*?)`(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL
)
_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\[[^\]]*\]|[^.\[]+")
_BREAKS = re.compile("[\x85\u2028\u2029]")


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every decoded structure: frozen, keyword-only, no unknown fields."""


class SchemaError(ValueError):
    """Data that does not fit its type; the message is one line and names the path."""


class _StrictLoader(_Loader):  # type: ignore[misc]
    """Safe YAML that refuses duplicate keys, which override silently, and bottomless nesting."""

    depth = 0

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested more than {MAX_DEPTH} levels deep")

    def ascend_resolver(self) -> None:
        self.depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"duplicate key {key.value!r}", problem_mark=key.start_mark
                )
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
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        # Beyond YAMLError: what PyYAML's constructors raise for a tag its text does not fit, as `!!bool 7`.
        raise SchemaError(f"not valid YAML: {' '.join(str(error).split())[:200]}") from None


def _refuse_aliases(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=mark)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested more than {MAX_DEPTH} levels deep")


def convert(data: Any, kind: type[T]) -> T:
    """Return `data` as an instance of `kind`.

    Raises:
        SchemaError: an unknown, missing or ill-typed key, named by its dotted path.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise SchemaError(_one_line(_explain(str(error), kind))) from None


def dump_yaml(value: Any) -> str:
    """Return `value` (a Struct or plain data) as YAML, keys in declared order."""
    plain = msgspec.to_builtins(value)
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)
    if _BREAKS.search(text):  # written bare, PyYAML reads these line breaks back as spaces
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=False, width=110)
    return text


def _one_line(message: str) -> str:
    """Escape what does not print: keys come from outside, and a line break in one would forge a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in message)


def _explain(message: str, kind: Any) -> str:
    unknown = _UNKNOWN.match(message)
    if unknown:
        path, name = unknown["path"] or "", unknown["name"]
        import difflib  # only on the way to an error

        near = difflib.get_close_matches(name, _fields_at(kind, path), n=1, cutoff=0.5)
        hint = (
            f"; did you mean {near[0]!r}?" if near else f"; valid keys: {', '.join(_fields_at(kind, path))}"
        )
        return f"{f'{path}.{name}' if path else name}: unknown key{hint}"
    match = _AT.match(message)
    if match is None:
        return message
    return f"{match['path'] or 'document'}: {match['what']}"


def _fields_at(kind: Any, path: str) -> list[str]:
    """Field names of the structure found by walking `path` (msgspec's notation) from `kind`."""
    info = _unwrap(msgspec.inspect.type_info(kind))
    for step in _STEP.findall(path):
        if step.startswith("["):
            info = getattr(info, "item_type", None) or getattr(info, "value_type", None)
        elif isinstance(info, msgspec.inspect.StructType):
            info = next((field.type for field in info.fields if field.encode_name == step), None)
        info = _unwrap(info)
    return sorted(f.encode_name for f in info.fields) if isinstance(info, msgspec.inspect.StructType) else []


def _unwrap(info: Any) -> Any:
    """Look through descriptions, and in a union at the structure or container: only there can keys be."""
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    if isinstance(info, msgspec.inspect.UnionType):
        options = [_unwrap(option) for option in info.types]
        return next((o for o in options if hasattr(o, "fields") or hasattr(o, "item_type")), options[0])
    return info
