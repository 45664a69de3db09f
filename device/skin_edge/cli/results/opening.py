"""How the commands find and open the log, with the keys of the settings."""

from __future__ import annotations

from pathlib import Path

from skin_edge.cli import console
from skin_edge.config import load_config
from skin_edge.results.keys import Keyring, load_keyring
from skin_edge.results.log import FILE_NAME, ResultsLog


def open_to_read(config: Path | None) -> ResultsLog | None:
    """Return the log, or None after a note that there is none yet.

    Where the key of the settings is not there for this user, a note says so, and what it encrypted is not
    shown.

    Raises:
        ConfigError: the settings, or a key that they name, cannot be used.
        StorageError: there is a log, and it cannot be read.
    """
    state_dir, keyring = _state(config)
    return _noted(ResultsLog.open_readonly(state_dir, keyring=keyring), state_dir)


def open_to_change(config: Path | None) -> ResultsLog | None:
    """Return the log for writing, or None after a note that there is none yet.

    Raises:
        ConfigError: the settings, or a key that they name, cannot be used.
        StorageError: there is a log, and it cannot be written.
    """
    state_dir, keyring = _state(config)
    if not (state_dir / FILE_NAME).exists():
        return _noted(None, state_dir)
    return ResultsLog(state_dir, keyring=keyring)


def note_unreadable(log: ResultsLog, subject: str | None) -> None:
    """Say how many results may be of a subject that was asked for, and cannot be looked into."""
    count = log.count_sealed() if subject is not None else 0
    if count:
        console.note(
            f"{count} results are encrypted with a key that is not at hand, and may be of this subject too: "
            "set encryption.key_file or encryption.old_key_files"
        )


def _state(config: Path | None) -> tuple[Path, Keyring | None]:
    settings = load_config(config)
    keyring = load_keyring(settings.encryption, to_write=False)
    if keyring is None and settings.encryption.key_file is not None:
        console.note(
            f"{settings.encryption.key_file}: the encryption key cannot be read here: "
            "what it encrypted is not shown"
        )
    return settings.state_dir(), keyring


def _noted(log: ResultsLog | None, state_dir: Path) -> ResultsLog | None:
    if log is None:
        console.note(f"no results yet: {state_dir / FILE_NAME} begins with the first 'skin-edge capture'")
    return log
