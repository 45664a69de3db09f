"""What the files on the controller hold, and which release fits a host; nothing of a file is run here."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from pathlib import Path

import yaml
from ansible.errors import AnsibleFilterError

#: Of a manifest.yaml or release.json that is read here.
MAX_BYTES = 1 << 20
_WORD = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,99}")


def wanted(found, release_files, bundle_file):
    """Return what a host is to be brought to, and whether that is due.

    Args:
        found: what skin_edge_look says of the host.
        release_files: paths of `.skinrelease` files; none leaves the release as it is.
        bundle_file: path of a `.skinmodel` file; empty leaves the model as it is.

    Returns:
        ``release`` and ``model``, each with ``file``, ``identity`` and ``due``, or empty.
    """
    release = fitting(releases(release_files), found) if release_files else {}
    model = bundle(bundle_file) if bundle_file else {}
    if release:
        # An identity ends in the hash of what it holds.
        release["due"] = release["identity"] != found["release"]
    if model:
        # A manifest lists the hashes of all else in a bundle.
        model["due"] = model["manifest_sha256"] != found["manifest_sha256"]
    return {"release": release, "model": model}


def bundle(path):
    """Return the identity and the hash of the manifest of a `.skinmodel` file."""
    data = _read(path, "manifest.yaml", check=True)
    try:
        manifest = yaml.safe_load(data)
        identity = f"{manifest['name']}-{manifest['version']}"
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"bundle {path}: manifest.yaml: {error}") from None
    return {
        "file": str(path),
        "identity": _plain(path, identity),
        "manifest_sha256": hashlib.sha256(data).hexdigest(),
    }


def releases(paths):
    """Return what each of some `.skinrelease` files says of itself."""
    return [_release(path) for path in ([paths] if isinstance(paths, str) else paths)]


def fitting(known, found):
    """Return the one release among `known` that is for the Python and the processor of a host.

    Args:
        known: from `releases`.
        found: what skin_edge_look says of the host.
    """
    here = (found["python"], found["machine"])
    if None in here:
        raise AnsibleFilterError("there is no python3 on the host: see skin_edge_python")
    fits = {one["identity"]: one for one in known if (one["python"], one["machine"]) == here}
    if len(fits) == 1:
        return next(iter(fits.values()))
    there = ", ".join(f"{one['identity']} (Python {one['python']}, {one['machine']})" for one in known)
    if fits:
        raise AnsibleFilterError(
            f"several releases are for Python {here[0]} on {here[1]}: {', '.join(sorted(fits))}; "
            "keep one of them in skin_edge_releases"
        )
    raise AnsibleFilterError(
        f"no release is for Python {here[0]} on {here[1]}; there are: {there or 'none'}; "
        "gather one: skin-edge wheelhouse"
    )


def _release(path):
    try:
        told = json.loads(_read(path, "release.json"))
        kept = {key: str(told[key]) for key in ("identity", "version", "target", "python", "machine")}
    except (ValueError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"release {path}: release.json: {error}") from None
    return {**kept, "identity": _plain(path, kept["identity"]), "file": str(path)}


def _plain(path, identity):
    # It becomes part of a path on the host.
    if not _WORD.fullmatch(identity):
        raise AnsibleFilterError(f"{path}: {identity!r} is no identity")
    return identity


def _read(path, name, *, check=False):
    """Return one small file of a ZIP; with `check`, all of them agree with their CRC first."""
    try:
        with zipfile.ZipFile(Path(path).expanduser()) as archive:
            broken = archive.testzip() if check else None
            if broken is not None:
                raise AnsibleFilterError(f"{path}: {broken} in it is damaged")
            if archive.getinfo(name).file_size > MAX_BYTES:
                raise AnsibleFilterError(f"{path}: {name} in it is too large")
            return archive.read(name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise AnsibleFilterError(f"{path}: {error}") from None


class FilterModule:
    """The filter of this role."""

    def filters(self):
        """Return it by its name."""
        return {"skin_edge_wanted": wanted}
