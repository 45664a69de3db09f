"""Targets as people write them, and lists of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skin_edge.errors import UsageError
from skin_edge_deploy.targets import Target, parse_target, parse_targets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bench-3", ("bench-3", None, None)),
        ("pi@bench-3", ("bench-3", "pi", None)),
        ("pi@192.168.1.7:2222", ("192.168.1.7", "pi", 2222)),
        ("pi@[fe80::1%eth0]:22", ("fe80::1%eth0", "pi", 22)),
        ("::1", ("::1", None, None)),
        ("[::1]", ("::1", None, None)),
        ("me@clinic.org@device", ("device", "me@clinic.org", None)),
    ],
)
def test_what_is_a_target(text: str, expected: tuple[str, str | None, int | None]) -> None:
    found = parse_target(text)
    assert (found.host, found.user, found.port) == expected
    assert found.text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@host",
        "pi@",
        "pi@host:0",
        "pi@host:65536",
        "pi@host:ssh",
        "-oProxyCommand=x",
        "pi@-oProxyCommand=x",
        "host name",
        "a;b",
        "$(x)",
        "[::1",
        "[::1]22",
        "host:22:23:x",
        "ssh://host",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(UsageError, match=r"no target|named"):
        parse_target(text)


@given(st.text(max_size=40))
def test_any_text_is_a_target_or_an_error_of_one_printable_line(text: str) -> None:
    try:
        found = parse_target(text)
    except UsageError as error:
        assert str(error).isprintable()  # noqa: PT017
    else:
        assert not found.host.startswith("-")
        assert not set(found.host) & set(" \t\n'\"\\$`;|&<>()")


def test_a_file_has_one_a_line_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "hosts.txt"
    path.write_text("# all of them\n\npi@one\n  pi@two:22  # in repair\npi@one\n")
    assert [target.text for target in parse_targets([f"@{path}", "three", "pi@one"])] == [
        "pi@one",
        "pi@two:22",
        "three",
    ]


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hosts.txt"
    path.write_text("pi@one\npi@two:none\n")
    with pytest.raises(UsageError, match=r"hosts\.txt, line 2: 'pi@two:none' is no target"):
        parse_targets([f"@{path}"])
    path.write_text("pi@one pi@two\n")
    with pytest.raises(UsageError, match="line 1: one host a line"):
        parse_targets([f"@{path}"])


@pytest.mark.parametrize("data", [b"", b"# nobody\n", b"\xff\xfe", None])
def test_a_file_that_names_nobody_is_an_error(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "hosts.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError):
        parse_targets([f"@{path}"])


def test_a_target_is_a_value() -> None:
    assert parse_target("pi@one") == Target("pi@one", "one", "pi", None)
