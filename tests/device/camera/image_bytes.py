"""Image files made byte by byte, where OpenCV has no way to write them."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]

#: What EXIF orientation 1 to 8 means for the stored picture `a`: the upright one.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


def quarters() -> Rgb:
    """A 64x96 picture with four differently coloured quarters, flat so that JPEG keeps them."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48] = (200, 20, 20)
    picture[:32, 48:] = (20, 200, 20)
    picture[32:, :48] = (20, 20, 200)
    picture[32:, 48:] = (220, 220, 220)
    return picture


def textured(height: int = 120, width: int = 160) -> Rgb:
    """A picture with detail everywhere, so that a file of it is long."""
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


def encoded(suffix: str, rgb: npt.NDArray[np.generic]) -> bytes:
    pixels = np.ascontiguousarray(rgb[:, :, ::-1] if rgb.ndim == 3 and rgb.shape[2] == 3 else rgb)
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return data.tobytes()


def exif(orientation: int, order: str = "<") -> bytes:
    """A TIFF block with the one tag."""
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(f"{order}HIHHHIHHI", 42, 8, 1, 0x112, 3, 1, orientation, 0, 0)


def jpeg_with_orientation(rgb: Rgb, orientation: int, order: str = "<") -> bytes:
    plain = encoded(".jpg", rgb)
    block = b"Exif\0\0" + exif(orientation, order)
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:]


def png_with_orientation(rgb: Rgb, orientation: int, order: str = "<") -> bytes:
    plain = encoded(".png", rgb)
    return plain[:33] + png_chunk(b"eXIf", exif(orientation, order)) + plain[33:]


def webp_with_orientation(rgb: Rgb, orientation: int, order: str = "<") -> bytes:
    plain, block = encoded(".webp", rgb), exif(orientation, order)
    height, width = rgb.shape[:2]
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    extended = b"VP8X" + struct.pack("<IB3x", 10, 8) + size
    tail = b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
    body = b"WEBP" + extended + plain[12:] + tail
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_with_orientation(rgb: Rgb, orientation: int, order: str = "<") -> bytes:
    height, width = rgb.shape[:2]
    longs = {256: width, 257: height, 273: 256, 278: height, 279: rgb.size}
    shorts = {258: 8, 259: 1, 262: 2, 274: orientation, 277: 3}
    entries = [(tag, 4, struct.pack(order + "I", value)) for tag, value in longs.items()]
    entries += [(tag, 3, struct.pack(order + "HH", value, 0)) for tag, value in shorts.items()]
    directory = b"".join(struct.pack(order + "HHI", tag, kind, 1) + v for tag, kind, v in sorted(entries))
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "HIH", 42, 8, len(entries)) + directory + bytes(4)
    return head.ljust(256, b"\0") + rgb.tobytes()


WITH_ORIENTATION = {
    "jpg": jpeg_with_orientation,
    "png": png_with_orientation,
    "webp": webp_with_orientation,
    "tif": tiff_with_orientation,
}


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_claiming(width: int, height: int) -> bytes:
    """A whole PNG of a few bytes that claims any size."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")


def claims(width: int, height: int) -> dict[str, bytes]:
    """The beginnings of files of many formats that claim a size."""
    be, le = struct.pack(">II", width, height), struct.pack("<II", width, height)
    box = struct.pack(">II", height, width)
    siz = b"\xff\x4f\xff\x51\0\x2f\0\0" + be + bytes(8)
    tiff_tags = struct.pack("<HHIIHHIII", 256, 4, 1, width, 257, 4, 1, height, 0)
    return {
        "png": png_claiming(width, height),
        "jpg": b"\xff\xd8\xff\xe0\0\x04\0\0\xff\xc0\0\x11\x08"
        + struct.pack(">HH", height, width)
        + b"\x03\x01\x11\0\x02\x11\0\x03\x11\0\xff\xda\0\x02\xff\xd9",
        "bmp": b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0" + le + b"\1\0\x18\0" + bytes(24),
        "webp": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0"
        + struct.pack("<I", width - 1)[:3]
        + struct.pack("<I", height - 1)[:3],
        "tif": b"II*\0\x08\0\0\0\x02\0" + tiff_tags,
        "gif": b"GIF89a" + struct.pack("<HH", width, height) + bytes(8),
        "ppm": b"P6\n# a comment\n%d %d\n255\n" % (width, height),
        "pam": b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 3\nMAXVAL 255\nENDHDR\n" % (width, height),
        "pfm": b"PF\n%d %d\n-1.0\n" % (width, height),
        "j2k": siz,
        "jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(8) + b"ihdr" + box + siz,
        "avif": b"\0\0\0\x20ftypavif" + bytes(20) + b"ispe\0\0\0\0" + be,
        "ras": b"\x59\xa6\x6a\x95" + be + bytes(20),
        "hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (height, width),
    }
