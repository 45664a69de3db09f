"""Signatures by `ssh-keygen -Y`: with keys that a clinic has anyway, and no code of ours in the proof.

Standard library only: a release file carries this module, to run on a device that has nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from skin_edge.errors import UsageError

NAMESPACE: Final = "skin-edge"
SYSTEM_ALLOWED_SIGNERS: Final = Path("/etc/skin-edge/allowed_signers")
#: Of every error about a signature, whatever its class.
CODE: Final = "signature"
SUFFIX: Final = ".sig"
_TIMEOUT_S: Final = 20.0


class SignatureError(Exception):
    """Why a signature does not count; completes "WHAT: ..."."""


def system_allowed_signers() -> Path | None:
    """Return this machine's file of allowed signers; None where it has none.

    A link that leads nowhere is one that allows nobody.
    """
    return SYSTEM_ALLOWED_SIGNERS if os.path.lexists(SYSTEM_ALLOWED_SIGNERS) else None


def who_signed(data: bytes, signature: bytes, allowed: Path) -> str:
    """Return who signed `data`, as the file of allowed signers calls them (ssh-keygen(1), ALLOWED SIGNERS).

    Raises:
        SignatureError: it was nobody who is allowed, or ssh-keygen is missing.
    """
    program = shutil.which("ssh-keygen")
    if program is None:
        raise SignatureError("its signature cannot be checked: ssh-keygen is missing (openssh-client)")
    with tempfile.TemporaryDirectory(prefix="skin-edge-") as folder:
        path = Path(folder) / "signature"
        path.write_bytes(signature)
        common = ["-s", str(path), "-f", str(allowed)]
        found = _run([program, "-Y", "find-principals", *common], b"")
        principals = found.stdout.decode("utf-8", "replace").splitlines()
        if found.returncode or not principals:
            raise SignatureError(f"signed by a key that {allowed} does not list")
        # find-principals only looks the key up: the proof is in verify.
        who = principals[0]
        verified = _run([program, "-Y", "verify", *common, "-I", who, "-n", NAMESPACE], data)
    if verified.returncode:
        said = (verified.stderr or verified.stdout).decode("utf-8", "replace")
        raise SignatureError(f"its signature does not hold: {' '.join(said.split())[:160]}")
    return who


def sign(path: Path, key: Path) -> Path:
    """Write the signature of the file `path` beside it, and return where.

    Args:
        path: what is signed.
        key: private key; where an agent has that, its public key. ssh-keygen asks for a passphrase itself.

    Raises:
        UsageError: ssh-keygen is missing, or does not sign with that key (``signature``).
    """
    program = shutil.which("ssh-keygen")
    if program is None:
        raise UsageError("ssh-keygen is missing: apt-get install openssh-client", code=CODE)
    signature = path.with_name(path.name + SUFFIX)
    # No time limit: somebody types a passphrase, or touches a key.
    done = subprocess.run(
        [program, "-q", "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(path)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    if done.returncode or not signature.is_file():
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:200]
        raise UsageError(f"{key}: ssh-keygen does not sign with it: {said or 'it said nothing'}", code=CODE)
    return signature


def _run(command: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, input=data, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SignatureError(f"its signature cannot be checked: {error}") from None
