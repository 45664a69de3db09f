"""Settings: where they are found, what is refused and how that is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skin_edge import config as config_module
from skin_edge.config import Config, config_schema, find_config, load_config
from skin_edge.errors import ConfigError
from skin_edge.strict import SchemaError, convert, dump_yaml, parse_yaml


@pytest.fixture
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user and a system without settings; returns the user's configuration folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("SKIN_EDGE_HOME", raising=False)
    monkeypatch.setattr(config_module, "SYSTEM_CONFIG", tmp_path / "etc" / "config.yaml")
    return tmp_path / "xdg" / "skin-edge"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_hold(no_settings: Path) -> None:
    assert find_config() is None
    assert load_config() == Config()
    assert Config().state.save_images is False, "no image is kept unless asked for"
    assert Config().model.threads == 1


def test_order_is_named_then_user_then_system(no_settings: Path, tmp_path: Path) -> None:
    system = write(config_module.SYSTEM_CONFIG, "model: {threads: 2}")
    assert (find_config(), load_config().model.threads) == (system, 2)
    user = write(no_settings / "config.yaml", "model: {threads: 3}")
    assert (find_config(), load_config().model.threads) == (user, 3)
    named = write(tmp_path / "named.yaml", "model: {threads: 4}")
    assert (find_config(named), load_config(named).model.threads) == (named, 4)


def test_a_relative_xdg_folder_is_ignored(
    no_settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    user = write(tmp_path / ".config" / "skin-edge" / "config.yaml", "")
    assert find_config() == user


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "{}"])
def test_an_empty_file_means_the_defaults(tmp_path: Path, text: str) -> None:
    assert load_config(write(tmp_path / "c.yaml", text)) == Config()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("modle: {}", ["modle", "unknown key", "did you mean 'model'"]),
        ("model: {thread: 1}", ["model.thread:", "did you mean 'threads'"]),
        ("model: {zzz: 1}", ["model.zzz:", "valid keys", "operating_point"]),
        ("model: {threads: 9}", ["model.threads:", "<= 8"]),
        ("model: {threads: 0}", ["model.threads:", ">= 1"]),
        ("model: {threads: two}", ["model.threads:", "int"]),
        ("model: {path: bundles/x}", ["model.path:", "^[/~]"]),
        ("capture: {interval_s: -1}", ["capture.interval_s:", ">= 0"]),
        ("capture: {interval_s: .nan}", ["capture.interval_s:"]),
        ("capture: {interval_s: .inf}", ["capture.interval_s:"]),
        ("capture: {fps: 0}", ["capture.fps:", "> 0"]),
        ("capture: {source: 1}", ["capture.source:", "str"]),
        ("state: {save_images: 1}", ["state.save_images:", "bool"]),
        ("state: [1]", ["state:", "object"]),
        ("- 1", ["document:", "object"]),
        ("state: {save_images: true, save_images: false}", ["duplicate key", "line 1"]),
        ("a: &x 1\nb: *x", ["aliases"]),
        ("state: {", ["line 2, column 1"]),
    ],
)
def test_a_wrong_file_is_refused_by_name_path_and_remedy(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = write(tmp_path / "wrong.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot read .*No such file"):
        load_config(tmp_path / "absent.yaml")


def test_a_dangling_link_is_not_taken_for_no_settings(no_settings: Path) -> None:
    no_settings.mkdir(parents=True)
    (no_settings / "config.yaml").symlink_to("gone.yaml")
    with pytest.raises(ConfigError, match="cannot read"):
        load_config()


def test_every_key_and_default_is_in_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    values = parse_yaml(dump_yaml(Config()))
    rows = {
        f"| `{section}.{key}` | `{json.dumps(value)}` |"
        for section, keys in values.items()
        for key, value in keys.items()
    }
    assert {row for row in rows if row not in page} == set()


@pytest.mark.parametrize("path", ["/dev/zero", "/"])
def test_what_is_no_text_file_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match=path):
        load_config(Path(path))


def test_state_dir_is_environment_then_setting_then_user(
    no_settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))
    assert Config().state_dir() == tmp_path / "xdg-state" / "skin-edge"
    assert convert({"state": {"directory": "~/kept"}}, Config).state_dir() == tmp_path / "kept"
    monkeypatch.setenv("SKIN_EDGE_HOME", str(tmp_path / "env"))
    assert convert({"state": {"directory": "/srv/x"}}, Config).state_dir() == tmp_path / "env"
    monkeypatch.setenv("SKIN_EDGE_HOME", "here")
    assert Config().state_dir() == Path.cwd() / "here"


def test_an_unknown_home_is_a_setting_to_correct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKIN_EDGE_HOME", raising=False)
    settings = convert({"state": {"directory": "~no-such-user-here/x"}}, Config)
    with pytest.raises(ConfigError, match=r"^state\.directory: "):
        settings.state_dir()


def test_every_key_is_described() -> None:
    definitions = config_schema()["$defs"]
    bare = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, rule in definition["properties"].items()
        if not rule.get("description")
    ]
    assert bare == []


SECTIONS: dict[str, dict[str, list[Any]]] = {
    "state": {"directory": [None, "/x", "~/x", "x", "", 3], "save_images": [True, False, 1, "yes", None]},
    "capture": {
        "source": [None, "demo", "", 1],
        "interval_s": [0, 0.5, -1, 86_401, "1", True],
        "fps": [None, 25, 0, 0.1, 1001, "x"],
    },
    "camera": {
        "width": [None, 1920, 15, 20_001, "x"],
        "pixel_format": [None, "mjpg", "yuyv", "rgb"],
        "gain": [None, 1.5, -1],
        "autofocus": ["continuous", "once", "off", "on", None],
        "white_balance": ["auto", "lock", 1],
        "colour_gains": [None, [1.5, 2.0], [1.5], [0, 1], "1,2"],
        "open_timeout_s": [0.1, 0, 601],
        "black_s": [None, 0, 3, -1],
        "black_level": [0, 254, 255],
        "check_torn": [True, False, None],
        "restarts": [0, 10_000, -1],
        "backoff_jitter": [0, 1, 1.1],
    },
    "model": {
        "path": [None, "/b", "b"],
        "operating_point": [None, "sensitive", "", "n" * 101],
        "threads": [1, 8, 0, 9, 2.5, "1", True, None],  # 2.0 is an integer to JSON schema alone
    },
    "quality": {
        "min_side_px": [1, 100, 0, 10_001, "x"],
        "min_focus": [0, 4.5, -1, 101],
        "min_highlight_luma": [0, 255, 256],
        "max_black_fraction": [0, 1, 1.1],
        "max_white_fraction": [0.5, -0.1, None],
    },
}


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """Settings good and bad: each key absent or one of its values, sometimes a key or section unknown."""
    document: dict[str, Any] = {}
    for section, keys in SECTIONS.items():
        if draw(st.booleans()):
            chosen = {k: draw(st.sampled_from(v)) for k, v in keys.items() if draw(st.booleans())}
            if draw(st.integers(0, 9)) == 0:
                chosen["unknown"] = 1
            document[section] = draw(st.sampled_from([chosen, chosen, chosen, chosen, None, [], "text"]))
    if draw(st.integers(0, 9)) == 0:
        document["unknown"] = {}
    return document


@given(documents())
def test_the_json_schema_accepts_exactly_what_the_program_accepts(document: Any) -> None:
    validator = jsonschema.Draft202012Validator(config_schema())
    try:
        convert(parse_yaml(yaml.safe_dump(document)), Config)
        accepted = True
    except SchemaError:
        accepted = False
    assert validator.is_valid(document) is accepted


def test_the_json_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(config_schema())


def test_what_show_prints_can_be_loaded_again(tmp_path: Path) -> None:
    settings = convert(
        {"state": {"directory": "/srv/haut läsion"}, "capture": {"source": "replay:/a b", "fps": 2}}, Config
    )
    assert load_config(write(tmp_path / "c.yaml", dump_yaml(settings))) == settings
