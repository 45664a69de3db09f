"""What all tests share: where the real images are, and the installed command in a home of its own."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))  # `small_wheels`

# A shell starts background jobs with SIGINT ignored, and what is ignored stays ignored in every child: the
# commands under test would not hear Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Export needs TensorFlow, whatever the caller trains on; test_backends.py starts the other backends itself.
os.environ["KERAS_BACKEND"] = "tensorflow"

# Since 6.16 Linux gives a process a futex hash of its own, and some 6.18 kernels lose wake-ups in it: a
# thread that waits for another then stands still until a signal comes. No slots means the common hash, as
# before (PR_FUTEX_HASH, PR_FUTEX_HASH_SET_SLOTS, 0); a kernel without the choice refuses it, and needs none.
ctypes.CDLL(None).prctl(78, 1, 0, 0, 0)

# A test that is slow once on a busy machine is not wrong.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


def _find_data() -> Path | None:
    named = os.environ.get("SKIN_EDGE_DATA")
    if named:
        if not Path(named).is_dir():
            raise pytest.UsageError(f"SKIN_EDGE_DATA={named}: no such directory")
        return Path(named).resolve()
    beside = ROOT.parent / "shared" / "data"
    return beside if beside.is_dir() else None


def pytest_report_header() -> str:
    """Say at the top of every run whether the tests on real images will run."""
    data = _find_data()
    return f"skin-edge data: {data or 'MISSING (SKIN_EDGE_DATA is not set, no ../shared/data): skips tests'}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`, as `make test-long` and `make test-backends` give it."""
    parser.addoption("--long", action="store_true", help="run the tests marked long, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what takes a minute or more, unless it is asked for."""
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="takes a minute or more: run make test-long")
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder that holds `ham10000` and `kaggle_bm`; the test is skipped where there is none."""
    data = _find_data()
    if data is None:
        pytest.skip("needs the real images: set SKIN_EDGE_DATA, or put them in ../shared/data")
    return data


@pytest.fixture
def cli_env(tmp_path: Path) -> dict[str, str]:
    """Environment of a user with an empty home, whose state is in `tmp_path/state`."""
    own = ("SKIN_EDGE_", "_SKIN_EDGE", "XDG_", "PYTHONUNBUFFERED")  # buffered, as a user's output is
    kept = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "SKIN_EDGE_HOME": str(tmp_path / "state"),
        "COLUMNS": "100",
    }


@pytest.fixture(scope="session")
def cli_script() -> str:
    """The installed console script beside this interpreter."""
    script = Path(sys.executable).with_name("skin-edge")
    if not script.exists():
        pytest.fail(f"{script} is missing: install the project into this environment (make test does)")
    return str(script)


@pytest.fixture
def run_cli(cli_script: str, cli_env: dict[str, str], tmp_path: Path) -> RunCli:
    """Run `skin-edge ARGS` as a process, in `tmp_path`: `run_cli("config", "show", env={...})`.

    `env` is added to `cli_env`, None removes a variable; `timeout` is in seconds; other keywords go to
    `subprocess.run`.
    """

    def run(
        *args: str | os.PathLike[str],
        env: dict[str, str | None] | None = None,
        timeout: float = 60.0,
        **options: object,
    ) -> subprocess.CompletedProcess[str]:
        merged = {k: v for k, v in {**cli_env, **(env or {})}.items() if v is not None}
        settings: dict[str, object] = {"capture_output": True, "text": True, "cwd": tmp_path, **options}
        return subprocess.run([cli_script, *args], env=merged, timeout=timeout, **settings)  # type: ignore[call-overload,no-any-return]

    return run
