"""A file to a folder of ours on the host: by SFTP, resumed where an earlier upload was cut.

    FOLDER/SHA256.part                      grows; named after what it will be, so it can be gone on with
    FOLDER/RANDOM.skinmodel                 whole; the name is this run's own; .skinrelease for a release

Two runs that push the same file at once write the same bytes to the same places of one `.part`; the one
that is first takes it away under a name of its own, and the other starts again.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from typing import BinaryIO, Final

import asyncssh

from skin_edge_deploy.cargo import Cargo
from skin_edge_deploy.device import BROKEN, Device, lost
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.outcome import Track
from skin_edge_deploy.plan import UPLOAD_DIGITS
from skin_edge_deploy.ssh.patience import within

_TRIES: Final = 3
_OURS: Final = (".part", ".skinmodel", ".skinrelease")


@dataclass(frozen=True, slots=True)
class Folder:
    """Where uploads go on a host.

    Attributes:
        path: of it.
        user, uid: whose it is: the login.
        shared: whether another account reads there.
    """

    path: str
    user: str
    uid: int
    shared: bool


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that lies on the host, whole.

    Attributes:
        path: where.
        sent_bytes: now.
        resumed_bytes: that were there.
    """

    path: str
    sent_bytes: int
    resumed_bytes: int


async def upload(
    device: Device, folder: Folder, cargo: Cargo, track: Track, *, afresh: bool = False
) -> Uploaded:
    """Bring a file to a host, and say where it lies.

    Args:
        device: the host.
        folder: there.
        cargo: the file.
        track: is told how far it is.
        afresh: begin at the first byte, whatever is there.

    Raises:
        HostError: it did not arrive whole; what did arrive stays, for the next time.
    """
    track.step = "uploading"
    track.begin(0, cargo.size_bytes)
    done = await within(
        device.limits.stall_timeout_s,
        f"{device.name}: uploading",
        _upload(device, folder, cargo, track, afresh),
        cut=device.ssh.abort,
        moved=lambda: (track.step, track.sent_bytes),
    )
    track.uploaded()
    return done


async def place(device: Device, folder: Folder, data: bytes, suffix: str) -> str:
    """Write a few bytes to a new file in the folder, and return its path.

    Raises:
        HostError: it did not arrive.
    """
    path = f"{folder.path}/{os.urandom(UPLOAD_DIGITS // 2).hex()}{suffix}"
    return await within(
        device.limits.stall_timeout_s,
        f"{device.name}: uploading",
        _place(device, folder, data, path),
        cut=device.ssh.abort,
    )


async def _place(device: Device, folder: Folder, data: bytes, path: str) -> str:
    try:
        async with device.ssh.start_sftp_client() as sftp:
            await _prepare(device, sftp, folder)
            flags = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
            async with sftp.open(path, flags, asyncssh.SFTPAttrs(permissions=0o600), encoding=None) as file:
                await file.write(data, 0)
    except asyncssh.SFTPError as error:
        raise HostError(f"{device.name}: uploading to {folder.path}: {error}", code="upload") from None
    except BROKEN as error:
        raise lost(device.name, "uploading", error) from None
    return path


async def _upload(device: Device, folder: Folder, cargo: Cargo, track: Track, afresh: bool) -> Uploaded:
    part = f"{folder.path}/{cargo.upload_name}"
    sent = resumed = 0
    try:
        async with device.ssh.start_sftp_client() as sftp:
            await _prepare(device, sftp, folder)
            for _ in range(_TRIES):
                there = 0 if afresh else await _size(sftp, part)
                resumed = start = there if there <= cargo.size_bytes else 0
                sent += await _write(device.limits.slice_bytes, sftp, part, cargo, start, track)
                path = f"{folder.path}/{os.urandom(UPLOAD_DIGITS // 2).hex()}{cargo.suffix}"
                try:
                    await sftp.rename(part, path)
                except asyncssh.SFTPNoSuchFile:
                    continue  # another run was first
                return Uploaded(path, sent, resumed)
    except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
        raise lost(
            device.name, f"uploading, {track.sent_bytes} of {track.total_bytes} bytes", error
        ) from None
    except asyncssh.SFTPError as error:
        raise HostError(f"{device.name}: uploading to {folder.path}: {error}", code="upload") from None
    except BROKEN as error:
        raise lost(
            device.name, f"uploading, {track.sent_bytes} of {track.total_bytes} bytes", error
        ) from None
    raise HostError(
        f"{device.name}: {_TRIES} times another run took away what was uploaded to {folder.path}",
        code="upload",
    )


async def _prepare(device: Device, sftp: asyncssh.SFTPClient, folder: Folder) -> None:
    """Make the folder, see that it is ours alone to write, and delete what was left long ago."""
    try:
        found = await sftp.lstat(folder.path)
    except asyncssh.SFTPNoSuchFile:
        # Only then: it asks for each folder on the way, and each question goes there and back.
        await sftp.makedirs(folder.path, exist_ok=True)
        found = await sftp.lstat(folder.path)
    mode = found.permissions or 0
    # Below /var/tmp anybody can make a folder of that name before us, or a link to another one.
    if found.type != asyncssh.FILEXFER_TYPE_DIRECTORY or found.uid != folder.uid or stat.S_ISLNK(mode):
        raise HostError(
            f"{device.name}: {folder.path} is not a folder of {folder.user}; remove it", code="upload"
        )
    wanted = 0o711 if folder.shared else 0o700
    if stat.S_IMODE(mode) != wanted:
        await sftp.chmod(folder.path, wanted)
    long_ago = time.time() - device.limits.stale_upload_s
    for name in await sftp.readdir(folder.path):
        file = str(name.filename)
        if file.endswith(_OURS) and (name.attrs.mtime or long_ago) < long_ago:
            await sftp.remove(f"{folder.path}/{file}")


async def _size(sftp: asyncssh.SFTPClient, path: str) -> int:
    try:
        return (await sftp.lstat(path)).size or 0
    except asyncssh.SFTPNoSuchFile:
        return 0


async def _write(
    slice_bytes: int, sftp: asyncssh.SFTPClient, path: str, cargo: Cargo, start: int, track: Track
) -> int:
    """Write the file from byte `start` on, and return how many bytes that were."""
    flags = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | (asyncssh.FXF_TRUNC if start == 0 else 0)
    # Neither bundles nor releases are a secret, and another account is to read them.
    attrs = asyncssh.SFTPAttrs(permissions=0o644)
    track.begin(start, cargo.size_bytes)
    at = start
    with _opened(cargo, start) as source:
        async with sftp.open(path, flags, attrs, encoding=None) as file:
            while piece := source.read(slice_bytes):
                await file.write(piece, at)
                at += len(piece)
                track.sent(at)
    return at - start


def _opened(cargo: Cargo, start: int) -> BinaryIO:
    try:
        source = cargo.path.open("rb")
    except OSError as error:
        raise HostError(
            f"{cargo.path}: cannot be read here any more: {error.strerror}", code="upload"
        ) from None
    source.seek(start)
    return source
