"""What others may rely on: the device stands alone, every command explains itself, exit statuses stay."""

from __future__ import annotations

import importlib.metadata
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import skin_edge
from skin_edge import errors
from skin_edge.cli import group

ROOT = Path(__file__).resolve().parents[2]

IMPORT_ALONE = """
import importlib, sys

class Absent:
    names = frozenset(sys.argv[1].split(","))

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{name} is not on the device", name=name)

sys.meta_path.insert(0, Absent())
for name in sys.argv[2:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        print(f"{name}: {error}")
"""

HOST_ONLY = (
    "tensorflow", "keras", "torch", "sklearn", "scipy", "pandas", "skin_edge_training", "skin_edge_deploy",
)  # fmt: skip


def device_modules() -> list[str]:
    found = [m.name for m in pkgutil.walk_packages(skin_edge.__path__, "skin_edge.")]
    return [name for name in found if not name.endswith("__main__")]


def test_every_device_module_imports_without_what_only_a_host_has() -> None:
    modules = device_modules()
    assert {"skin_edge.cli.main", "skin_edge.config", "skin_edge.frame"} <= set(modules)
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALONE, ",".join(HOST_ONLY), *modules], capture_output=True, text=True
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command and sub-command with the words that call it."""
    if path:
        yield path, command
    if hasattr(command, "list_commands"):
        context = typer.Context(command, info_name="skin-edge")
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), (*path, name))


@pytest.fixture(scope="module")
def commands() -> dict[tuple[str, ...], Any]:
    return dict(walk(typer.main.get_command(group.app)))


def test_every_command_of_the_device_is_there(commands: dict[tuple[str, ...], Any]) -> None:
    for name in group.DEVICE_COMMANDS:
        assert (name,) in commands
    assert ("config", "show") in commands


def test_every_command_and_option_has_help(commands: dict[tuple[str, ...], Any]) -> None:
    silent = [" ".join(path) for path, command in commands.items() if not (command.help or "").strip()]
    for path, command in commands.items():
        context = typer.Context(command, info_name=path[-1])
        for parameter in command.params:
            record = parameter.get_help_record(context)  # None where hidden
            if record is not None and not re.sub(r"\[.*?\]", "", record[1]).strip():
                silent.append(f"{' '.join(path)} {parameter.name}")
    assert silent == []


def test_completion_is_installed_by_the_root_alone(commands: dict[tuple[str, ...], Any]) -> None:
    options = {" ".join(path): {p.name for p in command.params} for path, command in commands.items()}
    assert [path for path, names in options.items() if "install_completion" in names] == []


def test_every_command_is_in_the_readme(commands: dict[tuple[str, ...], Any]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [
        " ".join(path)
        for path in commands
        if f"skin-edge {path[0]}" not in readme or not all(re.search(rf"\b{word}\b", readme) for word in path)
    ]
    assert missing == []


def test_version_is_the_one_of_the_distribution() -> None:
    assert skin_edge.__version__ == importlib.metadata.version("skin-edge")


def test_the_exit_statuses_scripts_rely_on() -> None:
    found = {
        name: (kind.exit_code, kind.code)
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.SkinEdgeError)
    }
    assert found == {
        "SkinEdgeError": (1, "error"),
        "ImageError": (1, "image"),
        "UsageError": (2, "usage"),
        "ConfigError": (2, "config"),
        "CameraError": (3, "camera"),
        "ModelError": (4, "model"),
        "BundleError": (4, "bundle"),
        "StorageError": (5, "storage"),
        "HealthError": (6, "health"),
    }


def test_an_error_is_also_the_builtin_it_specialises() -> None:
    for kind, builtin in (
        (errors.ImageError, ValueError),
        (errors.ConfigError, ValueError),
        (errors.CameraError, OSError),
        (errors.BundleError, ValueError),
        (errors.StorageError, OSError),
        (errors.HealthError, RuntimeError),
    ):
        with pytest.raises(builtin, match=r"^what, where, remedy$") as caught:
            raise kind("what, where, remedy", code="special")
        assert caught.value.code == "special"  # type: ignore[attr-defined]
