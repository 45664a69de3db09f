"""Asks the kiosk every second how it is; runs in the machine, with nothing but Python.

    prober.py FILE

Appends a line of JSON for each answer: when it was asked and answered (CLOCK_MONOTONIC, seconds), the HTTP
status (null where nobody answered in time), and the version of the model and the process that answered.
"""

from __future__ import annotations

import http.client
import json
import sys
import time

PERIOD_S, TIMEOUT_S = 1.0, 10.0


def main(path: str) -> None:
    with open(path, "a", buffering=1, encoding="utf-8") as stream:  # noqa: PTH123
        while True:
            asked = time.monotonic()
            status, said = ask()
            line = {"asked": asked, "answered": time.monotonic(), "http": status} | said
            stream.write(json.dumps(line) + "\n")
            time.sleep(max(0.0, asked + PERIOD_S - time.monotonic()))


def ask() -> tuple[int | None, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        said = json.loads(answer.read())
        model = said.get("model") or {}
        return answer.status, {
            "model": model.get("version"),
            "pid": said.get("pid"),
            "cause": said.get("cause"),
        }
    except (OSError, ValueError, http.client.HTTPException) as error:
        return None, {"cause": f"{type(error).__name__}: {error}"}
    finally:
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
