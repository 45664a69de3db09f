"""The languages of the kiosk: gettext catalogues, made with babel and read with the standard library.

`locale/LANG/LC_MESSAGES/skin_edge.po` is what a translator edits; `make translations` brings it in step with
the page's texts and compiles the `.mo` beside it, which is what the device reads.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final, Literal

DOMAIN: Final = "skin_edge"
LOCALE_DIR: Final = Path(__file__).with_name("locale")

#: Code of each language, and what it calls itself.
LANGUAGES: Final[tuple[tuple[str, str], ...]] = (
    ("en", "English"),
    ("es", "Español"),
    ("bn", "বাংলা"),
    ("ar", "العربية"),
)
DEFAULT: Final = "en"

_CODES: Final = frozenset(code for code, _ in LANGUAGES)
_RIGHT_TO_LEFT: Final = frozenset({"ar"})

#: A browser sends a handful; what is longer is not read to its end.
_MOST_ACCEPTED: Final = 20


@cache
def load(lang: str) -> gettext.GNUTranslations:
    """Return the catalogue of a language; that of `DEFAULT` for one that is not in `LANGUAGES`.

    Raises:
        FileNotFoundError: the package lacks its catalogues.
    """
    known = lang if lang in _CODES else DEFAULT
    return gettext.translation(DOMAIN, LOCALE_DIR, languages=[known])


def direction(lang: str) -> Literal["ltr", "rtl"]:
    """Return in which direction a language is written, as the attribute `dir` wants it."""
    return "rtl" if lang in _RIGHT_TO_LEFT else "ltr"


def choose(wanted: Iterable[str | None]) -> str:
    """Return the first language that there is, else `DEFAULT`; ``es-MX`` counts as ``es``."""
    for tag in wanted:
        code = (tag or "").split("-", 1)[0].strip().lower()
        if code in _CODES:
            return code
    return DEFAULT


def accepted(header: str | None) -> list[str]:
    """Return the tags of an `Accept-Language` header (RFC 9110, 12.5.4), the most wanted first.

    What is not of the form of such a header is left out; a weight of 0 means not wanted.
    """
    weighted = []
    for part in (header or "").split(",")[:_MOST_ACCEPTED]:
        tag, _, parameter = part.partition(";")
        name, _, text = parameter.strip().partition("=")
        try:
            weight = float(text) if name.strip().lower() == "q" else 1.0
        except ValueError:
            continue
        if tag.strip() and 0.0 < weight <= 1.0:
            weighted.append((weight, tag.strip()))
    # Sorting is stable: of equal weight, the first one goes first.
    return [tag for _, tag in sorted(weighted, key=lambda pair: -pair[0])]


@cache
def js_catalog(lang: str) -> dict[str, str | list[str]]:
    """Return every text of the page in a language, for its scripts.

    Returns:
        English text to translated text; to the list of plural forms, in gettext's order, where it has them.
        Do not change it: it is shared.
    """
    translations = load(lang)
    catalog: dict[str, str | list[str]] = {}
    # The standard library has no public way to list a catalogue.
    entries: dict[str | tuple[str, int], str] = translations._catalog  # type: ignore[attr-defined]
    for key in sorted(entries, key=str):
        if isinstance(key, tuple):
            forms = catalog.setdefault(key[0], [])
            assert isinstance(forms, list)  # noqa: S101 - a msgid has plurals or none
            forms.append(entries[key])
        elif key:  # the empty one is the header
            catalog[key] = entries[key]
    return catalog
