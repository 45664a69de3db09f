"""The settings that the page may change: a file of its own in the state folder, laid over the other."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from skin_edge.config import Config
from skin_edge.durable import make_directory, replacing
from skin_edge.errors import UsageError
from skin_edge.results.faults import storage_faults
from skin_edge.strict import SchemaError, Strict, convert

log = logging.getLogger(__name__)

FILE_NAME: Final = "kiosk-settings.json"
_MAX_BYTES: Final = 65_536

_Days = Annotated[float, Meta(gt=0.0, le=36_500.0)]


class KioskSettings(Strict, frozen=True, omit_defaults=True):
    """What the page may change; what is not set is as the settings file has it."""

    operating_point: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType | None = UNSET
    burst: Annotated[int, Meta(ge=1, le=50)] | UnsetType | None = UNSET
    save_images: bool | UnsetType = UNSET
    retention_days: _Days | UnsetType | None = UNSET
    image_retention_days: _Days | UnsetType | None = UNSET
    language: Literal["en", "es", "bn", "ar"] | UnsetType | None = UNSET
    preview_fps: Annotated[float, Meta(ge=0.5, le=30.0)] | UnsetType = UNSET


#: Where each is in the settings.
PLACES: Final = {
    "operating_point": ("model", "operating_point"),
    "burst": ("capture", "burst"),
    "save_images": ("state", "save_images"),
    "retention_days": ("retention", "max_result_age_days"),
    "image_retention_days": ("retention", "max_image_age_days"),
    "language": ("kiosk", "language"),
    "preview_fps": ("kiosk", "preview_fps"),
}


class Overlay:
    """The page's settings of a state directory.

    A file that cannot be used is left as it is and told: a kiosk without it is better than none.

    Args:
        state_dir: the directory that holds the file.
        base: the settings file's.
    """

    def __init__(self, state_dir: Path, base: Config) -> None:
        self._path = state_dir / FILE_NAME
        self._base = base
        self.problem: str | None = None
        self._chosen = self._read()

    @property
    def settings(self) -> Config:
        """The settings in force: the file's, with the page's laid over."""
        return _laid_over(self._base, self._chosen)

    def values(self) -> dict[str, Any]:
        """Return each setting that the page may change, as it is in force."""
        settings = self.settings
        return {name: getattr(getattr(settings, section), key) for name, (section, key) in PLACES.items()}

    def change(self, data: object, operating_points: tuple[str, ...]) -> Config:
        """Lay further settings over and make them durable; return what is in force now.

        Args:
            data: names and values; what is not named stays.
            operating_points: those of the model.

        Raises:
            UsageError: an unknown setting, or a value that makes no sense; nothing was changed.
            StorageError: they could not be made durable; nothing was changed.
        """
        try:
            asked = convert(data, KioskSettings)
        except SchemaError as error:
            raise UsageError(str(error), code="settings") from None
        if isinstance(asked.operating_point, str) and asked.operating_point not in operating_points:
            raise UsageError(
                f"operating_point: the model has no {asked.operating_point!r}; "
                f"it has {', '.join(operating_points)}",
                code="settings",
            )
        chosen = msgspec.structs.replace(self._chosen, **_set_in(asked))
        with storage_faults(self._path, "write the settings"):
            make_directory(self._path.parent)
            with replacing(self._path) as stream:
                stream.write(msgspec.json.format(msgspec.json.encode(chosen)))
        self._chosen, self.problem = chosen, None
        return self.settings

    def _read(self) -> KioskSettings:
        try:
            with self._path.open("rb") as stream:
                content = stream.read(_MAX_BYTES)
            return convert(msgspec.json.decode(content), KioskSettings)
        except FileNotFoundError:
            return KioskSettings()
        except OSError as error:
            self.problem = f"{self._path}: cannot be read: {error.strerror}"
        except (SchemaError, msgspec.DecodeError) as error:
            self.problem = f"{self._path}: {error}"
        log.error("%s; the settings of the settings file are in force", self.problem)
        return KioskSettings()


def schema(operating_points: tuple[str, ...], default_point: str) -> list[dict[str, Any]]:
    """Return what the page needs to draw a form, one object a setting, in the order of the form.

    Each has a `name`, a `type` (``choice``, ``number``, ``integer`` or ``boolean``), `null` where it may be
    left to the default, `min` and `max` or `choices`, and `restart` where it takes effect after a restart.
    """
    return [
        {"name": "operating_point", "type": "choice", "choices": list(operating_points), "null": True,
         "default": default_point, "restart": False},
        {"name": "burst", "type": "integer", "min": 1, "max": 50, "null": True, "restart": False},
        {"name": "save_images", "type": "boolean", "null": False, "restart": False},
        {"name": "retention_days", "type": "number", "min": 1, "max": 36_500, "null": True, "restart": False},
        {"name": "image_retention_days", "type": "number", "min": 1, "max": 36_500, "null": True,
         "restart": False},
        {"name": "language", "type": "choice", "choices": ["en", "es", "bn", "ar"], "null": True,
         "restart": False},
        {"name": "preview_fps", "type": "number", "min": 0.5, "max": 30, "null": False, "restart": False},
    ]  # fmt: skip


def _set_in(chosen: KioskSettings) -> dict[str, Any]:
    found = {name: getattr(chosen, name) for name in PLACES}
    return {name: value for name, value in found.items() if value is not UNSET}


def _laid_over(base: Config, chosen: KioskSettings) -> Config:
    for name, value in _set_in(chosen).items():
        section, key = PLACES[name]
        changed = msgspec.structs.replace(getattr(base, section), **{key: value})
        base = msgspec.structs.replace(base, **{section: changed})
    return base
