"""Keys for at-rest encryption: made, read from private files, and used to seal one value at a time.

AES-256-GCM through `cryptography`. A value is bound to the result and field it belongs to, so that it cannot
be moved to another. Everything that is derived from a key file comes from HKDF-SHA-256 (RFC 5869).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import stat
from pathlib import Path

import msgspec

from skin_edge.durable import fsync_directory
from skin_edge.errors import ConfigError, StorageError, UsageError
from skin_edge.faults import storage_faults
from skin_edge.sections import EncryptionConfig

_FORM = re.compile(rb"skin-edge-key-1:([A-Za-z0-9_-]{43}=)\n?")
_MASTER_BYTES = 32
_NONCE_BYTES = 12  # random ones are safe for 2**32 values under one key (NIST SP 800-38D, 8.3)
_MAX_FILE_BYTES = 1000
ID_BYTES = 8


class Key:
    """One key. `id` is a hash from which nothing of the key can be found; it is stored with what it seals."""

    __slots__ = ("_aes", "_index", "id")

    def __init__(self, master: bytes) -> None:
        """Derive what is needed from the 32 bytes of a key file.

        Raises:
            UsageError: the library is not installed.
        """
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise UsageError(
                "encryption needs the library cryptography, which is not installed: "
                "pip install 'skin-edge[encryption]'",
                code="missing-extra",
            ) from error
        self._aes = AESGCM(_derive(master, "values"))
        self._index = _derive(master, "subject index")
        self.id = _derive(master, "key id")[:ID_BYTES].hex()

    def seal(self, plain: bytes, result_id: str, field: str) -> bytes:
        """Return nonce, ciphertext and tag: 28 bytes more than `plain`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aes.encrypt(nonce, plain, _context(result_id, field))

    def open(self, sealed: bytes, result_id: str, field: str) -> bytes:
        """Return what was sealed for this field of this result.

        Raises:
            StorageError: it was altered, or sealed for another field or result.
        """
        from cryptography.exceptions import InvalidTag

        try:
            return self._aes.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _context(result_id, field))
        except (InvalidTag, ValueError):
            raise StorageError(
                f"result {result_id}: the encrypted {field} was altered or belongs to another result; "
                "'skin-edge results verify' checks them all",
                code="storage-corrupt",
            ) from None

    def tag(self, subject: str) -> str:
        """Return what stands for a subject in the index: nobody without the key can compute it."""
        return hmac.new(self._index, subject.encode(), hashlib.sha256).hexdigest()


class Keyring:
    """The key that seals, and those of before that can still open."""

    __slots__ = ("_by_id", "current")

    def __init__(self, current: Key, old: tuple[Key, ...] = ()) -> None:
        self.current = current
        self._by_id = {key.id: key for key in (*old, current)}

    def key(self, key_id: str, what: str) -> Key:
        """Return the key with this id.

        Args:
            key_id: as stored with what is to be opened.
            what: what that is, for the error.

        Raises:
            StorageError: it is not among these.
        """
        try:
            return self._by_id[key_id]
        except KeyError:
            raise StorageError(
                f"{what}: encrypted with key {key_id}, and only {', '.join(self._by_id)} is at hand: "
                "set encryption.key_file or encryption.old_key_files to the file of that key",
                code="storage-key",
            ) from None

    def has(self, key_id: str) -> bool:
        """True where what this key sealed can be opened."""
        return key_id in self._by_id

    def tags(self, subject: str) -> tuple[str, ...]:
        """Return what stands for a subject in the index, under each key."""
        return tuple(key.tag(subject) for key in self._by_id.values())


def load_keyring(settings: EncryptionConfig, *, to_write: bool) -> Keyring | None:
    """Return the keys that the settings name; None where encryption is off.

    Args:
        settings: which files hold the keys.
        to_write: False also gives None where a file is not there or not for this user to read: what it
            sealed is then shown as encrypted.

    Raises:
        ConfigError: a file is no key, may be read by others, or (`to_write`) cannot be read.
        UsageError: the library is not installed.
    """
    if settings.key_file is None:
        if settings.old_key_files:
            raise ConfigError("encryption.old_key_files: give encryption.key_file as well")
        return None
    try:
        current, *old = (_expanded(name) for name in (settings.key_file, *settings.old_key_files))
        return Keyring(read_key(current), tuple(read_key(path) for path in old))
    except ConfigError as error:
        if not to_write and isinstance(error.__cause__, FileNotFoundError | PermissionError):
            return None
        raise


def read_key(path: Path) -> Key:
    """Return the key in a file that only its owner may read.

    Raises:
        ConfigError: it cannot be read, others may read it, or it holds no key.
        UsageError: the library is not installed.
    """
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            text = stream.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the encryption key: {error.strerror}") from error
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise ConfigError(f"{path}: others may read this encryption key: chmod 600 {path}")
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"{path}: this encryption key belongs to another user: chown it to yours")
    found = _FORM.fullmatch(text)
    try:
        return Key(base64.urlsafe_b64decode(found[1]) if found else b"")
    except (ValueError, binascii.Error):
        raise ConfigError(f"{path}: not a key of 'skin-edge results keygen'") from None


def write_new_key(path: Path) -> Key:
    """Make a key and write it to a new file, mode 0600; on return it is durable.

    Raises:
        UsageError: there is such a file already: overwriting a key loses what it sealed.
        StorageError: it cannot be written.
    """
    master = os.urandom(_MASTER_BYTES)
    key = Key(master)
    with storage_faults(path, "write the encryption key"):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise UsageError(
                f"{path}: exists, and overwriting a key loses what it encrypted: give another name"
            ) from None
        try:
            with os.fdopen(descriptor, "wb") as stream:
                os.fchmod(stream.fileno(), 0o600)
                stream.write(b"skin-edge-key-1:" + base64.urlsafe_b64encode(master) + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            path.unlink()
            raise
        fsync_directory(path.absolute().parent)
    return key


def _derive(master: bytes, purpose: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    if len(master) != _MASTER_BYTES:
        raise ValueError(f"a key has {_MASTER_BYTES} bytes, not {len(master)}")
    return HKDF(SHA256(), 32, salt=None, info=f"skin-edge {purpose}".encode()).derive(master)


def _context(result_id: str, field: str) -> bytes:
    return msgspec.json.encode(["skin-edge", result_id, field])


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise ConfigError(f"encryption: {name!r} names a home folder that does not exist") from None
