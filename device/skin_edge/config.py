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
from skin_edge.sections import (
    CameraConfig,
    CaptureConfig,
    EncryptionConfig,
    FeedbackConfig,
    HealthConfig,
    KioskConfig,
    ModelConfig,
    QualityThresholds,
    RetentionConfig,
    StateConfig,
)
from skin_edge.strict import SchemaError, Strict, convert, parse_yaml

SYSTEM_CONFIG = Path("/etc/skin-edge/config.yaml")

#: A settings file is a page of text; more is a wrong file, and reading it whole could fill a Pi's memory.
MAX_CONFIG_BYTES = 1_000_000


class Config(Strict, frozen=True):
    """All settings. Every key may be left out."""

    state: Annotated[StateConfig, Meta(description="Where things are kept.")] = StateConfig()
    capture: Annotated[CaptureConfig, Meta(description="Where frames come from.")] = CaptureConfig()
    feedback: Annotated[FeedbackConfig, Meta(description="Lights and sounds.")] = FeedbackConfig()
    camera: Annotated[CameraConfig, Meta(description="How a camera is set and watched.")] = CameraConfig()
    model: Annotated[ModelConfig, Meta(description="Which model answers.")] = ModelConfig()
    quality: Annotated[QualityThresholds, Meta(description="When a frame is unfit to classify.")] = (
        QualityThresholds()
    )
    health: Annotated[HealthConfig, Meta(description="When doctor warns and fails.")] = HealthConfig()
    retention: Annotated[RetentionConfig, Meta(description="What is deleted by itself.")] = RetentionConfig()
    encryption: Annotated[EncryptionConfig, Meta(description="What is encrypted on disk.")] = (
        EncryptionConfig()
    )
    kiosk: Annotated[KioskConfig, Meta(description="The page on the device's own screen.")] = KioskConfig()

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
