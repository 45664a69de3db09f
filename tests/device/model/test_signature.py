"""Signatures by the real ssh-keygen: who signed, and everything that must not pass."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from skin_edge.errors import BundleError, ConfigError
from skin_edge.model.bundle import open_bundle
from skin_edge.model.signature import allowed_signers, check_signature

MakeBundle = Callable[..., Path]


@pytest.fixture(scope="module")
def keys(key_pairs: Path) -> Path:
    """That folder, with the clinic in `allowed_signers`."""
    allow(key_pairs / "allowed_signers", key_pairs / "clinic.pub")
    return key_pairs


def allow(path: Path, public: Path, options: str = 'namespaces="skin-edge"') -> Path:
    path.write_text(f"models@clinic {options} {public.read_text()}")
    return path


def sign(bundle: Path, key: Path, namespace: str = "skin-edge") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", namespace, bundle / "manifest.yaml"],
        check=True,
        capture_output=True,
    )
    return bundle


def test_a_signed_bundle_tells_who_signed_it(good_bundle: Path, keys: Path) -> None:
    signed = open_bundle(sign(good_bundle, keys / "clinic"))
    assert check_signature(signed, keys / "allowed_signers") == "models@clinic"


def test_an_unsigned_bundle_is_refused(good_bundle: Path, keys: Path) -> None:
    with pytest.raises(BundleError, match="not signed, and this device takes signed models only") as refused:
        check_signature(open_bundle(good_bundle), keys / "allowed_signers")
    assert refused.value.code == "signature"


def test_a_stranger_is_refused(good_bundle: Path, keys: Path) -> None:
    signed = open_bundle(sign(good_bundle, keys / "stranger"))
    with pytest.raises(BundleError, match=r"signed by a key that .* does not list"):
        check_signature(signed, keys / "allowed_signers")


def test_another_bundles_signature_does_not_hold(
    good_bundle: Path, make_bundle: MakeBundle, keys: Path
) -> None:
    sign(good_bundle, keys / "clinic")
    other = make_bundle("other", temperature=2.0)
    shutil.copy(good_bundle / "manifest.yaml.sig", other / "manifest.yaml.sig")
    with pytest.raises(BundleError, match="its signature does not hold"):
        check_signature(open_bundle(other), keys / "allowed_signers")


def test_a_signature_for_another_purpose_does_not_hold(good_bundle: Path, keys: Path) -> None:
    signed = open_bundle(sign(good_bundle, keys / "clinic", namespace="git"))
    with pytest.raises(BundleError, match="signature"):
        check_signature(signed, keys / "allowed_signers")


def test_a_key_that_has_expired_is_refused(good_bundle: Path, keys: Path, tmp_path: Path) -> None:
    allowed = allow(tmp_path / "allowed", keys / "clinic.pub", 'valid-before="20200101"')
    signed = open_bundle(sign(good_bundle, keys / "clinic"))
    with pytest.raises(BundleError, match=r"signature|does not list"):
        check_signature(signed, allowed)


@pytest.mark.parametrize("text", [b"", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n", b"\xff" * 500])
def test_rubbish_is_no_signature(good_bundle: Path, keys: Path, text: bytes) -> None:
    (good_bundle / "manifest.yaml.sig").write_bytes(text)
    with pytest.raises(BundleError, match="signed by a key that"):
        check_signature(open_bundle(good_bundle), keys / "allowed_signers")


def test_without_ssh_keygen_nothing_passes(
    good_bundle: Path, keys: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signed = open_bundle(sign(good_bundle, keys / "clinic"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BundleError, match="ssh-keygen is missing"):
        check_signature(signed, keys / "allowed_signers")


def test_a_configured_file_that_is_missing_does_not_switch_the_check_off(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        allowed_signers(str(tmp_path / "allowed_signers"))
