"""Which bundle is in use where none was named: the store's, else the one in the package."""

from __future__ import annotations

from pathlib import Path

from skin_edge.errors import BundleError


def default_bundle_path() -> Path:
    """Return the directory of the bundle that is shipped in the package."""
    return Path(__file__).with_name("default")


def active_bundle_path(state_dir: Path) -> Path:
    """Return the directory of the bundle in use: `models/current` of the store, else the shipped one.

    Args:
        state_dir: the state directory, which need not exist.

    Raises:
        BundleError: `current` is there but leads to no directory. What somebody installed is never replaced
            by another model in silence.
    """
    current = state_dir / "models" / "current"
    try:
        current.lstat()
    except FileNotFoundError:
        return default_bundle_path()
    except OSError as error:
        raise BundleError(f"model store: {current} cannot be read: {error.strerror}") from None
    try:
        # Resolved once, so that a switch meanwhile cannot mix two bundles.
        active = current.resolve(strict=True)
        if active.is_dir():
            return active
        reason = "is not a directory"
    except OSError as error:
        reason = f"leads nowhere ({error.strerror})"
    except RuntimeError:  # how Python before 3.13 reports a loop of links
        reason = "leads to itself"
    raise BundleError(f"model store: {current} {reason}; install a model again, or remove it")
