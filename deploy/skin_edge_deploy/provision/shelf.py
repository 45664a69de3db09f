"""Where a host's release comes from: those that were named, or one gathered for its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from skin_edge_deploy.errors import HostError
from skin_edge_deploy.machine import Machine
from skin_edge_deploy.provision.candidates import Candidate, choose, read_candidate, target_of
from skin_edge_deploy.provision.gathering import Gatherer
from skin_edge_deploy.wheelhouse.targets import TARGETS


class Shelf:
    """All releases of one run.

    Args:
        named: with `--release`; None: gather what is needed.
        gatherer: of those that are not named.
        allowed: file of allowed signers; None asks for no signature.
    """

    def __init__(
        self, named: Sequence[Candidate] | None, gatherer: Gatherer, allowed: Path | None = None
    ) -> None:
        self._named = named
        self._gatherer = gatherer
        self._allowed = allowed
        self._read: dict[Path, asyncio.Task[Candidate]] = {}

    async def release_for(
        self, name: str, machine: Machine, tell: Callable[[str], None], *, dry_run: bool = False
    ) -> Candidate | None:
        """Return the release for a host; None in a dry run that would gather it first.

        Args:
            name: of the host, for messages.
            machine: what it is.
            tell: told what is being done meanwhile.
            dry_run: gather nothing.

        Raises:
            HostError: none fits, or none can be gathered for it (``no-release``).
            SkinEdgeError: it cannot be gathered.
        """
        if self._named is not None:
            return choose(name, self._named, machine)
        target = target_of(machine)
        if target is None:
            system = f"{machine.os}, Python {machine.python}, {machine.machine}"
            raise HostError(
                f"{name}: no release is gathered for {system}: there are {', '.join(TARGETS)}; "
                "gather one on a machine like it (skin-edge wheelhouse --target this), then --release FILE",
                code="no-release",
            )
        path = self._gatherer.kept(target)
        if path is None and dry_run:
            return None
        if path is None:
            path = await self._gatherer.release_for(target, tell)
        if path not in self._read:
            self._read[path] = asyncio.ensure_future(asyncio.to_thread(read_candidate, path, self._allowed))
        return choose(name, [await asyncio.shield(self._read[path])], machine)
