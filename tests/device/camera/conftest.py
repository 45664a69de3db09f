"""Makes the files beside these tests importable: tests are collected without touching the module path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
