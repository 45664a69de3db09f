"""A bundle to a folder of ours on the host: by SFTP, resumed where an earlier upload was cut.

    UPLOADS/SHA256.part                     grows; named after what it will be, so it can be gone on with
    UPLOADS/RANDOM.skinmodel                whole; the name is this run's own

Two runs that push the same bundle at once write the same bytes to the same places of one `.part`; the one
that is first takes it away under a name of its own, and the other starts again.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from typing import Final

import asyncssh

from skin_edge_deploy.device import BROKEN, Device, lost
from skin_edge_deploy.errors import HostError
from skin_edge_deploy.facts import Facts
from skin_edge_deploy.outcome import Track
from skin_edge_deploy.package import Package
from skin_edge_deploy.plan import UPLOAD_DIGITS
from skin_edge_deploy.ssh.patience import within

_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A bundle that lies on the host, whole.

    Attributes:
        path: where.
        sent_bytes: now.
        resumed_bytes: that were there.
    """

    path: str
    sent_bytes: int
    resumed_bytes: int


async def upload(
    device: Device, facts: Facts, package: Package, track: Track, *, afresh: bool = False
) -> Uploaded:
    """Bring a bundle to a host, and say where it lies.

    Args:
        device: the host.
        facts: of it.
        package: the bundle.
        track: is told how far it is.
        afresh: begin at the first byte, whatever is there.

    Raises:
        HostError: it did not arrive whole; what did arrive stays, for the next time.
    """
    track.step, track.total_bytes = "uploading", len(package.data)
    return await within(
        device.limits.stall_timeout_s,
        f"{device.name}: uploading",
        _upload(device, facts, package, track, afresh),
        cut=device.ssh.abort,
        moved=lambda: (track.step, track.sent_bytes),
    )


async def _upload(device: Device, facts: Facts, package: Package, track: Track, afresh: bool) -> Uploaded:
    part = f"{facts.uploads}/{package.upload_name}.part"
    sent = resumed = 0
    try:
        async with device.ssh.start_sftp_client() as sftp:
            await _prepare(device, sftp, facts)
            for _ in range(_TRIES):
                there = 0 if afresh else await _size(sftp, part)
                resumed = start = there if there <= len(package.data) else 0
                sent += await _write(device.limits.slice_bytes, sftp, part, package.data, start, track)
                path = f"{facts.uploads}/{os.urandom(UPLOAD_DIGITS // 2).hex()}.skinmodel"
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
        raise HostError(f"{device.name}: uploading to {facts.uploads}: {error}", code="upload") from None
    except BROKEN as error:
        raise lost(
            device.name, f"uploading, {track.sent_bytes} of {track.total_bytes} bytes", error
        ) from None
    raise HostError(
        f"{device.name}: {_TRIES} times another run took away what was uploaded to {facts.uploads}",
        code="upload",
    )


async def _prepare(device: Device, sftp: asyncssh.SFTPClient, facts: Facts) -> None:
    """Make the folder, see that it is ours alone to write, and delete what was left long ago."""
    await sftp.makedirs(facts.uploads, exist_ok=True)
    found = await sftp.lstat(facts.uploads)
    mode = found.permissions or 0
    # Below /var/tmp anybody can make a folder of that name before us, or a link to another one.
    if found.type != asyncssh.FILEXFER_TYPE_DIRECTORY or found.uid != facts.uid or stat.S_ISLNK(mode):
        raise HostError(
            f"{device.name}: {facts.uploads} is not a folder of {facts.user}; remove it", code="upload"
        )
    shared = facts.sudo in ("owner", "root")
    await sftp.chmod(facts.uploads, 0o711 if shared else 0o700)
    long_ago = time.time() - device.limits.stale_upload_s
    for name in await sftp.readdir(facts.uploads):
        file = str(name.filename)
        if file.endswith((".part", ".skinmodel")) and (name.attrs.mtime or long_ago) < long_ago:
            await sftp.remove(f"{facts.uploads}/{file}")


async def _size(sftp: asyncssh.SFTPClient, path: str) -> int:
    try:
        return (await sftp.lstat(path)).size or 0
    except asyncssh.SFTPNoSuchFile:
        return 0


async def _write(
    slice_bytes: int, sftp: asyncssh.SFTPClient, path: str, data: bytes, start: int, track: Track
) -> int:
    """Write `data` from byte `start` on, and return how many bytes that were."""
    flags = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | (asyncssh.FXF_TRUNC if start == 0 else 0)
    # Bundles are no secret, and another account is to read this one.
    attrs = asyncssh.SFTPAttrs(permissions=0o644)
    track.sent_bytes = start
    async with sftp.open(path, flags, attrs, encoding=None) as file:
        for at in range(start, len(data), slice_bytes):
            piece = data[at : at + slice_bytes]
            await file.write(piece, at)
            track.sent_bytes = at + len(piece)
    return len(data) - start
