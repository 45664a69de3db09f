"""A process that keeps results with pictures and deletes all the time: ``keeper.py STATE_DIR IMAGES ROWS``.

It prints each acknowledged id. IMAGES and ROWS are limits; with ROWS 0 no row goes, only pictures.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
from sample_records import make_record

from skin_edge.results import retention as retention_module
from skin_edge.results.images import ImageStore
from skin_edge.results.keeping import Keeping
from skin_edge.results.log import ResultsLog
from skin_edge.results.purge import Selection, carry_out, plan
from skin_edge.results.record import new_result_id
from skin_edge.results.retention import Retention
from skin_edge.sections import RetentionConfig

retention_module.ROWS_BETWEEN = 1  # deletion all the time, for the kill to fall into it

state_dir, images, rows = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
limits = RetentionConfig(max_images=images, max_results=rows or None, min_free_bytes=0)
pixels = np.random.default_rng().integers(0, 256, (24, 24, 3), np.uint8)
with ResultsLog(state_dir, busy_timeout_s=60.0) as log:
    keeping = Keeping(log, ImageStore(state_dir), Retention(log, limits))
    for number in itertools.count():
        subject = f"P-{number % 7}"
        record = make_record(result_id=new_result_id(), image=str(number), subject=subject)
        kept = keeping.keep(record, pixels, pixels if number % 2 else None)
        sys.stdout.write(f"{kept.result_id}\n")
        sys.stdout.flush()
        if number % 10 == 9:  # as `results purge` does
            carry_out(log, plan(log, Selection(subject=subject, keep=1)), images_only=not rows)
