"""Who signed a bundle.

    ssh-keygen -Y sign -f KEY -n skin-edge manifest.yaml        makes manifest.yaml.sig

The manifest lists the SHA-256 of every other file, so its signature covers the whole bundle. Where a device
has a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS), nothing is installed that is unsigned or
signed by another key.
"""

from __future__ import annotations

from pathlib import Path

from skin_edge.errors import BundleError, ConfigError
from skin_edge.model.bundle import Bundle
from skin_edge.model.manifest import one_line
from skin_edge.ssh_signature import CODE, SignatureError, system_allowed_signers, who_signed


def allowed_signers(configured: str | None) -> Path | None:
    """Return the file of allowed signers in force, `model.allowed_signers` or the system's; None without one.

    Raises:
        ConfigError: the configured file is missing: leaving it out must not switch the check off.
    """
    if configured is None:
        return system_allowed_signers()
    path = Path(configured).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"model.allowed_signers: {path}: no such file; no model can be installed without it"
        )
    return path


def check_signature(bundle: Bundle, allowed: Path) -> str:
    """Return who signed a bundle, as the file of allowed signers calls them.

    Raises:
        BundleError: not signed, or by nobody who is allowed, or ssh-keygen is missing (code ``signature``).
    """
    if bundle.signature is None:
        raise _refused(bundle, f"not signed, and this device takes signed models only ({allowed})")
    try:
        return who_signed(bundle.manifest_yaml, bundle.signature, allowed)
    except SignatureError as problem:
        raise _refused(bundle, str(problem)) from None


def _refused(bundle: Bundle, why: str) -> BundleError:
    return BundleError(f"bundle {one_line(str(bundle.origin))}: {why}", code=CODE)
