"""What the bytes of an image file say before anything is decoded: format, size, orientation, is it all there.

A decoder allocates what the header claims, fills what is missing with grey, and prints about it: so the claim
is checked first. Only what that needs is parsed; whether the picture is sound is the decoder's to say.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_J2K: Final = b"\xff\x4f\xff\x51"
_NETPBM: Final = re.compile(rb"P[1-6Ff](?:\s+|#[^\n]*\n)+(\d{1,9})(?:\s+|#[^\n]*\n)+(\d{1,9})\s")
_PAM: Final = re.compile(rb"^(WIDTH|HEIGHT)\s+(\d{1,9})\s", re.MULTILINE)
_RADIANCE: Final = re.compile(rb"\n-Y (\d{1,9}) \+X (\d{1,9})\s")
JPEG_2000: Final = "JPEG 2000"
_ORIENTATION_TAG: Final = 0x0112

#: JPEG markers that start a frame and so give its size: SOF0-15 without DHT, JPG and DAC.
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file claims to be.

    Attributes:
        kind: name of the format.
        width: pixels as stored, before any rotation; 0 where the file ends before it says.
        height: as `width`.
        whole: False where the file ends too early or a part of it fails its checksum.
        orientation: EXIF 1 to 8, where the decoder has to be told (WebP); else 1.
    """

    kind: str
    width: int = 0
    height: int = 0
    whole: bool = True
    orientation: int = 1


def read_header(data: bytes) -> Header | None:
    """Return what the file in `data` claims to be; None where the format is not one of those known here."""
    for kind, signature, parse in _FORMATS:
        if signature.match(data):
            try:
                return parse(data)
            except (struct.error, IndexError):
                return _headless(kind)
    return None


def _jpeg(data: bytes) -> Header:
    width = height = 0
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return Header("JPEG", width, height, whole=False)
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker == 0xDA:  # from the scan on, FF D9 can only be the end marker: FF is escaped in the data
            return Header("JPEG", width, height, whole=data.find(b"\xff\xd9", at) >= 0)
        elif marker == 0xD9:
            return Header("JPEG", width, height, whole=False)
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            if marker in _START_OF_FRAME:
                height, width = struct.unpack_from(">HH", data, at + 5)
            at += 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    at = len(_PNG)
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        critical = not name[0] & 0x20
        # Checked here because libpng reports a bad sum on the terminal.
        if critical and zlib.crc32(memoryview(data)[at + 4 : end - 4]) != int.from_bytes(
            data[end - 4 : end], "big"
        ):
            break
        if name == b"IEND":
            return Header("PNG", width, height)
        at = end
    return Header("PNG", width, height, whole=False)


def _gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("GIF", width, height)


def _bmp(data: bytes) -> Header:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)  # a negative height: top row first
    return Header("BMP", abs(width), abs(height))


def _webp(data: bytes) -> Header:
    whole = len(data) >= 8 + struct.unpack_from("<I", data, 4)[0]
    chunk = data[12:16]
    if chunk == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif chunk == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (v & 0x3FFF for v in struct.unpack_from("<HH", data, 26))
    return Header("WebP", width, height, whole, _webp_orientation(data) if chunk == b"VP8X" else 1)


def _webp_orientation(data: bytes) -> int:
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        if name == b"EXIF":
            exif = data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
            value = _tiff_tags(exif, {_ORIENTATION_TAG}).get(_ORIENTATION_TAG, 1)
            return value if 1 <= value <= 8 else 1
        at += 8 + length + length % 2
    return 1


def _tiff(data: bytes) -> Header:
    tags = _tiff_tags(data, {256, 257})
    return Header("TIFF", tags.get(256, 0), tags.get(257, 0))


def _tiff_tags(data: bytes, wanted: set[int]) -> dict[int, int]:
    """Return the integers of the wanted tags in the first directory; what lies outside `data` is left out."""
    order = "<" if data[:2] == b"II" else ">"
    found: dict[int, int] = {}
    try:
        big = struct.unpack_from(order + "H", data, 2)[0] == 43
        start = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
        count = struct.unpack_from(order + ("Q" if big else "H"), data, start)[0]
        entry, first = (20, start + 8) if big else (12, start + 2)
        for at in range(first, first + entry * min(count, 4096), entry):
            tag, kind = struct.unpack_from(order + "HH", data, at)
            if tag in wanted and kind in (3, 4):
                value = struct.unpack_from(order + "xHI"[kind - 2], data, at + (12 if big else 8))[0]
                found[tag] = int(value)
    except struct.error:
        return found
    return found


def _netpbm(data: bytes) -> Header:
    match = _NETPBM.match(data)
    return Header("Netpbm", int(match[1]), int(match[2])) if match else _headless("Netpbm")


def _pam(data: bytes) -> Header:
    size = {name: int(value) for name, value in _PAM.findall(data[:4096])}
    return Header("PAM", size.get(b"WIDTH", 0), size.get(b"HEIGHT", 0))


def _jpeg_2000(data: bytes) -> Header:
    at = data.index(_J2K) if _J2K in data else len(data)  # the codestream decides, whatever the boxes say
    right, bottom, left, top = struct.unpack_from(">IIII", data, at + 8)
    return Header(JPEG_2000, max(0, right - left), max(0, bottom - top))


def _avif(data: bytes) -> Header:
    sizes = [struct.unpack_from(">II", data, m.end() + 4) for m in re.finditer(b"ispe", data[:65536])]
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return Header("AVIF", width, height)


def _sun_raster(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 4)
    return Header("Sun raster", width, height)


def _radiance_hdr(data: bytes) -> Header:
    match = _RADIANCE.search(data[:8192])
    return Header("Radiance HDR", int(match[2]), int(match[1])) if match else _headless("Radiance HDR")


def _headless(kind: str) -> Header:
    return Header(kind, whole=False)


_FORMATS: Final[tuple[tuple[str, re.Pattern[bytes], Callable[[bytes], Header]], ...]] = tuple(
    (kind, re.compile(signature, re.DOTALL), parse)
    for kind, signature, parse in (
        ("JPEG", rb"\xff\xd8\xff", _jpeg),
        ("PNG", re.escape(_PNG), _png),
        ("GIF", rb"GIF8[79]a", _gif),
        ("BMP", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", _bmp),
        ("WebP", rb"RIFF.{4}WEBP", _webp),
        ("TIFF", rb"II[*+]\0|MM\0[*+]", _tiff),
        ("Netpbm", rb"P[1-6Ff]\s", _netpbm),
        ("PAM", rb"P7\s", _pam),
        (JPEG_2000, rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", _jpeg_2000),
        ("AVIF", rb".{4}ftypavi[fs]", _avif),
        ("Sun raster", rb"\x59\xa6\x6a\x95", _sun_raster),
        ("Radiance HDR", rb"#\?RADIANCE|#\?RGBE", _radiance_hdr),
    )
)
