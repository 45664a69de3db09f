"""Proving a bundle in a process of its own: crashes, hangs and lies of the runtime become one error."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skin_edge.errors import BundleError, ModelError
from skin_edge.model.bundle import open_bundle, pack_bundle
from skin_edge.model.golden import read_golden
from skin_edge.model.verify import verify_bundle

NETWORKS = Path(__file__).parent / "networks"
MakeBundle = Callable[..., Path]


@pytest.fixture
def fake_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give child processes a runtime whose Interpreter does `body`."""

    def install(body: str) -> None:
        package = tmp_path / "fake" / "ai_edge_litert"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        head = "import os, signal, sys, time\nclass Interpreter:\n    def __init__(self, **_):\n"
        (package / "interpreter.py").write_text(f"{head}        {body}\n")
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    return install


@pytest.mark.parametrize("isolated", [True, False])
def test_a_good_bundle_passes(good_bundle: Path, tmp_path: Path, isolated: bool) -> None:
    archive = pack_bundle(good_bundle, tmp_path / "tiny.skinmodel")
    for path in (good_bundle, archive):
        verified = verify_bundle(path, isolated=isolated)
        assert verified.bundle.manifest.identity == "tiny-1.2.3"
        assert verified.golden.count == 2
        assert verified.golden.max_logit_difference < 1e-5


def test_relative_and_odd_paths(good_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = good_bundle.with_name("--help it's 50 %")
    good_bundle.rename(odd)
    monkeypatch.chdir(odd.parent)
    assert verify_bundle(odd.name).golden.count == 2


@pytest.mark.parametrize("isolated", [True, False])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": b"TFL3" * 300}, "refuses the model"),
        ({"model": (NETWORKS / "one_output.tflite").read_bytes()}, "expected a logit and an activation map"),
        ({"model": (NETWORKS / "not_finite.tflite").read_bytes()}, "golden vectors: "),
        ({"golden": b"PK"}, "golden.npz: not a sound zip file"),
    ],
)
def test_a_bad_bundle_is_a_bundle_error(
    make_bundle: MakeBundle, change: dict[str, Any], said: str, isolated: bool
) -> None:
    path = make_bundle(**change)
    with pytest.raises(BundleError) as caught:
        verify_bundle(path, isolated=isolated)
    message = str(caught.value)
    assert said in message
    assert str(path) in message
    assert message.isprintable()


def test_a_crash_of_the_runtime_is_a_bundle_error(
    good_bundle: Path, fake_runtime: Callable[[str], None]
) -> None:
    fake_runtime("os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(BundleError, match=r"crashed the runtime \(signal 11, Segmentation fault\)"):
        verify_bundle(good_bundle)


def test_a_hang_of_the_runtime_is_a_bundle_error(
    good_bundle: Path, fake_runtime: Callable[[str], None]
) -> None:
    fake_runtime("time.sleep(600)")
    with pytest.raises(BundleError, match="did not finish its golden vectors in 2 s"):
        verify_bundle(good_bundle, timeout_s=2.0)


def test_greed_for_memory_is_a_bundle_error(good_bundle: Path, fake_runtime: Callable[[str], None]) -> None:
    fake_runtime("self.greed = bytearray(1 << 36)")
    with pytest.raises(BundleError):
        verify_bundle(good_bundle)


@pytest.mark.parametrize(
    "body",
    [
        "os._exit(3)",
        "os._exit(0)",
        "print('not an answer'); sys.stdout.flush(); os._exit(0)",
        "sys.stdout.write('{\"golden\": null}'); sys.stdout.flush(); os._exit(0)",
    ],
)
def test_a_child_without_an_answer_is_no_proof(
    good_bundle: Path, fake_runtime: Callable[[str], None], body: str
) -> None:
    fake_runtime(body)
    with pytest.raises(BundleError):
        verify_bundle(good_bundle)


def test_a_machine_without_runtime_is_not_the_bundles_fault(
    good_bundle: Path, fake_runtime: Callable[[str], None], tmp_path: Path
) -> None:
    fake_runtime("pass")
    (tmp_path / "fake" / "ai_edge_litert" / "interpreter.py").write_text("raise ImportError('no libc')")
    with pytest.raises(ModelError, match="installed but cannot be imported") as caught:
        verify_bundle(good_bundle)
    assert not isinstance(caught.value, BundleError)


def test_a_bundle_swapped_meanwhile_is_no_proof(
    make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = make_bundle("a"), make_bundle("b", temperature=9.0)
    # The child swaps them as it starts, after the parent has opened the first.
    package = path.parent / "fake"
    package.mkdir()
    (package / "sitecustomize.py").write_text(
        f"import os\nif os.path.isdir({str(other)!r}):\n"
        f"    os.rename({str(path)!r}, {str(path)!r} + '.old'); os.rename({str(other)!r}, {str(path)!r})\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package))
    with pytest.raises(BundleError, match="changed while it was verified"):
        verify_bundle(path)


def test_damaged_networks_with_right_hashes(make_bundle: MakeBundle, parts: Any) -> None:
    """40 damaged networks: each is refused in one line, or its results really are the golden ones."""
    rng = random.Random(20260131)
    messages = {}
    for case in range(40):
        model = bytearray(parts.model)
        kind = case % 4
        if kind == 0:  # anywhere, most of it weights
            model[rng.randrange(len(model))] ^= 1 << rng.randrange(8)
        elif kind == 1:  # offsets and tables of the flatbuffer
            for _ in range(4):
                at = rng.randrange(0, 600)
                model[at] = rng.randrange(256)
        elif kind == 2:  # the graph, at the end of the file
            for _ in range(8):
                at = rng.randrange(len(model) - 1500, len(model))
                model[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        else:
            del model[rng.randrange(8, len(model)) :]
        path = make_bundle(f"case{case}", model=bytes(model))
        try:
            verified = verify_bundle(path, timeout_s=20.0)
        except BundleError as error:
            messages[path] = str(error)
        else:
            assert verified.golden.max_logit_difference <= 1e-3
            assert len(read_golden(verified.bundle.golden)["logits"]) == verified.golden.count
            assert verified.bundle.model == bytes(model)
    assert [m for path, m in messages.items() if str(path) not in m or not m.isprintable()] == []
    assert len(messages) >= 20


def test_the_bytes_that_were_proven_are_the_bytes_returned(good_bundle: Path) -> None:
    verified = verify_bundle(good_bundle)
    assert np.array_equal(
        np.frombuffer(verified.bundle.model, np.uint8),
        np.frombuffer(open_bundle(good_bundle).model, np.uint8),
    )
