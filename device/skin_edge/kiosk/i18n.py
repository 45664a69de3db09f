"""The languages of the kiosk."""

from __future__ import annotations

import gettext
from collections.abc import Iterable
from typing import Final, Literal

LANGUAGES: Final[tuple[tuple[str, str], ...]] = (
    ("en", "English"),
    ("es", "Español"),
    ("bn", "বাংলা"),
    ("ar", "العربية"),
)


def load(lang: str) -> gettext.NullTranslations:
    """Return the catalogue of a language."""
    return gettext.NullTranslations()


def direction(lang: str) -> Literal["ltr", "rtl"]:
    """Return in which direction a language is written."""
    return "rtl" if lang == "ar" else "ltr"


def choose(wanted: Iterable[str | None]) -> str:
    """Return the first language that there is, else English."""
    known = {code for code, _ in LANGUAGES}
    return next((code for tag in wanted if (code := (tag or "").partition("-")[0].lower()) in known), "en")


def accepted(header: str | None) -> list[str]:
    """Return the tags of an `Accept-Language` header."""
    return [part.partition(";")[0].strip() for part in (header or "").split(",")]


def js_catalog(lang: str) -> dict[str, str | list[str]]:
    """Return every text of the page in a language, for its scripts."""
    return {}
