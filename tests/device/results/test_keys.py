"""Key files: private, never overwritten, refused where others may read them; and a derivation that stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skin_edge.errors import ConfigError, UsageError
from skin_edge.results.keys import Key, load_keyring, read_key, write_new_key
from skin_edge.sections import EncryptionConfig


class TestKeyFiles:
    @pytest.fixture(autouse=True)
    def _in_a_new_folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "results.key"

    def test_a_new_key_is_private_and_read_back(self) -> None:
        before = os.umask(0)
        try:
            made = write_new_key(self.path)
        finally:
            os.umask(before)
        assert self.path.stat().st_mode & 0o777 == 0o600
        assert read_key(self.path).id == made.id
        assert made.id not in self.path.read_text()
        assert len(made.id) == 16

    def test_a_key_is_never_overwritten(self) -> None:
        write_new_key(self.path)
        content = self.path.read_bytes()
        with pytest.raises(UsageError, match="overwriting a key loses what it encrypted"):
            write_new_key(self.path)
        assert self.path.read_bytes() == content

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
    def test_a_key_that_others_may_read_is_refused(self, mode: int) -> None:
        write_new_key(self.path)
        self.path.chmod(mode)
        with pytest.raises(ConfigError, match="others may read this encryption key: chmod 600"):
            read_key(self.path)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_a_key_of_another_user_is_refused(self) -> None:
        write_new_key(self.path)
        os.chown(self.path, 12345, 12345)
        with pytest.raises(ConfigError, match="belongs to another user"):
            read_key(self.path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"secret", b"skin-edge-key-1:short\n", b"skin-edge-key-2:" + b"A" * 43 + b"=", b"\xff" * 2000],
    )
    def test_what_is_no_key_is_refused(self, content: bytes) -> None:
        self.path.touch(0o600)
        self.path.write_bytes(content)
        with pytest.raises(ConfigError, match="not a key of 'skin-edge results keygen'"):
            read_key(self.path)

    def test_settings_name_the_keys(self, tmp_path: Path) -> None:
        old = write_new_key(tmp_path / "old.key")
        new = write_new_key(self.path)
        settings = EncryptionConfig(key_file=str(self.path), old_key_files=(str(tmp_path / "old.key"),))
        ring = load_keyring(settings, to_write=True)
        assert ring is not None
        assert ring.current.id == new.id
        assert ring.has(old.id)
        assert load_keyring(EncryptionConfig(), to_write=True) is None
        with pytest.raises(ConfigError, match=r"give encryption\.key_file as well"):
            load_keyring(EncryptionConfig(old_key_files=(str(self.path),)), to_write=False)

    def test_a_key_that_is_away_stops_writing_and_not_reading(self) -> None:
        settings = EncryptionConfig(key_file=str(self.path))
        with pytest.raises(ConfigError, match="cannot read the encryption key"):
            load_keyring(settings, to_write=True)
        assert load_keyring(settings, to_write=False) is None

    def test_the_key_id_and_derivation_stay_as_they_are(self) -> None:
        # What earlier versions sealed must open: a change here loses data.
        key = Key(bytes(range(32)))
        assert key.id == "c98a34bcecfb5461"
        assert key.tag("P-017") == "8cc622c67af1ede915d5ec87ad52c8f7dc3c8e828814db60aa5d9623fe186b80"
        sealed = bytes.fromhex("4e5662a4b1e9c887dfc6001b0c57752231720badd0568a916c9768f3b905b889f2")
        assert key.open(sealed, "r1", "subject") == b"P-017"


def test_without_the_library_that_is_said(tmp_path: Path, script_env: dict[str, str]) -> None:
    script = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from skin_edge.results.keys import Key\n"
        "from skin_edge.errors import UsageError\n"
        "try:\n    Key(bytes(32))\nexcept UsageError as error:\n    print(error.code, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=script_env)
    assert done.stdout.startswith("missing-extra encryption needs the library cryptography"), done.stderr
    assert "pip install 'skin-edge[encryption]'" in done.stdout
