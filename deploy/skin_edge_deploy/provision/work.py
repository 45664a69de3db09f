"""One host, from bare or an older release to the wanted one, and then to its model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from skin_edge_deploy.errors import HostError
from skin_edge_deploy.facts import Facts, gather
from skin_edge_deploy.machine import Machine, examine
from skin_edge_deploy.outcome import Released
from skin_edge_deploy.provision.candidates import Candidate, target_of
from skin_edge_deploy.provision.install import install, note_release
from skin_edge_deploy.provision.plan import Plan, check_machine, install_words, make_plan, sudoers_file
from skin_edge_deploy.provision.rights import Passwords, Root
from skin_edge_deploy.provision.settings import Settings, put_before, put_line
from skin_edge_deploy.provision.shelf import Shelf
from skin_edge_deploy.push import Push
from skin_edge_deploy.sending import send
from skin_edge_deploy.upload import Folder
from skin_edge_deploy.visit import Call

_NO_UPLOAD: Final = "none"


@dataclass(frozen=True, slots=True)
class Provision:
    """A release, and how it is brought to a host.

    Attributes:
        shelf: where releases come from.
        settings: what else is to be there.
        passwords: asks for those of sudo.
        push: brings the bundle afterwards; None leaves the model as it is.
        program: skin-edge on the hosts; None looks for it.
        dry_run: look and plan, change nothing.
    """

    shelf: Shelf
    settings: Settings
    passwords: Passwords
    push: Push | None = None
    program: str | None = None
    dry_run: bool = False

    async def work(self, call: Call) -> None:
        """Bring a host to the release, and to the bundle where one is wanted.

        Args:
            call: the host.

        Raises:
            SkinEdgeError: it was not brought there, and why.
        """
        device, known = call.device, call.known
        call.track.step = "looking"
        machine = await examine(device)
        known.add(machine=machine)
        facts = await self._models(call)
        check_machine(device.name, machine)

        def tell(step: str) -> None:
            call.track.step = step

        candidate = await self.shelf.release_for(device.name, machine, tell, dry_run=self.dry_run)
        if candidate is None:
            steps = (f"gather a release for {target_of(machine)} here", "upload it", "install it")
            known.add(status="planned", steps=steps)
            return
        known.add(release=Released(candidate.identity, machine.release, machine.release))
        plan = make_plan(device.name, machine, candidate, self.settings, device.limits)
        known.add(steps=plan.steps, release=replace(_released(call), kept=plan.kept))
        if self.dry_run:
            await self._plan_bundle(call, plan)
            return
        await self._do(call, machine, facts, candidate, plan)

    async def _do(
        self, call: Call, machine: Machine, facts: Facts | None, candidate: Candidate, plan: Plan
    ) -> None:
        line = self.settings.sudoers and machine.rights != "root" and not _has_line(machine, facts)
        models = self.push is not None and facts is not None and facts.sudo == "refused"
        root = Root()
        bare = plan.install and not machine.installed
        if plan.install or line or models or plan.before != Settings():
            words = install_words(machine, call.device.limits, f"{machine.uploads}/00000000.skinrelease")
            whole = bare or line or models or plan.before != Settings()
            root = await self.passwords.root(call.device, machine, words, call.clock, whole=whole)
        folder = Folder(machine.uploads, machine.user, machine.uid, shared=True)
        done = plan.install
        if plan.before != Settings():
            call.track.step = "writing settings"
            written, kept = await put_before(call.device, folder, root, plan.before)
            done = done or written
            plan = replace(plan, kept=(*plan.kept, *kept))
            call.known.add(release=replace(_released(call), kept=plan.kept))
        if plan.install:
            await self._install(call, machine, candidate, root, folder)
        call.track.step = "looking"
        facts = await self._models(call, root.secret)
        if line:
            done = await self._allow(call, machine, root, folder, facts) or done
        call.known.add(status="done" if done else "unchanged", message=_message(plan, done=done))
        if self.push is not None:
            await self.push.work(call, root.secret)
            pushed = call.known.outcome.status == "done"
            message = _message(plan, done=done) if done or plan.kept else call.known.outcome.message
            call.known.add(status="done" if done or pushed else "unchanged", message=message)

    async def _install(
        self, call: Call, machine: Machine, candidate: Candidate, root: Root, folder: Folder
    ) -> None:
        async def use(path: str) -> dict[str, Any] | None:
            note_release(call, None)  # until it says
            return await install(call, machine, candidate, root, path)

        answer = await send(call, folder, candidate.cargo, use)
        released = replace(_released(call), answer=answer)
        call.known.add(release=released)
        if released.after != candidate.identity:
            raise HostError(
                f"{call.device.name}: {released.after or 'no release'} is in use after the installation"
            )

    async def _allow(
        self, call: Call, machine: Machine, root: Root, folder: Folder, facts: Facts | None
    ) -> bool:
        if facts is None or facts.program is None:
            raise HostError(
                f"{call.device.name}: skin-edge was not found there after its installation",
                code="no-skin-edge",
            )
        call.track.step = "writing a line for sudo"
        lines = sudoers_file(machine, facts, call.device.limits)
        return await put_line(call.device, folder, root, lines) == "placed"

    async def _models(self, call: Call, secret: bytes = b"") -> Facts | None:
        """Look at the models; None where skin-edge does not answer: an installation that is broken."""
        sha256 = self.push.package.cargo.sha256 if self.push is not None else _NO_UPLOAD
        try:
            facts = await gather(call.device, sha256, self.program, secret)
        except HostError as error:
            if error.code != "no-skin-edge":
                raise
            return None
        current = facts.current.identity if facts.current is not None else None
        seen = call.known.outcome.facts
        # An installation of a release leaves the models alone: what is seen after it was there before.
        if seen is None or not seen.models_known:
            call.known.add(before=current)
        call.known.add(facts=facts, after=current)
        return facts

    async def _plan_bundle(self, call: Call, plan: Plan) -> None:
        """Add what would be done with the bundle; what the release brings first is no reason why not."""
        planned = bool(plan.steps)
        call.known.add(status="planned" if planned else "unchanged", message=_message(plan, done=planned))
        if self.push is None:
            return
        facts, package = call.known.outcome.facts, self.push.package
        if plan.steps or facts is None:
            call.known.add(
                steps=(*plan.steps, f"then bring it to {package.identity}, as without --provision")
            )
            return
        await self.push.work(call)


def _has_line(machine: Machine, facts: Facts | None) -> bool:
    """Return whether sudo lets the login do already what the file below sudoers.d would."""
    return machine.rights == "line" and facts is not None and facts.sudo in ("", "needless", "owner")


def _released(call: Call) -> Released:
    released = call.known.outcome.release
    assert released is not None  # noqa: S101 - noted before anything is done
    return released


def _message(plan: Plan, *, done: bool) -> str:
    said = [] if done else ["runs this very release"]
    return ", ".join([*said, *(f"{kept} is kept" for kept in plan.kept)])
