"""Strict YAML: what is refused, how the wrong key is named, and that nothing but SchemaError comes out."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from skin_edge.strict import MAX_DEPTH, SchemaError, Strict, convert, dump_yaml, parse_yaml


class Point(Strict, frozen=True):
    name: str
    sensitivity: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.9


class Document(Strict, frozen=True):
    version: int = 1
    best: Point | None = None
    points: tuple[Point, ...] = ()
    by_name: dict[str, Point] = {}  # noqa: RUF012 - msgspec copies an empty default


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"versoin": 1}, "versoin: unknown key; did you mean 'version'?"),
        ({"qqqq": 1}, "qqqq: unknown key; valid keys: best, by_name, points, version"),
        (
            {"best": {"name": "a", "sensitivty": 1}},
            "best.sensitivty: unknown key; did you mean 'sensitivity'?",
        ),
        (
            {"points": [{"name": "a"}, {"nam": "b"}]},
            "points[1].nam: unknown key; did you mean 'name'?",
        ),
        ({"by_name": {"x": {"nme": "b"}}}, "by_name[...].nme: unknown key; did you mean 'name'?"),
        ({"points": [{"name": "a", "sensitivity": 2}]}, "points[0].sensitivity: Expected `float` <= 1.0"),
        ({"version": "1"}, "version: Expected `int`, got `str`"),
        ({"best": {}}, "best: Object missing required field `name`"),
        ([], "document: Expected `object`, got `array`"),
    ],
)
def test_the_message_names_path_and_nearest_key(data: Any, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        convert(data, Document)
    assert str(caught.value) == message


@given(st.text(max_size=30))
@example("a`b - at `$.best`")
@example("line\nbreak")
def test_any_unknown_key_ends_in_one_line_that_holds_it(key: str) -> None:
    if key in Document.__struct_fields__:
        return
    with pytest.raises(SchemaError) as caught:
        convert({key: 1}, Document)
    assert len(str(caught.value).splitlines()) <= 1


def test_structures_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Document().version = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a: 1\na: 2", "line 2, column 1: duplicate key 'a'"),
        ("x: {a: 1, a: 2}", "duplicate key 'a'"),
        ("a: &n [1]\nb: *n", "line 2.*aliases are not allowed"),
        ("a: &n {b: 1}\nc: {<<: *n}", "aliases are not allowed"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("a: [1", r"line 2, column 1"),
        ("\tx: 1", "line 1"),
        (b"\xff\xfe\x00", "not valid YAML"),
        (b"a: \xe9", "not valid YAML"),
        ("a: 1\n---\nb: 2", "single document|another document"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "levels deep"),
        ("x: '*'\ny: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "levels deep"),
        ("2000-13-45", "not valid YAML"),
        ("!!bool 7", "not valid YAML"),
        ("? [1, 2]\n: 3", "unhashable|not valid YAML|line 1"),
        ("? {a: 1}\n: 3", "unhashable|not valid YAML|line 1"),
    ],
)
def test_surprising_yaml_is_refused(text: str | bytes, match: str) -> None:
    with pytest.raises(SchemaError, match=match):
        parse_yaml(text)


def test_a_star_that_is_no_alias_is_text() -> None:
    assert parse_yaml("a: 'two * three'\nb: 2*3") == {"a": "two * three", "b": "2*3"}


def test_bottomless_nesting_does_not_reach_the_c_stack() -> None:
    for opening in ("[", "{a: ", "- ", "? "):
        with pytest.raises(SchemaError):
            parse_yaml(opening * 100_000)


@given(
    st.one_of(
        st.binary(max_size=60), st.text(max_size=60), st.text("{}[]&*!|>'\"#%@:-?, \nab1~<=.", max_size=40)
    )
)
def test_any_text_gives_data_or_a_schema_error_in_one_line(text: str | bytes) -> None:
    message = ""
    try:
        parse_yaml(text)
    except SchemaError as error:
        message = str(error)
    assert "\n" not in message


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(PLAIN)
def test_dumped_data_is_read_back_the_same(data: Any) -> None:
    text = dump_yaml(data)
    assert parse_yaml(text) == yaml.safe_load(text) == data


def test_dump_keeps_the_declared_order() -> None:
    assert dump_yaml(Point(name="screening", sensitivity=0.95)) == "name: screening\nsensitivity: 0.95\n"
