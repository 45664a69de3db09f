"""The token that other machines must send, where the kiosk listens to them at all."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import stat
from pathlib import Path
from typing import Final

from starlette.requests import Request

from skin_edge.errors import ConfigError

COOKIE: Final = "skin_edge_token"

#: 32 characters of `openssl rand -hex 32` or the like cannot be guessed; a word can.
MIN_LENGTH: Final = 32
_MAX_BYTES: Final = 4096


class Token:
    """A shared secret, compared in constant time. It is in no repr, no log and no cookie.

    Args:
        secret: at least `MIN_LENGTH` characters.
    """

    __slots__ = ("_cookie", "_secret")

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        # What the browser keeps: useless elsewhere, the same after a restart, void with another token.
        self._cookie = hmac.new(self._secret, b"skin-edge kiosk cookie", hashlib.sha256).hexdigest()

    @classmethod
    def load(cls, path: Path) -> Token:
        """Read the token from a file that only its owner (and group) can read.

        Raises:
            ConfigError: it cannot be read, others can read it, or it is too short.
        """
        try:
            with path.open("rb") as stream:
                mode = stat.S_IMODE(path.stat().st_mode)
                text = stream.read(_MAX_BYTES).decode().strip()
        except OSError as error:
            raise ConfigError(f"kiosk.token_file: {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"kiosk.token_file: {path}: not a text") from None
        if mode & 0o007:
            raise ConfigError(f"kiosk.token_file: {path}: everybody can read it; chmod 600 {path}")
        if len(text) < MIN_LENGTH or not text.isascii() or any(c.isspace() for c in text):
            raise ConfigError(
                f"kiosk.token_file: {path}: expected one word of at least {MIN_LENGTH} characters; "
                f"make one with: openssl rand -hex 32 > {path}"
            )
        return cls(text)

    @property
    def cookie(self) -> str:
        """The value of the cookie that stands for the token."""
        return self._cookie

    def matches(self, sent: str) -> bool:
        """Whether this is the token."""
        return secrets.compare_digest(sent.encode(), self._secret)

    def admits(self, request: Request) -> bool:
        """Whether a request has the token or its cookie."""
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.matches(sent.strip()):
            return True
        return secrets.compare_digest(request.cookies.get(COOKIE, "").encode(), self._cookie.encode())
