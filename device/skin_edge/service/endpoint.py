"""Where the page is on this machine, and what its /healthz says."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

if TYPE_CHECKING:
    from skin_edge.sections import KioskConfig

_TIMEOUT_S: Final = 10.0
_MAX_BYTES: Final = 65_536
_ANY: Final = ("0.0.0.0", "::", "")  # noqa: S104 - not listened at, but replaced


@dataclass(frozen=True, slots=True)
class Health:
    """What /healthz said.

    Attributes:
        status: of HTTP; None where nobody answered.
        why: one line; of a healthy service how old its last classified frame is.
        data: what it said, as it said it.
    """

    status: int | None
    why: str
    data: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether a frame was classified lately."""
        return self.status == 200 and bool(self.data)


def page_url(kiosk: KioskConfig) -> str:
    """Return the address of the page for a browser on this machine, with a slash at its end."""
    host = "127.0.0.1" if kiosk.host in _ANY else kiosk.host
    scheme = "http" if kiosk.tls_cert is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{kiosk.port}/"


def ask(url: str, timeout_s: float = _TIMEOUT_S) -> Health:
    """Ask the page at `url` how it is. Nobody answering is an answer."""
    # No proxy of the environment, and no doubt of a certificate: both ends are this machine.
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=_own_machine()))
    try:
        with opener.open(f"{url}healthz", timeout=timeout_s) as answer:
            return _read(answer.status, answer.read(_MAX_BYTES))
    except HTTPError as error:
        with error:
            return _read(error.code, error.read(_MAX_BYTES))
    except URLError as error:
        return Health(None, f"{url} does not answer: {error.reason}", {})
    except (OSError, ValueError) as error:  # a connection that ends in the middle, or what is no HTTP
        return Health(None, f"{url} does not answer: {error}", {})


def wait(url: str, timeout_s: float, any_answer_after_s: float | None = None, pause_s: float = 1.0) -> Health:
    """Ask until the page is healthy, or `timeout_s` have gone by; return what it said last.

    Args:
        url: of the page.
        timeout_s: for how long, in seconds.
        any_answer_after_s: seconds after which an answer of any kind ends the wait; None: only a healthy one.
        pause_s: seconds between two questions.
    """
    started = time.monotonic()
    while True:
        health = ask(url)
        waited = time.monotonic() - started
        patient = any_answer_after_s is None or waited < any_answer_after_s
        if health.ok or waited >= timeout_s or (not patient and health.status is not None):
            return health
        time.sleep(pause_s)


def _own_machine() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _read(status: int, body: bytes) -> Health:
    try:
        data = json.loads(body)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return Health(status, f"HTTP {status}, and not what skin-edge would say: another program?", {})
    if status == 200:
        age = data.get("frame_age_s")
        return Health(
            status, "a frame was classified" + (f" {age:.0f} s ago" if age is not None else ""), data
        )
    error = data.get("error")
    cause = error.get("message") if isinstance(error, dict) else data.get("cause")
    return Health(status, str(cause or f"HTTP {status}"), data)
