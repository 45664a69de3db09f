"""Who may read the results, and may this user reach the camera and the pins."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from skin_edge.health.checks.check import Context, Finding
from skin_edge.results.log import FILE_NAME

#: Device files by the kind of source, and the group that Raspberry Pi OS, Debian and JetPack give them to.
_NODES = {
    "auto": (("dev/video*", "dev/media*"), "video"),
    "v4l2": (("dev/video{rest}",), "video"),
    "picamera2": (("dev/media*", "dev/dma_heap/*"), "video"),
    "gst": (("dev/video*", "dev/nvhost-*"), "video"),
    "gpio": (("dev/gpiochip*",), "gpio"),
}


def check_permissions(context: Context) -> Finding:
    """Results are about people: the state folder is for its owner, the log and pictures for nobody else."""
    folder = context.state_dir
    try:
        folder.stat()
    except FileNotFoundError:
        return Finding(status="skip", message=f"{folder} is made with the first result, for its owner only")
    except PermissionError:
        return Finding(
            status="fail",
            message=f"user {_me()} may not reach {folder}",
            fix="run skin-edge as the user whose folder it is, or choose another state folder",
        )
    data: dict[str, object] = {"folder": str(folder), "mode": _octal(folder)}
    if not folder.is_dir():
        return Finding(
            status="fail",
            message=f"{folder} is not a folder",
            fix="move that file, or choose another state folder",
            data=data,
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            status="fail",
            message=f"{folder} belongs to {_owner(folder)} and user {_me()} may not use it",
            fix=f"run skin-edge as {_owner(folder)}, or give the folder to {_me()} (chown -R)",
            data=data,
        )
    private = [path for path in (*_log_files(folder), folder / "images") if path.exists()]
    data["files"] = {path.name: _octal(path) for path in private}
    unreadable = [path for path in private if not os.access(path, os.R_OK | os.W_OK)]
    if unreadable:
        return Finding(
            status="fail",
            message=f"{unreadable[0]} belongs to {_owner(unreadable[0])} and user {_me()} may not write it",
            fix=f"chown -R {_me()} {folder}",
            data=data,
        )
    is_open = [path for path in private if path.stat().st_mode & 0o077]
    if is_open and folder.stat().st_mode & 0o077:
        return Finding(
            status="fail",
            message=f"{is_open[0]} ({_octal(is_open[0])}) can be reached by other users of this machine",
            fix=f"chmod -R go= {folder}",
            data=data,
        )
    if is_open or folder.stat().st_mode & 0o077:
        path = (is_open or [folder])[0]
        return Finding(
            status="warn",
            message=f"{path} has mode {_octal(path)}: more than its owner may enter",
            fix=f"chmod -R go= {folder}",
            data=data,
        )
    return Finding(status="ok", message=f"{folder} is for {_owner(folder)} only", data=data)


def check_devices(context: Context) -> Finding:
    """May this user open the device files behind the configured source and trigger."""
    wanted = [text for text in (context.source, context.settings.capture.trigger) if text]
    patterns = [
        (*_NODES[kind], rest) for kind, _, rest in (t.partition(":") for t in wanted) if kind in _NODES
    ]
    if not patterns:
        return Finding(status="skip", message=f"{', '.join(wanted)} needs no device file")
    refused: list[tuple[Path, str]] = []
    opened: list[tuple[Path, str]] = []
    missing: list[str] = []
    for globs, group, written in patterns:
        # `v4l2:0`, `v4l2:/dev/video0`, and whatever options follow the number
        number = re.match(r"(?:/dev/video)?(\d+)", written)
        rest = number[1] if number else ""
        found = [
            node for pattern in globs for node in sorted(context.root.glob(pattern.format(rest=rest or "*")))
        ]
        if not found:
            missing.append(f"/{globs[0].format(rest=rest or '*')}")
        for node in found:
            (opened if os.access(node, os.R_OK | os.W_OK) else refused).append((node, group))
    data: dict[str, object] = {"user": _me(), "open": [str(n) for n, _ in opened], "missing": missing}
    if missing:
        return Finding(
            status="fail",
            message=f"there is no {missing[0]}",
            fix="plug the camera in, or switch its interface on (raspi-config), and look again",
            data=data,
        )
    if refused and (not opened or any("video" in node.name or "gpio" in node.name for node, _ in refused)):
        node, group = refused[0]
        return Finding(
            status="fail",
            message=f"user {_me()} may not open {node}",
            fix=f"sudo usermod -aG {group} {_me()}, then log in again",
            data=data,
        )
    if refused:
        node, group = refused[0]
        return Finding(
            status="warn",
            message=f"user {_me()} may not open {node}, one of several",
            fix=f"sudo usermod -aG {group} {_me()}, then log in again, if the camera does not open",
            data=data,
        )
    return Finding(status="ok", message=f"{len(opened)} device files can be opened", data=data)


def _log_files(folder: Path) -> list[Path]:
    return [folder / f"{FILE_NAME}{suffix}" for suffix in ("", "-wal", "-shm")]


def _octal(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:  # a user that this machine does not know, as on a card from another one
        return str(path.stat().st_uid)


def _me() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
