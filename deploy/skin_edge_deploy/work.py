"""What is wanted as work to do on hosts: everything that can be checked here is, before any is touched."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skin_edge.config import load_config
from skin_edge.errors import UsageError
from skin_edge.model.locate import active_bundle_path
from skin_edge_deploy.package import Package, package
from skin_edge_deploy.push import Push
from skin_edge_deploy.ssh.asking import Asker
from skin_edge_deploy.visit import Work
from skin_edge_deploy.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wanted, checked.

    Attributes:
        package: the bundle; None where the model is left as it is.
        work: given who asks for passwords, whether of several hosts, and who says what is done: the work.
    """

    package: Package | None
    work: Callable[[Asker, bool, Callable[[str], None]], Work]


def check(wanted: Wanted, scratch: Path) -> Checked:
    """Return what is wanted as work, every file of it read and checked.

    Args:
        wanted: it.
        scratch: an empty folder that stays while the work is done.

    Raises:
        UsageError: an option makes no sense, or a file cannot be read.
        BundleError: the bundle must not be used.
        ReleaseError: a release must not be used.
    """
    if wanted.program is not None and not re.fullmatch(r"/[A-Za-z0-9._+~/@-]+", wanted.program):
        raise UsageError(
            f"--skin-edge {wanted.program}: an absolute path is needed, of letters, digits and ._+~@-"
        )
    if wanted.ssh_config is not None and not wanted.ssh_config.is_file():
        raise UsageError(f"--ssh-config {wanted.ssh_config}: no such file")
    if wanted.provision:
        return _provision(wanted, scratch)
    for option, given in (
        ("--release", wanted.releases),
        ("--device-config", wanted.device_config),
        ("--allowed-signers", wanted.allowed_signers),
        ("--sudoers", wanted.sudoers),
    ):
        if given:
            raise UsageError(f"{option} goes with --provision, which installs skin-edge itself")
    parcel = package(wanted.bundle or _bundle_in_use(wanted.config), scratch)
    push = Push(parcel, wanted.program, wanted.dry_run)
    return Checked(parcel, lambda asker, several, say: push.work)


def _provision(wanted: Wanted, scratch: Path) -> Checked:
    from skin_edge_deploy.provision.candidates import read_candidates
    from skin_edge_deploy.provision.gathering import Gatherer
    from skin_edge_deploy.provision.rights import Passwords
    from skin_edge_deploy.provision.settings import Settings, read_config, read_signers
    from skin_edge_deploy.provision.shelf import Shelf
    from skin_edge_deploy.provision.work import Provision

    settings = Settings(
        config=read_config(wanted.device_config) if wanted.device_config is not None else None,
        signers=read_signers(wanted.allowed_signers) if wanted.allowed_signers is not None else None,
        sudoers=wanted.sudoers,
    )
    allowed = wanted.allowed_signers
    named = read_candidates(wanted.releases, allowed) if wanted.releases else None
    parcel = package(wanted.bundle, scratch) if wanted.bundle is not None else None
    push = Push(parcel, wanted.program, wanted.dry_run) if parcel is not None else None

    def work(asker: Asker, several: bool, say: Callable[[str], None]) -> Work:
        return Provision(
            Shelf(named, Gatherer(say), allowed),
            settings,
            Passwords(asker, several=several),
            push,
            wanted.program,
            wanted.dry_run,
        ).work

    return Checked(parcel, work)


def _bundle_in_use(config: Path | None) -> Path:
    settings = load_config(config)
    if settings.model.path is not None:
        return Path(settings.model.path).expanduser()
    return active_bundle_path(settings.state_dir())
