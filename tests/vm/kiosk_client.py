"""Asks the kiosk for captures as its page does; runs in the machine, with nothing but Python.

    kiosk_client.py COUNT     0: for ever

Prints a line of JSON for each answer as it comes: {"http": 200, "result_id": ...}, or what it said instead.
A result that is printed was acknowledged.
"""

from __future__ import annotations

import http.client
import json
import re
import sys

HOST, PORT = "127.0.0.1", 8080
TIMEOUT_S = 180


def main(count: int) -> None:
    headers = open_page()
    post("/api/consent", {"accepted": True}, headers)
    done = 0
    while count == 0 or done < count:
        status, said = post("/api/capture", {"subject": "P-001", "site": None}, headers)
        line = {"http": status} | ({"result_id": said["result"]["result_id"]} if status == 200 else said)
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        done += 1


def open_page() -> dict[str, str]:
    """Return the headers that the page would send: its token, twice."""
    connection = http.client.HTTPConnection(HOST, PORT, timeout=TIMEOUT_S)
    connection.request("GET", "/")
    answer = connection.getresponse()
    found = re.search(r'name="csrf-token"\s+content="([^"]+)"', answer.read().decode("utf-8"))
    cookies = [value.partition(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    assert found, "no token in the page"
    return {
        "Content-Type": "application/json",
        "Cookie": "; ".join(cookies),
        "Origin": f"http://{HOST}:{PORT}",
        "X-CSRF-Token": found[1],
    }


def post(path: str, body: object, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection(HOST, PORT, timeout=TIMEOUT_S)
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


if __name__ == "__main__":
    main(int(sys.argv[1]))
