"""The kiosk's catalogues: complete, in step with the page, and in the wheel."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from hatchling.builders.wheel import WheelBuilder

from skin_edge.kiosk import i18n

ROOT = Path(__file__).resolve().parents[3]
KIOSK = ROOT / "device" / "skin_edge" / "kiosk"

LANGUAGES = [code for code, _ in i18n.LANGUAGES]
PLACEHOLDER = re.compile(r"\{\w+\}")


def read(lang: str) -> Catalog:
    path = i18n.LOCALE_DIR / lang / "LC_MESSAGES" / f"{i18n.DOMAIN}.po"
    with path.open("rb") as stream:
        return read_po(stream, locale=lang)


def messages(catalog: Catalog) -> dict[object, object]:
    """Texts by msgid, without the header."""

    def fixed(text: object) -> object:
        return tuple(text) if isinstance(text, list) else text

    return {fixed(message.id): fixed(message.string) for message in catalog if message.id}


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> set[object]:
    """The msgids that templates and scripts have now."""
    pot = tmp_path_factory.mktemp("pot") / "skin_edge.pot"
    command = [sys.executable, "-m", "babel.messages.frontend", "--quiet", "extract", "-F", "pyproject.toml"]
    subprocess.run([*command, "-o", str(pot), "device/skin_edge"], cwd=ROOT, check=True, timeout=60)
    with pot.open("rb") as stream:
        return set(messages(read_po(stream)))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_catalogue_has_every_text_of_the_page_and_no_other(lang: str, extracted: set[object]) -> None:
    assert len(extracted) > 150
    assert set(messages(read(lang))) == extracted, "run `make translations`, then translate what is new"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_text_is_translated_in_all_its_forms(lang: str) -> None:
    catalog = read(lang)
    for message in catalog:
        strings = message.string if message.pluralizable else (message.string,)
        assert all(strings), message.id
        assert not message.fuzzy or not message.id, message.id
        if message.pluralizable:
            assert len(strings) == catalog.num_plurals, message.id


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_placeholder_is_lost_or_misspelt(lang: str) -> None:
    for msgid, string in messages(read(lang)).items():
        if isinstance(msgid, str):
            assert sorted(PLACEHOLDER.findall(msgid)) == sorted(PLACEHOLDER.findall(str(string))), msgid
        else:
            # A form for exactly one, or two, may say the number in a word.
            assert isinstance(string, tuple)
            for form in string:
                assert set(PLACEHOLDER.findall(form)) <= set(PLACEHOLDER.findall(msgid[1])), msgid


@pytest.mark.parametrize("lang", ["es", "bn", "ar"])
def test_hardly_a_text_is_left_in_english(lang: str) -> None:
    same = {str(msgid) for msgid, string in messages(read(lang)).items() if msgid == string}
    assert same <= {"PIN", "abdomen", "no", "{ms} ms"}


@pytest.mark.parametrize("lang", ["bn", "ar"])
def test_digits_are_latin_as_on_the_whole_page(lang: str) -> None:
    assert not re.search("[০-৯٠-٩]", str(list(messages(read(lang)).values())))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_compiled_catalogue_is_the_one_that_is_edited(lang: str) -> None:
    with (i18n.LOCALE_DIR / lang / "LC_MESSAGES" / f"{i18n.DOMAIN}.mo").open("rb") as stream:
        compiled = messages(read_mo(stream))
    assert compiled == messages(read(lang)), "run `make translations`"


def test_plurals_of_arabic() -> None:
    def count(n: int) -> str:
        return i18n.load("ar").ngettext("{n} result", "{n} results", n)

    assert [count(n) for n in (0, 1, 2)] == ["لا نتائج", "نتيجة واحدة", "نتيجتان"]
    assert count(3) == count(110) == "{n} نتائج"
    assert count(11) == count(99) == count(100) == "{n} نتيجة"


def test_the_scripts_get_every_text_with_its_plurals() -> None:
    catalog = i18n.js_catalog("ar")
    assert catalog["Capture"] == "التقاط"
    assert len(catalog["{n} result"]) == 6
    assert "" not in catalog


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [((None, "fr", "es-MX", "ar"), "es"), (("AR",), "ar"), ((), "en"), (("", "../../etc"), "en")],
)
def test_the_first_known_language_is_chosen(wanted: tuple[str | None, ...], chosen: str) -> None:
    assert i18n.choose(wanted) == chosen


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        (None, []),
        ("bn", ["bn"]),
        ("fr;q=0.3, es-MX, bn;q=0.9", ["es-MX", "bn", "fr"]),
        ("ar;q=0, en;q=nonsense, es;q=2, bn;q=nan, ,;q=1", []),
    ],
)
def test_accept_language(header: str | None, tags: list[str]) -> None:
    assert i18n.accepted(header) == tags


def test_an_unknown_language_is_english() -> None:
    assert i18n.load("xx") is not None
    assert i18n.js_catalog("xx")["Capture"] == "Capture"
    assert (i18n.direction("ar"), i18n.direction("en"), i18n.direction("xx")) == ("rtl", "ltr", "ltr")


def test_the_wheel_has_the_page_its_files_and_its_catalogues(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    found = [path for folder in ("templates", "static", "locale") for path in (KIOSK / folder).rglob("*")]
    shipped = [path for path in found if path.is_file()]
    assert len(shipped) > 40
    assert {f"skin_edge/kiosk/{path.relative_to(KIOSK).as_posix()}" for path in shipped} <= packed
    # Three packages: roles, playbooks and the like are for who has the repository.
    folders = {name.partition("/")[0] for name in packed if ".dist-info/" not in name}
    assert folders == {"skin_edge", "skin_edge_training", "skin_edge_deploy"}


def test_the_page_asks_nobody_else_and_has_nothing_inline() -> None:
    for path in [*KIOSK.glob("templates/*.html"), *KIOSK.glob("static/**/*.*")]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//cdn|\bstyle=|\son\w+=\"|<style|javascript:", text), path
