"""A process that appends rows and prints each acknowledged id: ``log_writer.py STATE_DIR ROWS TAG``."""

from __future__ import annotations

import sys
from pathlib import Path

from sample_records import make_record

from skin_edge.results.log import ResultsLog

state_dir, rows, tag = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
with ResultsLog(state_dir, busy_timeout_s=60.0) as log:
    for number in range(rows):
        result_id = log.append(make_record(image=f"{tag} {number}"))
        sys.stdout.write(f"{result_id}\n")
        sys.stdout.flush()
