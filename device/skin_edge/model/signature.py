"""Who signed a bundle: `ssh-keygen -Y`, with keys that a clinic has anyway and no code of ours in the proof.

    ssh-keygen -Y sign -f KEY -n skin-edge manifest.yaml        makes manifest.yaml.sig

The manifest lists the SHA-256 of every other file, so its signature covers the whole bundle. Where a device
has a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS), nothing is installed that is unsigned or
signed by another key.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from skin_edge.errors import BundleError, ConfigError
from skin_edge.model.bundle import Bundle
from skin_edge.model.manifest import one_line

NAMESPACE: Final = "skin-edge"
SYSTEM_ALLOWED_SIGNERS: Final = Path("/etc/skin-edge/allowed_signers")
CODE: Final = "signature"
_TIMEOUT_S: Final = 20.0


def allowed_signers(configured: str | None) -> Path | None:
    """Return the file of allowed signers in force, `model.allowed_signers` or the system's; None without one.

    Raises:
        ConfigError: the configured file is missing: leaving it out must not switch the check off.
    """
    if configured is None:
        return SYSTEM_ALLOWED_SIGNERS if SYSTEM_ALLOWED_SIGNERS.exists() else None
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
    program = shutil.which("ssh-keygen")
    if program is None:
        raise _refused(bundle, "its signature cannot be checked: ssh-keygen is missing (openssh-client)")
    with tempfile.TemporaryDirectory(prefix="skin-edge-") as folder:
        signature = Path(folder) / "manifest.yaml.sig"
        signature.write_bytes(bundle.signature)
        common = ["-s", str(signature), "-f", str(allowed)]
        found = _run([program, "-Y", "find-principals", *common], b"")
        principals = found.stdout.decode("utf-8", "replace").splitlines()
        if found.returncode or not principals:
            raise _refused(bundle, f"signed by a key that {allowed} does not list")
        # find-principals only looks the key up: the proof is in verify.
        who = principals[0]
        proof = [program, "-Y", "verify", *common, "-I", who, "-n", NAMESPACE]
        verified = _run(proof, bundle.manifest_yaml)
    if verified.returncode:
        said = one_line((verified.stderr or verified.stdout).decode("utf-8", "replace").strip(), 160)
        raise _refused(bundle, f"its signature does not hold: {said}")
    return who


def _run(command: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=data, capture_output=True, timeout=_TIMEOUT_S, check=False)


def _refused(bundle: Bundle, why: str) -> BundleError:
    return BundleError(f"bundle {one_line(str(bundle.origin))}: {why}", code=CODE)
