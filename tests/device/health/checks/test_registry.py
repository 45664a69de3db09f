"""The running of checks: every one is told, whatever one of them does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from skin_edge.errors import UsageError
from skin_edge.health.checks import registry
from skin_edge.health.checks.check import Context, Finding

MakeContext = Callable[..., Context]


def test_a_check_that_crashes_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch, make_context: MakeContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "skin_edge")

    def crash(context: Context) -> Finding:
        raise ZeroDivisionError("no\nroom")

    monkeypatch.setattr("skin_edge.health.checks.machine.check_temperature", crash)
    results = list(registry.run(("clock", "temperature", "power"), make_context()))
    assert [r.status for r in results] == ["skip", "fail", "skip"]
    assert results[1].message == "the check itself failed: ZeroDivisionError: no room"
    assert results[1].data == {"code": "check-crashed"}
    assert "Traceback" in caplog.text, "what `skin-edge --verbose doctor` shows"


def test_a_library_that_kills_its_process_takes_no_other_check_with_it(
    monkeypatch: pytest.MonkeyPatch, make_context: MakeContext, tmp_path: Path
) -> None:
    # What wheels for another processor do: the process dies of SIGILL while it imports numpy.
    (tmp_path / "numpy.py").write_text(f"import os; os.kill(os.getpid(), {int(signal.SIGILL)})\n")
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{before}")
    software, model, power = registry.run(("software", "model", "power"), make_context())
    for result in (software, model):
        assert result.status == "fail"
        assert "crashed (signal 4, Illegal instruction)" in result.message
        assert result.fix is not None
    assert power.status == "skip"


def test_a_library_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, make_context: MakeContext, tmp_path: Path
) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    (software,) = registry.run(("software",), make_context())
    assert software.status == "fail"
    assert "libGL.so.1" in software.message


def test_a_check_that_hangs_is_ended(
    monkeypatch: pytest.MonkeyPatch, make_context: MakeContext, tmp_path: Path
) -> None:
    (tmp_path / "numpy.py").write_text("import time; time.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(registry, "ISOLATED_TIMEOUT_S", 1.0)
    (software,) = registry.run(("software",), make_context())
    assert (software.status, "did not end within 1 s" in software.message) == ("fail", True)


def test_checks_are_chosen_by_name_and_run_in_their_order() -> None:
    assert registry.chosen(()) == tuple(registry.CHECKS)
    assert registry.chosen(("clock", "config")) == ("config", "clock")
    with pytest.raises(UsageError, match=r"no such check 'clok'; there are software, config"):
        registry.chosen(("clok",))


def test_every_check_is_where_the_registry_says() -> None:
    for target in registry.CHECKS.values():
        module, _, function = target.partition(":")
        loaded = __import__(f"skin_edge.health.checks.{module}", fromlist=[function])
        assert getattr(loaded, function).__doc__


def test_wrong_settings_leave_the_other_checks_their_defaults(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("capture:\n  sourc: demo\n")
    context = registry.make_context(config, "demo", tmp_path)
    results = {r.name: r for r in registry.run(("config", "clock"), context)}
    assert results["config"].status == "fail"
    assert "did you mean 'source'" in results["config"].message
    assert results["clock"].status == "skip"
