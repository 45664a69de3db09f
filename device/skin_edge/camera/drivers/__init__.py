"""The camera drivers, one file each, imported by the capture process alone and only when one is used."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from skin_edge.camera.driver import Driver, DriverSettings

#: Kind of source -> module and class of its driver.
DRIVERS: Final = {
    "auto": ("auto", "AutoDriver"),
    "picamera2": ("picamera2_csi", "Picamera2Driver"),
    "v4l2": ("v4l2", "V4l2Driver"),
    "gst": ("gst", "GstDriver"),
    "fault": ("fault", "FaultDriver"),
}


def make_driver(kind: str, rest: str, settings: DriverSettings) -> Driver:
    """Return the driver of a kind; nothing is opened yet.

    Args:
        kind: a key of `DRIVERS`.
        rest: of the source's text, after the kind.
        settings: for the driver.
    """
    module, name = DRIVERS[kind]
    driver: Driver = getattr(import_module(f"skin_edge.camera.drivers.{module}"), name)(rest, settings)
    return driver
