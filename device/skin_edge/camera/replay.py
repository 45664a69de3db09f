"""Frames out of files: an image, a folder of images, or a video at its own pace."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from skin_edge.camera.ahead import ReadAhead
from skin_edge.camera.decode import MAX_PIXELS, quiet_opencv
from skin_edge.camera.discover import IMAGE_SUFFIXES, find_images
from skin_edge.camera.header import read_header
from skin_edge.camera.source import EXAMPLES, MAX_FPS, FrameSource, Pace
from skin_edge.errors import CameraError, ImageError, UsageError
from skin_edge.frame import Frame

#: A container's frame count is an estimate from its duration; less than this part of it is a cut-off file.
_COMPLETE_PART: Final = 0.9
_COMPLETE_SLACK_FRAMES: Final = 2


def open_replay(text: str, path_text: str, *, fps: float | None, loop: bool) -> FrameSource:
    """Open what a path stands for: a folder or an image as images, any other file as a video.

    Raises:
        UsageError: no path.
        CameraError: nothing there, or nothing that can be replayed.
    """
    if not path_text:
        raise UsageError(f"source {text!r}: the path is missing; write a source such as {EXAMPLES}")
    try:
        path = Path(path_text).expanduser()
        exists, is_dir, is_file = path.exists(), path.is_dir(), path.is_file()
        if exists and not is_dir and not is_file:
            raise CameraError(f"{path}: a pipe, socket or device cannot be replayed", code="camera-source")
        if not exists:
            raise CameraError(f"{path}: no such file or folder to replay", code="camera-source")
        if is_dir or _is_image(path):
            return ImageReplay(text, find_images(path), fps=fps, loop=loop)
    except CameraError:
        raise
    except ImageError as error:
        raise CameraError(str(error), code="camera-source") from error
    except (OSError, ValueError, RuntimeError) as error:  # a null byte, no home for ~, or no right to look
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CameraError(f"{path_text}: cannot be replayed: {reason}", code="camera-source") from error
    return VideoReplay(text, path, fps=fps, loop=loop)


class ImageReplay(FrameSource):
    """Image files one after the other; as fast as they are asked for where no `fps` is given.

    Args:
        text: the source as the user wrote it.
        paths: the files, at least one.
        fps: frames a second.
        loop: begin again after the last.
    """

    def __init__(self, text: str, paths: list[Path], *, fps: float | None, loop: bool) -> None:
        super().__init__(text)
        self._paths = paths
        self._loop = loop
        self._at = 0
        self._failed_in_a_row = 0
        self._ahead = ReadAhead()
        self._pace = Pace(None if fps is None else 1.0 / fps, self._closed)

    def _next(self) -> Frame | None:
        if self._at == len(self._paths):
            if not self._loop:
                return None
            if self._failed_in_a_row >= len(self._paths):  # else a loop would report them for ever
                raise CameraError(
                    f"{self.text}: none of the {len(self._paths)} images could be read", code="camera-source"
                )
            self._at = 0
        self._pace.wait()
        path = self._paths[self._at]
        self._at += 1
        try:
            pixels = self._ahead.read(path, self._following())
        except ImageError as error:
            self._failed_in_a_row += 1
            error.image = str(path)
            raise
        self._failed_in_a_row = 0
        return Frame(pixels=pixels, name=str(path), source=self.text)

    def _following(self) -> Path | None:
        if self._at < len(self._paths):
            return self._paths[self._at]
        return self._paths[0] if self._loop else None

    def _close(self) -> None:
        self._ahead.close()


class VideoReplay(FrameSource):
    """The frames of a video file, each named `PATH#NUMBER` from 1 on.

    Args:
        text: the source as the user wrote it.
        path: the file.
        fps: frames a second; None for the rate that the file states.
        loop: begin again after the last frame.

    Raises:
        CameraError: not a video that this OpenCV reads, too large a picture, or no stated rate and no `fps`.
    """

    def __init__(self, text: str, path: Path, *, fps: float | None, loop: bool) -> None:
        super().__init__(text)
        self._path = path
        self._loop = loop
        self._number = 0
        self._capture = _open_video(path)
        try:
            self._stated_frames = _property(self._capture, cv2.CAP_PROP_FRAME_COUNT)
            stated_fps = _property(self._capture, cv2.CAP_PROP_FPS)
            if fps is None and not 0 < stated_fps <= MAX_FPS:
                raise CameraError(f"{path}: the video states no frame rate; give --fps", code="camera-source")
            self._pace = Pace(1.0 / (fps or stated_fps), self._closed)
            self._check_size()
        except BaseException:
            self._capture.release()
            raise

    def _check_size(self) -> None:
        width = _property(self._capture, cv2.CAP_PROP_FRAME_WIDTH)
        height = _property(self._capture, cv2.CAP_PROP_FRAME_HEIGHT)
        if width * height > MAX_PIXELS:
            raise CameraError(
                f"{self._path}: {width:.0f}x{height:.0f} pixels a frame are more than the "
                f"{MAX_PIXELS / 1e6:.0f} million that are read",
                code="camera-source",
            )

    def _next(self) -> Frame | None:
        self._pace.wait()
        bgr = self._grab()
        if bgr is None and self._ended_well() and self._loop:
            self._capture.release()
            self._capture = _open_video(self._path)  # seeking is unreliable in files without an index
            self._number = 0
            bgr = self._grab()
        if bgr is None:
            if not self._ended_well():
                self._fail()
            return None
        self._number += 1
        name = f"{self._path}#{self._number}"
        if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8:
            raise CameraError(
                f"{name}: expected 8-bit colour, got {bgr.shape} of {bgr.dtype}", code="camera-frame"
            )
        rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr), np.uint8)
        return Frame(pixels=rgb, name=name, source=self.text)

    def _grab(self) -> cv2.typing.MatLike | None:
        try:
            read, bgr = self._capture.read()
        except cv2.error:
            return None
        return bgr if read and bgr is not None and bgr.size else None

    def _ended_well(self) -> bool:
        if self._number == 0:
            return False
        return self._number >= self._stated_frames * _COMPLETE_PART - _COMPLETE_SLACK_FRAMES

    def _fail(self) -> None:
        if self._number == 0:
            raise CameraError(f"{self._path}: the video has no frame that can be read", code="camera-source")
        raise CameraError(
            f"{self._path}: the video ends after frame {self._number} of about {self._stated_frames:.0f}: "
            "it is cut short or damaged",
            code="camera-truncated",
        )

    def _close(self) -> None:
        self._capture.release()


def _is_image(path: Path) -> bool:
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    with path.open("rb") as stream:
        return read_header(stream.read(4096)) is not None


def _open_video(path: Path) -> cv2.VideoCapture:
    quiet_opencv()
    # Absolute: FFmpeg takes a leading `word:` for a protocol. By name: the image back end would take the
    # digits in a name for a series of images.
    try:
        capture = cv2.VideoCapture(str(path.absolute()), _video_backend())
    except cv2.error:
        capture = cv2.VideoCapture()
    if not capture.isOpened():
        capture.release()
        raise CameraError(
            f"{path}: neither an image nor a video that this OpenCV reads; it may be damaged",
            code="camera-source",
        )
    return capture


def _video_backend() -> int:
    return cv2.CAP_FFMPEG if cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG) else cv2.CAP_ANY


def _property(capture: cv2.VideoCapture, which: int) -> float:
    value = float(capture.get(which))
    return value if math.isfinite(value) and value > 0 else 0.0
