"""The firmware's bit field, and questions to it that never make a frame wait."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_machines import write_vcgencmd

from skin_edge.health.raspberry import (
    Question,
    decode_throttled,
    parse_temperature,
    parse_throttled,
)


@pytest.mark.parametrize(
    ("bits", "throttled", "low", "throttled_ever", "low_ever"),
    [
        (0x0, False, False, False, False),
        (0x1, False, True, False, False),
        (0x2, True, False, False, False),
        (0x4, True, False, False, False),
        (0x8, True, False, False, False),
        (0x10000, False, False, False, True),
        (0x20000, False, False, True, False),
        (0x50000, False, False, True, True),  # the documentation's example
        (0x50005, True, True, True, True),
        (0xE0008, True, False, True, False),
    ],
)
def test_each_bit_means_what_the_documentation_says(
    bits: int, throttled: bool, low: bool, throttled_ever: bool, low_ever: bool
) -> None:
    power = decode_throttled(bits)
    assert (power.throttled, power.under_voltage) == (throttled, low)
    assert (power.throttled_since_boot, power.under_voltage_since_boot) == (throttled_ever, low_ever)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_cause_is_a_bit_that_is_set(bits: int) -> None:
    known = [bit for bit in (0, 1, 2, 3, 16, 17, 18, 19) if bits >> bit & 1]
    assert len(decode_throttled(bits).causes) == len(known)
    parsed = parse_throttled(f"throttled={bits:#x}\n")
    assert parsed == decode_throttled(bits)


@settings(deadline=None)
@given(st.text())
def test_other_text_is_no_answer(text: str) -> None:
    if not text.strip().startswith(("throttled=0x", "temp=")):
        assert parse_throttled(text) is None
        assert parse_temperature(text) is None


def test_answers_as_documented() -> None:
    assert parse_temperature("temp=42.8'C\n") == 42.8
    assert parse_temperature("temp=-3.0'C") == -3.0
    assert parse_temperature("VCHI initialization failed") is None
    assert parse_throttled('error=2 error_msg="Invalid arguments"') is None


def test_without_the_program_there_is_no_answer(tmp_path: Path) -> None:
    question = Question(tmp_path, "get_throttled")
    assert question.ask(wait=True) is None
    assert question.ask(wait=False) is None


def test_a_program_that_cannot_be_started_gives_no_answer(tmp_path: Path) -> None:
    write_vcgencmd(tmp_path, script="#!/no/such/interpreter\n")
    assert Question(tmp_path, "get_throttled").ask(wait=True) is None


def test_asking_without_waiting_gives_the_answer_to_the_question_before(tmp_path: Path) -> None:
    program = write_vcgencmd(tmp_path, throttled="0x0")
    question = Question(tmp_path, "get_throttled")
    assert question.ask(wait=True) == "throttled=0x0\n"
    program.write_text(program.read_text().replace("0x0", "0x50005"))
    assert question.ask(wait=False) == "throttled=0x0\n"
    deadline = time.monotonic() + 5
    while question.ask(wait=False) != "throttled=0x50005\n":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    question.close()
    assert psutil.Process().children() == []


def test_asking_without_waiting_does_not_wait_for_a_firmware_that_hangs(tmp_path: Path) -> None:
    write_vcgencmd(tmp_path, script="#!/bin/sh\nexec sleep 60\n")
    question = Question(tmp_path, "get_throttled", timeout_s=0.2)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    waited_s = []
    for _ in range(30):
        started = time.monotonic()
        assert question.ask(wait=False) is None
        waited_s.append(time.monotonic() - started)
        time.sleep(0.02)
    assert statistics.median(waited_s) < 0.1
    assert len(psutil.Process().children()) <= 1
    question.close()
    assert psutil.Process().children() == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_a_failing_program_is_no_answer(tmp_path: Path) -> None:
    write_vcgencmd(tmp_path, script="#!/bin/sh\necho throttled=0x0\nexit 3\n")
    assert Question(tmp_path, "get_throttled").ask(wait=True) is None
