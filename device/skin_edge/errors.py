"""Every error that skin-edge raises on purpose, and the exit status each one ends a command with.

    SkinEdgeError                     1
    ├── ImageError (ValueError)       1   one input that cannot be used; the others go on
    ├── UsageError (ValueError)       2   a wrong option or argument
    │   └── ConfigError               2   a wrong setting, with its path
    ├── CameraError (OSError)         3   no frame to be had
    ├── ModelError (RuntimeError)     4   the network cannot be loaded or run
    │   └── BundleError (ValueError)  4   a bundle that must not be used
    ├── StorageError (OSError)        5   the results log cannot take or give a row
    └── HealthError (RuntimeError)    6   a health check or a deployment failed

An error inherits the builtin it specialises, so that callers who know nothing of skin-edge can catch it.
`code` is stable and meant for scripts; the message is meant for people and says what happened, to which
input, and what to do.
"""

from __future__ import annotations


class SkinEdgeError(Exception):
    """Base of all expected failures.

    Args:
        message: one line for a person.
        code: a stable identifier for scripts; the class's own where none is given.
    """

    exit_code = 1
    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


class ImageError(SkinEdgeError, ValueError):
    """An image that cannot be read or is not usable as a frame.

    Attributes:
        image: what a person calls the image, where the one who raised or passed on the error knows it.
    """

    code = "image"
    image: str | None = None


class UsageError(SkinEdgeError, ValueError):
    """An option or argument that makes no sense."""

    exit_code = 2
    code = "usage"


class ConfigError(UsageError):
    """A configuration file or value that does not fit the schema."""

    code = "config"


class CameraError(SkinEdgeError, OSError):
    """A frame source that cannot be opened or stopped giving frames."""

    exit_code = 3
    code = "camera"


class ModelError(SkinEdgeError, RuntimeError):
    """A network that cannot be loaded or run on this machine."""

    exit_code = 4
    code = "model"


class BundleError(ModelError, ValueError):
    """A bundle that is malformed, altered, or does not do here what it did where it was made."""

    code = "bundle"


class StorageError(SkinEdgeError, OSError):
    """The results log or an image beside it could not be written or read."""

    exit_code = 5
    code = "storage"


class HealthError(SkinEdgeError, RuntimeError):
    """A health check or a deployment failed."""

    exit_code = 6
    code = "health"


def one_line(text: str, limit: int = 300) -> str:
    """Return `text` from an untrusted source as one printable line of at most `limit` characters."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text[: 4 * limit].split()))
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
