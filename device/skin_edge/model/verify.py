"""Prove a bundle on this machine: load it and run its golden vectors, in a process that may die of it.

The runtime parses the model in C++, where a hostile or damaged one can do worse than raise. This guards
against crashes and endless loops; it is no sandbox against a model made to attack the runtime.

    python -m skin_edge.model.verify BUNDLE TIMEOUT_S      the child's side: one JSON object on stdout
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from skin_edge.errors import BundleError, ModelError
from skin_edge.model.bundle import Bundle, open_bundle, sha256_hex
from skin_edge.model.golden import GoldenReport, check_golden
from skin_edge.model.manifest import one_line
from skin_edge.model.runtime import RUNTIME_CODE, Network
from skin_edge.preprocess.pipeline import Preprocessor
from skin_edge.strict import Strict

#: An import and a few invokes take two or three seconds on a Pi Zero 2.
TIMEOUT_S = 60.0
#: Address space of the child: the runtime and OpenCV map about 1 GiB, a model of ours a few MiB more.
MAX_ADDRESS_SPACE_BYTES = 4 * 1024**3


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """A bundle that does here what it did where it was made.

    Attributes:
        bundle: the very bytes that were proven.
        golden: how close the results were.
    """

    bundle: Bundle
    golden: GoldenReport


class _Answer(Strict, frozen=True):
    """What the child says: a report, or why there is none."""

    manifest_sha256: str | None = None
    golden: GoldenReport | None = None
    error: str | None = None
    code: str = ModelError.code


def verify_bundle(
    path: str | os.PathLike[str], isolated: bool = True, timeout_s: float = TIMEOUT_S
) -> Verification:
    """Open the bundle at `path` and run its golden vectors here.

    Args:
        path: a bundle directory or a `.skinmodel` file.
        isolated: run the network in a child process, so that a crash in the runtime is an error, not an end.
        timeout_s: seconds the child may take.

    Raises:
        BundleError: it is malformed or altered, crashes or hangs the runtime, or gives other results here.
        ModelError: this machine cannot run any model.
    """
    bundle = open_bundle(path)
    if not isolated:
        return Verification(bundle, prove(bundle))
    answer = _ask_child(bundle, timeout_s)
    if answer.error is not None:
        kind = BundleError if answer.code == BundleError.code else ModelError
        raise kind(one_line(answer.error), code=answer.code)
    if answer.golden is None or answer.manifest_sha256 != sha256_hex(bundle.manifest_yaml):
        raise _bad(bundle, "it changed while it was verified; try again")
    return Verification(bundle, answer.golden)


def prove(bundle: Bundle) -> GoldenReport:
    """Load the network of `bundle` and run its golden vectors, in this process.

    Raises:
        BundleError: the network is refused or gives other results here.
        ModelError: no runtime is installed.
    """
    spec = bundle.manifest.input
    try:
        network = Network(bundle.model, (spec.height, spec.width, spec.channels))
        return check_golden(bundle, network, Preprocessor(bundle.manifest.preprocess))
    except ModelError as error:
        if error.code == RUNTIME_CODE:
            raise
        raise _bad(bundle, str(error)) from None


def _ask_child(bundle: Bundle, timeout_s: float) -> _Answer:
    command = [sys.executable, "-m", __name__, os.path.abspath(bundle.origin), str(timeout_s)]  # noqa: PTH100
    environment = os.environ | {
        "PYTHONSAFEPATH": "1",  # no module of the working directory is imported
        "OPENBLAS_NUM_THREADS": "1",  # a stack a core would eat the address space
    }
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise _bad(bundle, f"the model did not finish its golden vectors in {timeout_s:g} s") from None
    if done.returncode < 0:
        number = -done.returncode
        raise _bad(bundle, f"the model crashed the runtime (signal {number}, {signal.strsignal(number)})")
    try:
        if done.returncode:
            raise ValueError
        return msgspec.json.decode(done.stdout, type=_Answer)
    except ValueError:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = f": {one_line(lines[-1], 200)}" if lines else ""
        raise _bad(bundle, f"verification ended with status {done.returncode}{said}") from None


def _bad(bundle: Bundle, what: str) -> BundleError:
    return BundleError(one_line(f"bundle {bundle.origin}: {what}", 600))


def _limit_resources(timeout_s: float) -> None:
    """Let neither memory, time nor a core dump of the child hurt the machine, even if the parent dies."""
    import resource

    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, MAX_ADDRESS_SPACE_BYTES),
        (resource.RLIMIT_CPU, max(1, round(timeout_s))),
    ):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _answer(path: Path) -> _Answer:
    try:
        bundle = open_bundle(path)
        return _Answer(manifest_sha256=sha256_hex(bundle.manifest_yaml), golden=prove(bundle))
    except ModelError as error:
        return _Answer(error=str(error), code=error.code)
    except MemoryError:
        return _Answer(
            error=f"bundle {path}: the model needs more memory than allowed", code=BundleError.code
        )


if __name__ == "__main__":
    _limit_resources(float(sys.argv[2]))
    sys.stdout.buffer.write(msgspec.json.encode(_answer(Path(sys.argv[1]))))
