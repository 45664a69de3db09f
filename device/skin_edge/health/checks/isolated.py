"""One check in a process of its own.

python -m skin_edge.health.checks.isolated CHECK [CONFIG]      one finding as JSON on stdout
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from skin_edge.errors import SkinEdgeError
from skin_edge.health.checks.check import Finding
from skin_edge.health.checks.registry import find, make_context


def main(name: str, config: str | None = None) -> None:
    """Run the check `name` with the settings file `config`, and write what it found."""
    try:
        finding = find(name, make_context(Path(config) if config else None, None))
    except SkinEdgeError as error:
        finding = Finding(status="fail", message=str(error), data={"code": error.code})
    except Exception as error:  # noqa: BLE001 - a library that cannot be imported is what is looked for
        finding = Finding(
            status="fail",
            message=" ".join(f"{type(error).__name__}: {error}".split())[:600],
            fix="install skin-edge again in a fresh virtual environment",
            data={"code": "check-crashed"},
        )
    sys.stdout.buffer.write(msgspec.json.encode(finding))


if __name__ == "__main__":
    main(*sys.argv[1:3])
