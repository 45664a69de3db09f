"""What the command line of `skin-edge deploy` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for, as it was given."""

    targets: tuple[str, ...]
    bundle: Path | None
    config: Path | None
    dry_run: bool
    accept_new: bool
    concurrency: int
    canary: int
    max_failures: int | None
    program: str | None
    ssh_config: Path | None
    connect_timeout_s: float
    install_timeout_s: float | None
    as_json: bool
    provision: bool
    releases: tuple[Path, ...]
    device_config: Path | None
    allowed_signers: Path | None
    sudoers: bool
