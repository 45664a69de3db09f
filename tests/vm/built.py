"""Finds what `make vm` built."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Where `make vm` puts what it builds.
VM_DIR = Path(os.environ.get("SKIN_EDGE_VM_DIR") or ROOT / "cache" / "vm").resolve()


class MachineError(RuntimeError):
    """The machine does not start, does not answer, or a copy failed; says what its console said last."""


@dataclass(frozen=True, slots=True)
class Build:
    """What `make vm` built.

    Attributes:
        image: the disk, raw; never written to.
        kernel, initrd: what qemu starts.
        key: private key that root and `clinic` of the machine accept.
        known_hosts: the machine's host key under the name `skin-edge-vm`.
    """

    image: Path
    kernel: Path
    initrd: Path
    key: Path
    known_hosts: Path

    @classmethod
    def find(cls, vm_dir: Path = VM_DIR) -> Build:
        """Return the build in `vm_dir`.

        Raises:
            MachineError: there is none.
        """
        try:
            names = json.loads((vm_dir / "current.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise MachineError(f"{vm_dir}: no machine is built here; run: make vm") from None
        image, kernel = vm_dir / names["image"], vm_dir / names["kernel"]
        return cls(
            image / "vm.img",
            kernel / "vmlinuz",
            kernel / "initrd.gz",
            image / "id_ed25519",
            image / "known_hosts",
        )
