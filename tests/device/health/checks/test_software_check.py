"""Versions, and a runtime that cannot be used."""

from __future__ import annotations

import sys
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from skin_edge.health.checks import software
from skin_edge.health.checks.check import Context

MakeContext = Callable[..., Context]


def test_this_environment_is_ok_and_tells_its_versions(make_context: MakeContext) -> None:
    finding = software.check_software(make_context())
    assert finding.status == "ok", finding
    assert (finding.data["numpy"], finding.data["opencv"]) == (np.__version__, cv2.__version__)
    assert finding.data["python"] in finding.message


def test_a_runtime_that_is_no_longer_maintained_is_a_warning(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(software, "_installed", {"tflite-runtime": "2.14.0"}.get)
    assert software.check_software(make_context()).status == "warn"
    monkeypatch.setattr("platform.machine", lambda: "armv7l")  # where there is no other
    assert software.check_software(make_context()).status == "ok"


def test_a_runtime_that_cannot_be_imported_fails(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ai_edge_litert", "ai_edge_litert.interpreter", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, name, None)
    finding = software.check_software(make_context())
    assert (finding.status, "no network can run" in finding.message) == ("fail", True)
    assert "pip install" in (finding.fix or "")


def test_a_python_that_is_too_old_fails(make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 9, 2, "final", 0))
    assert software.check_software(make_context()).status == "fail"
