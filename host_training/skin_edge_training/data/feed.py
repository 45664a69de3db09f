"""What `fit` and `predict` are fed with: on TensorFlow, pipelines that do not tune themselves.

tf.data starts a thread for every iterator that tunes its buffers, and when an iterator ends it waits for it.
Seen with TensorFlow 2.21, once in some hundred iterators: the thread slept on, and a training that had run
for minutes stood still. Our pipeline is one thread and a buffer of two: there is nothing to tune.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras

TENSORFLOW = "tensorflow"
PREFETCHED = 2


def is_tensorflow() -> bool:
    """Whether Keras runs on TensorFlow."""
    return bool(keras.backend.backend() == TENSORFLOW)


def feed(batches: keras.utils.PyDataset) -> Any:
    """Return batches as `fit` and `predict` take them: as they are but on TensorFlow.

    Args:
        batches: read anew for every epoch, in order.
    """
    if not is_tensorflow():
        return batches
    return _pipeline(batches.__getitem__, len(batches))


def feed_arrays(arrays: Any, batch_size: int) -> Any:
    """Return (inputs,) or (inputs, labels) of N rows each: in batches on TensorFlow, else as they are."""
    if not is_tensorflow():
        return arrays

    def batch(number: int) -> Any:
        rows = slice(number * batch_size, (number + 1) * batch_size)
        return keras.tree.map_structure(lambda array: array[rows], arrays)

    return _pipeline(batch, -(-len(keras.tree.flatten(arrays)[0]) // batch_size))


def _pipeline(batch: Callable[[int], Any], count: int) -> Any:
    """A tf.data pipeline of `count` batches."""
    import tensorflow as tf

    def in_order() -> Iterator[Any]:
        for number in range(count):
            yield batch(number)

    shapes = keras.tree.map_structure(
        lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), batch(0)
    )
    made = tf.data.Dataset.from_generator(in_order, output_signature=shapes)
    options = tf.data.Options()
    options.autotune.enabled = False
    counted = made.apply(tf.data.experimental.assert_cardinality(count))
    return counted.prefetch(PREFETCHED).with_options(options)
