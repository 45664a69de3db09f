"""Gather the wheels of a release: resolved by uv for the device's Python, fetched by pip, all hashed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from skin_edge.durable import PUBLIC_MODE, replacing
from skin_edge.errors import HealthError, UsageError
from skin_edge.release import manifest, shipped
from skin_edge.release.archive import SUFFIX
from skin_edge.ssh_signature import sign
from skin_edge_deploy.wheelhouse.targets import Target

#: Installs the others, so that a device needs neither python3-venv nor pip.
_PIP: Final = "pip>=24,<27"
#: uv does not look at upper bounds of Requires-Python: 1.3.1 is for Python before 3.11.
_UPPER_BOUNDS: Final = ('backports-strenum<1.3; python_version >= "3.11"',)
_TIMEOUT_S: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Wheelhouse:
    """A gathered release.

    Attributes:
        path: of the file.
        identity: VERSION-TARGET-HASH: the same wheels give the same one.
        wheels: how many.
        size_bytes: of the file.
        signed: whether it has a signature.
    """

    path: Path
    identity: str
    wheels: int
    size_bytes: int
    signed: bool


def gather(
    target: Target,
    out: Path,
    *,
    wheel: Path | None = None,
    index: Sequence[str] = (),
    key: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Wheelhouse:
    """Write a release for devices of `target` into the folder `out`.

    Args:
        target: the kind of device.
        out: made where it is missing.
        wheel: of skin-edge; None builds it of the checkout that this runs from.
        index: options of pip and uv that say where packages come from.
        key: signs it; see `skin_edge.ssh_signature.sign`.
        say: told what is being done.

    Raises:
        UsageError: there is no wheel and no checkout to build it from, or the key does not sign.
        HealthError: pip or uv failed; the last line that it said.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".wheelhouse-", dir=out) as name:
        folder = Path(name)
        wheels = folder / "wheels"
        wheels.mkdir()
        say("the wheel of skin-edge")
        own = _own_wheel(wheel, wheels)
        say(f"what it needs on {target.what}, Python {target.python}")
        requirements = _resolve(own, target, folder, index)
        say("the wheels")
        _download(requirements, target, wheels, index)
        lines = [requirements.read_text(encoding="utf-8"), pinned(own)]
        requirements.write_text("\n".join(lines) + "\n", encoding="utf-8")
        identity = describe(own, target, folder)
        if key is not None:
            say("its signature")
            sign(folder / manifest.NAME, key)
        say("the file")
        path = out / f"skin-edge-{identity}{SUFFIX}"
        pack(folder, path)
        count = sum(1 for _ in wheels.iterdir())
    return Wheelhouse(path, identity, count, path.stat().st_size, key is not None)


def _own_wheel(wheel: Path | None, wheels: Path) -> Path:
    if wheel is not None:
        if not wheel.is_file() or not wheel.name.startswith("skin_edge-") or wheel.suffix != ".whl":
            raise UsageError(f"--wheel {wheel}: not a wheel of skin-edge")
        return Path(shutil.copy(wheel, wheels))
    root = Path(__file__).resolve().parents[3]
    if not (root / "pyproject.toml").is_file():
        raise UsageError("no checkout to build the wheel of skin-edge from: name it with --wheel")
    _run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(root)],
        "building the wheel of skin-edge",
    )
    (built,) = wheels.glob("skin_edge-*.whl")
    return built


def _resolve(own: Path, target: Target, folder: Path, index: Sequence[str]) -> Path:
    """Return a requirements.txt of exact versions and hashes, without skin-edge itself.

    pip would read the markers of dependencies (``python_version < "3.11"``) for the Python that runs here.
    """
    asked, constraints, found = folder / "asked.in", folder / "constraints.txt", folder / "requirements.txt"
    extras = ",".join(target.extras)
    asked.write_text(f"skin-edge[{extras}] @ {own.resolve().as_uri()}\n{_PIP}\n", encoding="utf-8")
    constraints.write_text(
        "".join(f"{line}\n" for line in (*target.constraints, *_UPPER_BOUNDS)), encoding="utf-8"
    )
    command = [_uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--generate-hashes"]
    command += ["--only-binary", ":all:", "--no-emit-package", "skin-edge", "--allow-unsafe"]
    command += ["--python-version", target.python, "--python-platform", target.uv_platform]
    command += ["--constraints", str(constraints), *index, str(asked), "--output-file", str(found)]
    _run(command, "finding what skin-edge needs")
    asked.unlink()
    constraints.unlink()
    return found


def _download(requirements: Path, target: Target, wheels: Path, index: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", target.python, *index]
    for platform in target.pip_platforms:
        command += ["--platform", platform]
    _run([*command, "--dest", str(wheels), "--requirement", str(requirements)], "fetching the wheels")


def describe(own: Path, target: Target, folder: Path) -> str:
    """Add the installer and release.json, which lists every file, and return the identity of the release."""
    for name, data in shipped.sources().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    files = {
        path.relative_to(folder).as_posix(): {"sha256": _sha256(path), "size_bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    version = own.name.split("-")[1]
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:10]
    identity = f"{version}-{target.name}-{digest}"
    release = {
        "schema": manifest.SCHEMA,
        "identity": identity,
        "version": version,
        "target": target.name,
        "python": target.python,
        "machine": target.machine,
        "glibc": target.glibc,
        "system_site_packages": target.system_site_packages,
        "files": files,
    }
    text = json.dumps(release, indent=1, sort_keys=True) + "\n"
    manifest.parse(text.encode())  # what a device would refuse is not gathered
    (folder / manifest.NAME).write_text(text, encoding="utf-8")
    return identity


def pack(folder: Path, path: Path) -> None:
    """Write a ZIP that Python runs, and whose bytes follow from the files alone.

    Nothing in it is compressed: wheels are already, and what is not cannot be a bomb.
    """
    with replacing(path, PUBLIC_MODE) as stream, zipfile.ZipFile(stream, "w") as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            with file.open("rb") as content:
                name = file.relative_to(folder).as_posix()
                shipped.add(archive, name, content, file.stat().st_size)


def pinned(own: Path) -> str:
    """Return the line of requirements.txt for a wheel of skin-edge."""
    version = own.name.split("-")[1]
    return f"skin-edge=={version} --hash=sha256:{_sha256(own)}"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _uv() -> str:
    beside = shutil.which(
        "uv", path=str(Path(sys.executable).parent)
    )  # where this environment is not activated
    found = beside or shutil.which("uv")
    if found is None:
        raise UsageError("uv is missing: pip install 'skin-edge[deploy]'", code="missing-extra")
    return found


def _run(command: list[str], doing: str) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise HealthError(f"{doing}: did not end in {_TIMEOUT_S:g} s", code="wheelhouse") from None
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        why = " ".join(line.strip() for line in said[-3:])[:600]
        raise HealthError(f"{doing}: {why or 'it failed without a word'}", code="wheelhouse")
