"""One start from nothing to a result.

    python -m skin_edge.health.bench.cold_child STARTED_S BUNDLE      one JSON object on stdout

Nothing is imported up here: imports are what is measured.
"""

from __future__ import annotations

import sys
import time

#: A camera's frame.
_HEIGHT_PX, _WIDTH_PX = 1080, 1920


def main(started_s: float, bundle: str) -> None:
    """Load `bundle`, classify a frame, and write what each step since `started_s` took."""
    begun_s = time.monotonic()
    from importlib import import_module

    import msgspec
    import numpy as np

    from skin_edge.frame import Frame
    from skin_edge.health.bench.process import resident_mb, runtime_module
    from skin_edge.model.classifier import Classifier
    from skin_edge.session import Session

    import_module(runtime_module())  # with the first network otherwise
    imported_s = time.monotonic()
    session = Session(Classifier.load(bundle, trusted=True))
    loaded_s = time.monotonic()
    frame = Frame(np.full((_HEIGHT_PX, _WIDTH_PX, 3), 150, np.uint8), name="cold", source="bench")
    ready_s = time.monotonic()
    session.process(frame)
    done_s = time.monotonic()
    from skin_edge.health.bench.cold import Steps

    steps = Steps(
        interpreter=(begun_s - started_s) * 1e3,
        imports=(imported_s - begun_s) * 1e3,
        load=(loaded_s - imported_s) * 1e3,
        first_result=(done_s - ready_s) * 1e3,
        peak_mb=resident_mb(peak=True),
    )
    sys.stdout.buffer.write(msgspec.json.encode(steps))


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2])
