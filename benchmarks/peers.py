"""Reference networks for the benchmark: random weights, 16 bit, static batch, made once and kept.

python benchmarks/peers.py OUT_DIR
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

NAMES = ("MobileNetV3Small", "MobileNetV2", "EfficientNetB0")
SIZE_PX = 224


def make(out: Path) -> None:
    """Write NAME.tflite for each reference network that `out` lacks."""
    missing = [name for name in NAMES if not (out / f"{name}.tflite").is_file()]
    if not missing:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    out.mkdir(parents=True, exist_ok=True)
    for name in missing:
        inputs = keras.Input((SIZE_PX, SIZE_PX, 3), batch_size=1)
        network = getattr(keras.applications, name)(weights=None, input_shape=(SIZE_PX, SIZE_PX, 3))
        converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(inputs, network(inputs)))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        with redirect_stdout(io.StringIO()):  # Keras lists every variable that it exports
            (out / f"{name}.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    make(Path(sys.argv[1]))
