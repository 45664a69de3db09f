"""The network in the real runtime, and the networks it must refuse."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from skin_edge.errors import ModelError
from skin_edge.model.runtime import RUNTIME_CODE, Network

NETWORKS = Path(__file__).parent / "networks"
SHAPE = (32, 32, 3)


def load(name: str = "tiny") -> Network:
    return Network((NETWORKS / f"{name}.tflite").read_bytes(), SHAPE)


def tensor(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


def test_gives_the_logit_and_the_map_whose_mean_it_is() -> None:
    network = load()
    prediction = network.predict(tensor())
    assert network.map_shape == (8, 8)
    assert prediction.activation_map.shape == (8, 8)
    assert prediction.activation_map.dtype == np.float32
    assert prediction.logit == pytest.approx(float(prediction.activation_map.mean()), abs=1e-5)
    assert prediction.logit != network.predict(tensor(1)).logit


def test_results_outlive_the_next_invoke() -> None:
    network = load()
    first = network.predict(tensor())
    kept = first.activation_map.copy()
    for seed in range(1, 5):
        network.predict(tensor(seed))
    np.testing.assert_array_equal(first.activation_map, kept)


def test_a_tensor_of_another_shape_or_type_is_refused() -> None:
    network = load()
    for wrong in (tensor()[:16], tensor()[None], tensor().astype(np.float64)):
        with pytest.raises(ModelError, match=r"takes \(32, 32, 3\) float32"):
            network.predict(wrong)


def test_a_strided_tensor_gives_the_same() -> None:
    network, straight = load(), tensor()
    turned = np.ascontiguousarray(straight.transpose(1, 0, 2)).transpose(1, 0, 2)
    assert network.predict(turned).logit == network.predict(straight).logit


@pytest.mark.parametrize("data", [b"", b"TFL3" * 20, bytes(1000), b"\xff" * 1000])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="refuses the model"):
        Network(data, SHAPE)


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("tiny", (64, 32, 3), r"input is \(1, 32, 32, 3\) of float32, expected a static \(1, 64, 32, 3\)"),
        ("one_output", SHAPE, r"outputs are \(1, 1\) of float32; expected a logit and an activation map"),
        ("dynamic_batch", SHAPE, "dynamic, expected a static"),
    ],
)
def test_another_kind_of_network_is_refused(name: str, shape: tuple[int, int, int], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        Network((NETWORKS / f"{name}.tflite").read_bytes(), shape)


def test_a_result_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(ModelError, match="not a finite number"):
        load("not_finite").predict(tensor())


def test_no_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime", None)
    with pytest.raises(ModelError, match="pip install ai-edge-litert") as caught:
        load()
    assert caught.value.code == RUNTIME_CODE


def test_tflite_runtime_serves_where_litert_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_edge_litert.interpreter import Interpreter

    made = []

    class Recorded(Interpreter):  # type: ignore[misc]
        def __init__(self, **options: object) -> None:
            made.append(options)
            super().__init__(**options)

    stand_in = types.ModuleType("tflite_runtime.interpreter")
    stand_in.Interpreter = Recorded  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", stand_in)
    assert np.isfinite(load().predict(tensor()).logit)
    assert made[0]["num_threads"] == 1


def test_a_broken_runtime_is_not_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "ai_edge_litert"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text("raise ImportError('libfoo.so: wrong ELF class')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [m for m in sys.modules if m.startswith("ai_edge_litert")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModelError, match=r"installed but cannot be imported: libfoo\.so"):
        load()


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_nothing_but_errors_reaches_stderr() -> None:
    path = NETWORKS / "tiny.tflite"
    network = f"Network(open({str(path)!r}, 'rb').read(), (32, 32, 3))"
    done = run_python(
        f"from skin_edge.model.runtime import Network; {network}; import os; os.write(2, b'seen')"
    )
    assert (done.returncode, done.stderr) == (0, "seen")


def test_what_others_write_meanwhile_comes_out() -> None:
    done = run_python(
        "import os\nfrom skin_edge.model.runtime import _quiet_stderr\n"
        "with _quiet_stderr():\n    os.write(2, b'INFO: noise\\nERROR: real\\nrest')"
    )
    assert done.stderr == "ERROR: real\nrest"


def test_a_closed_stderr_is_no_obstacle() -> None:
    path = NETWORKS / "tiny.tflite"
    done = run_python(
        "import os; os.close(2)\nfrom skin_edge.model.runtime import Network\n"
        f"Network(open({str(path)!r}, 'rb').read(), (32, 32, 3)); print('built')"
    )
    assert done.stdout == "built\n"


def test_importing_the_module_does_not_import_a_runtime() -> None:
    done = run_python("import sys, skin_edge.model.classifier; sys.exit('ai_edge_litert' in sys.modules)")
    assert done.returncode == 0
