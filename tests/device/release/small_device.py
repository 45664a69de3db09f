"""A device whose programs are played: what they change is on the disk, so that a cut leaves what it would."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skin_edge.errors import HealthError
from skin_edge.release import build, programs, switch
from skin_edge.release.archive import open_release
from skin_edge.release.serving import Systemd
from skin_edge.release.store import ReleaseStore
from skin_edge.ssh_signature import sign
from skin_edge_deploy.wheelhouse.gather import describe, pack
from skin_edge_deploy.wheelhouse.targets import this_machine


@dataclass(frozen=True, slots=True)
class SmallDevice:
    """Everything below a folder: the prefix, the units, what runs, and the command on the path."""

    root: Path

    @property
    def store(self) -> ReleaseStore:
        return ReleaseStore(self.root / "opt")

    @property
    def units(self) -> Path:
        """Its text is the release that wrote them."""
        return self.root / "units"

    @property
    def running(self) -> Path:
        """Its text is the release that serves."""
        return self.root / "running"

    @property
    def command(self) -> Path:
        return self.root / "bin" / "skin-edge"

    @property
    def serving(self) -> Systemd:
        return Systemd(self.store, lambda _: None, self.command)

    def install(self, file: Path) -> None:
        """What `release install` does."""
        with open_release(file, None) as opened, self.store.locked():
            switch.recover(self.store, self.serving, print_nothing)
            identity = build.install(self.store, opened, print_nothing)
            switch.activate(self.store, identity, self.serving, print_nothing)
            self.store.prune(3)

    def rollback(self) -> None:
        """What `release rollback` does."""
        with self.store.locked():
            switch.recover(self.store, self.serving, print_nothing)
            switch.rollback(self.store, self.serving, print_nothing)

    def boot(self) -> None:
        """What systemd does: what takes back is one of the units, and goes before the service."""
        self.running.unlink(missing_ok=True)
        if not self.units.exists():
            return
        if self.store.activation() is not None:
            with self.store.locked():
                switch.recover(self.store, self.serving, print_nothing, boot=True)
        if self.units.exists():
            self.running.write_text(self.store.program().resolve().parents[1].name)

    def run(self, command: list[str], doing: str) -> str:
        """Stand in for `programs.run`."""
        program, words = Path(command[0]), command[1:]
        if words[:2] == ["-m", "venv"]:
            (Path(words[-1]) / "bin").mkdir(parents=True)
        elif "install" in words and program.name == "python":
            program.with_name("skin-edge").touch()
        elif words[:2] == ["service", "install"]:
            self._write(self.units, program)
            if "--restart" in words:
                self._write(self.running, program)
        elif words[:2] == ["service", "uninstall"]:
            self.running.unlink(missing_ok=True)
            self.units.unlink(missing_ok=True)
        elif words[:2] == ["service", "wait"] and (self.root / f"ill-{self.running.read_text()}").exists():
            raise HealthError(f"{doing}: no frame was classified", code="release")
        return "a line"

    def _write(self, path: Path, program: Path) -> None:
        part = path.with_suffix(".part")
        part.write_text(program.resolve().parents[1].name)
        part.replace(path)


def print_nothing(text: str) -> None:
    """Nobody listens."""


def play_programs(monkeypatch: object) -> None:
    """Have `programs.run` be played by the device whose programs are run."""

    def run(command: list[str], doing: str) -> str:
        program = Path(command[-1]) if "venv" in command else Path(command[0])
        root = next(parent for parent in program.parents if (parent / "small").exists())
        return SmallDevice(root).run(command, doing)

    monkeypatch.setattr(programs, "run", run)  # type: ignore[attr-defined]
    monkeypatch.setattr(programs, "last_words", lambda unit: ["why it fell ill"])  # type: ignore[attr-defined]
    # Flushes whatever else runs on this machine, hundreds of times.
    monkeypatch.setattr(build.os, "sync", lambda: None)  # type: ignore[attr-defined]


def tiny_release(folder: Path, version: str, key: Path | None = None) -> Path:
    """A release file whose wheels are a few bytes; signed where a key is given."""
    gathered = folder / f"gathered-{version}"
    (gathered / "wheels").mkdir(parents=True)
    own = gathered / "wheels" / f"skin_edge-{version}-py3-none-any.whl"
    for path in (own, gathered / "wheels" / "pip-24.0-py3-none-any.whl", gathered / "requirements.txt"):
        path.write_text(f"{path.name} {version}")
    describe(own, this_machine(), gathered)
    if key is not None:
        sign(gathered / "release.json", key)
    pack(gathered, folder / f"{version}.skinrelease")
    return folder / f"{version}.skinrelease"
