"""What a V4L2 device says of itself, asked of the kernel before OpenCV, which only says that it failed.

The structure and numbers are those of linux/videodev2.h.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from skin_edge.errors import CameraError

_VIDIOC_QUERYCAP: Final = 0x80685600
#: driver[16], card[32], bus_info[32], version, capabilities, device_caps, reserved[3]
_CAPABILITY: Final = struct.Struct("=16s32s32sIII12x")

_CAP_VIDEO_CAPTURE: Final = 0x00000001
_CAP_STREAMING: Final = 0x04000000
_CAP_DEVICE_CAPS: Final = 0x80000000

#: Nodes of a Raspberry Pi's own codec, image processor and raw sensor: they capture, but are no camera.
_NO_CAMERAS: Final = frozenset(
    {"bcm2835-codec", "bcm2835-isp", "unicam", "rp1-cfe", "pispbe", "rpivid", "rpi-hevc-dec"}
)

DEVICES: Final = Path("/dev")


@dataclass(frozen=True, slots=True)
class V4l2Device:
    """A capture device.

    Attributes:
        path: for example `/dev/video0`.
        driver: of the kernel, for example `uvcvideo`.
        card: what it calls itself.
        bus: where it is connected.
    """

    path: Path
    driver: str
    card: str
    bus: str


def query_device(path: Path) -> V4l2Device:
    """Ask a device what it is.

    Raises:
        CameraError: `camera-missing`, nothing there; `camera-permission`, it may not be opened;
            `camera-not-capture`, no camera; `camera-error`, the kernel could not open it.
    """
    try:
        # Nothing but a character device is opened: a pipe of that name would be waited for.
        if not stat.S_ISCHR(path.stat().st_mode):
            raise CameraError(f"{path} is no device but a file or folder", code="camera-not-capture")
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if isinstance(error, CameraError):
            raise
        raise _cannot_open(path, error) from error
    except ValueError as error:  # a null byte in the name
        raise CameraError(f"{str(path)!r}: {error}", code="camera-missing") from error
    try:
        answer = fcntl.ioctl(descriptor, _VIDIOC_QUERYCAP, bytes(_CAPABILITY.size))
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EINVAL, errno.ENOSYS):
            raise CameraError(
                f"{path} is no video device; {_others(path)}", code="camera-not-capture"
            ) from error
        raise _cannot_open(path, error) from error
    finally:
        os.close(descriptor)
    driver, card, bus, _, everything, own = _CAPABILITY.unpack(answer)
    can = own if everything & _CAP_DEVICE_CAPS else everything
    device = V4l2Device(path, _text(driver), _text(card), _text(bus))
    if not (can & _CAP_VIDEO_CAPTURE and can & _CAP_STREAMING):
        raise CameraError(
            f"{path} ({device.card}) gives no pictures; many cameras have two devices, and {_others(path)}",
            code="camera-not-capture",
        )
    return device


def find_cameras() -> list[V4l2Device]:
    """Return the devices that are cameras and may be opened, in the order of their numbers."""
    found = []
    for path in device_paths():
        try:
            device = query_device(path)
        except CameraError:
            continue
        if device.driver not in _NO_CAMERAS:
            found.append(device)
    return found


def device_paths() -> list[Path]:
    """Return /dev/video0, /dev/video1 and so on, those that exist."""
    numbers = [int(p.name[5:]) for p in DEVICES.glob("video*") if re.fullmatch(r"video[0-9]+", p.name)]
    return [DEVICES / f"video{n}" for n in sorted(numbers)]


def _cannot_open(path: Path, error: OSError) -> CameraError:
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return CameraError(
            f"no such device {path}: is the camera connected? {_others(path)}; without a camera, try demo",
            code="camera-missing",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return CameraError(
            f"{path} may not be opened: add the user to its group with `sudo usermod -aG video $USER`, "
            "and log in again",
            code="camera-permission",
        )
    return CameraError(f"{path} cannot be opened: {error.strerror}", code="camera-error")


def _others(path: Path) -> str:
    names = [str(p) for p in device_paths() if p != path]
    return f"there is {', '.join(names)}" if names else "no other /dev/video* exists"


def _text(raw: bytes) -> str:
    text = raw.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
    return "".join(c for c in text if c.isprintable())
