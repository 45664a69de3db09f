"""The settings, typed and strict: where they are found, what they may say, and where state is kept.

Values a command line gives go before these; these go before the built-in defaults.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from skin_edge.errors import ConfigError
from skin_edge.strict import SchemaError, Strict, convert, parse_yaml

SYSTEM_CONFIG = Path("/etc/skin-edge/config.yaml")

#: A settings file is a page of text; more is a wrong file, and reading it whole could fill a Pi's memory.
MAX_CONFIG_BYTES = 1_000_000

#: Relative paths would mean something else in a service than in a shell.
AbsolutePath = Annotated[str, Meta(pattern="^[/~]", max_length=4096)]


class StateConfig(Strict, frozen=True):
    """Where the results log, the kept images and the installed models are."""

    directory: Annotated[
        AbsolutePath | None,
        Meta(
            description="Folder of the log, images and models: absolute or from ~. "
            "null: the user's state directory. SKIN_EDGE_HOME goes before it."
        ),
    ] = None
    save_images: Annotated[
        bool,
        Meta(description="Keep every classified image beside the log. Off: images of people are not kept."),
    ] = False


class CaptureConfig(Strict, frozen=True):
    """Where frames come from and how often."""

    source: Annotated[
        Annotated[str, Meta(min_length=1, max_length=4096)] | None,
        Meta(description="What `capture --source` takes, for example replay:/photos or demo. null: auto."),
    ] = None
    interval_s: Annotated[
        float,
        Meta(ge=0.0, le=86_400.0, description="Seconds between two decisions; 0: as fast as frames come."),
    ] = 0.0
    fps: Annotated[
        Annotated[float, Meta(gt=0.0, le=1000.0)] | None,
        Meta(description="Frames a second taken from a replayed source. null: at its own pace."),
    ] = None


class ModelConfig(Strict, frozen=True):
    """Which model answers, and how."""

    path: Annotated[
        AbsolutePath | None,
        Meta(description="Bundle to use: absolute or from ~. null: the active one, else the package's."),
    ] = None
    operating_point: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(description="Name of an operating point in the bundle. null: the bundle's default."),
    ] = None
    threads: Annotated[
        int,
        Meta(ge=1, le=8, description="Threads of the runtime; one is the fastest for so small a network."),
    ] = 1


class QualityThresholds(Strict, frozen=True):
    """Where the gate stands. Fractions are parts of the central square's pixels, luma is 0 to 255."""

    min_side_px: Annotated[
        int, Meta(ge=1, le=10_000, description="Shorter side below which a picture is too small.")
    ] = 100
    min_focus: Annotated[
        float,
        Meta(
            ge=0.0,
            le=100.0,
            description="Sharpness, in the worst direction, below which it is blurred; 0: never.",
        ),
    ] = 8.0
    max_motion_evenness: Annotated[
        float,
        Meta(
            ge=0.0,
            le=1.0,
            description="Worst over best direction below which blur is called motion; 0: never.",
        ),
    ] = 0.7
    min_highlight_luma: Annotated[
        float,
        Meta(ge=0.0, le=255.0, description="95th percentile of luma below which a picture is too dark."),
    ] = 60.0
    max_black_fraction: Annotated[
        float, Meta(ge=0.0, le=1.0, description="Part without shadow detail above which it is too dark.")
    ] = 0.5
    max_white_fraction: Annotated[
        float, Meta(ge=0.0, le=1.0, description="Part burnt out above which a picture is too bright.")
    ] = 0.12
    max_glare_fraction: Annotated[
        float, Meta(ge=0.0, le=1.0, description="Part of the disc under highlights above which it is glare.")
    ] = 0.008
    max_no_lesion: Annotated[
        float,
        Meta(
            ge=-1e4,
            le=1e4,
            description="Likeness to bare skin above which no lesion is in view; 10000: never.",
        ),
    ] = 0.0
    max_not_skin: Annotated[
        float,
        Meta(ge=-1e4, le=1e4, description="Unlikeness to skin above which it is not skin; 10000: never."),
    ] = 0.0


class Config(Strict, frozen=True):
    """All settings. Every key may be left out."""

    state: Annotated[StateConfig, Meta(description="Where things are kept.")] = StateConfig()
    capture: Annotated[CaptureConfig, Meta(description="Where frames come from.")] = CaptureConfig()
    model: Annotated[ModelConfig, Meta(description="Which model answers.")] = ModelConfig()
    quality: Annotated[QualityThresholds, Meta(description="When a frame is unfit to classify.")] = (
        QualityThresholds()
    )

    def state_dir(self) -> Path:
        """Return the absolute folder of log, images and models; it need not exist yet.

        `$SKIN_EDGE_HOME`, else `state.directory`, else the user's state directory (XDG).

        Raises:
            ConfigError: `~` stands for a home that this user does not have.
        """
        override = os.environ.get("SKIN_EDGE_HOME")
        if override:
            return Path(override).absolute()
        if self.state.directory is not None:
            try:
                return Path(self.state.directory).expanduser().absolute()
            except RuntimeError:
                raise ConfigError(
                    f"state.directory: {self.state.directory!r} names a home folder that does not exist; "
                    "give an absolute path"
                ) from None
        return _xdg_home("XDG_STATE_HOME", "~/.local/state").absolute() / "skin-edge"


def find_config(path: Path | None = None) -> Path | None:
    """Return the settings file in force: `path`, else the user's, else the system's, else None.

    A given `path` is returned whether it exists or not; the others only where there is such a file.
    """
    if path is not None:
        return path
    candidates = [SYSTEM_CONFIG]
    user = _xdg_home("XDG_CONFIG_HOME", "~/.config")
    if user.is_absolute():  # `~` stays as it is for a user without a home
        candidates.insert(0, user / "skin-edge" / "config.yaml")
    # lexists: a dangling link is a mistake to report, not an absent file
    return next((c for c in candidates if os.path.lexists(c)), None)


def _xdg_home(variable: str, default: str) -> Path:
    """Return a base directory of the XDG specification, which has relative ones ignored."""
    base = os.environ.get(variable, "")
    return Path(base if os.path.isabs(base) else os.path.expanduser(default))  # noqa: PTH111, PTH117


def load_config(path: Path | None = None) -> Config:
    """Return the settings in force, the defaults where there is no file.

    Args:
        path: the file named with `--config`; None searches as `find_config` does.

    Raises:
        ConfigError: the file cannot be read, or a key in it is unknown or ill-typed.
    """
    found = find_config(path)
    if found is None:
        return Config()
    try:
        with found.open("rb") as stream:
            text = stream.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{found}: cannot read the configuration: {error.strerror}") from error
    if len(text) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{found}: larger than {MAX_CONFIG_BYTES} bytes: not a configuration file")
    try:
        data = parse_yaml(text)
        return Config() if data is None else convert(data, Config)
    except SchemaError as error:
        raise ConfigError(f"{found}: {error}") from None


def config_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of the settings file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "skin-edge configuration"}
    return schema | msgspec.json.schema(Config)
