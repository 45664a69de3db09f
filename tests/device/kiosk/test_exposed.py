"""Reached from other machines: only with TLS and a token, which is nowhere written down."""

from __future__ import annotations

import datetime
import ipaddress
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

TOKEN = "0123456789abcdef" * 3


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, str]:
    """A certificate for 127.0.0.1 that signs itself, as settings."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "skin-edge")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return {"tls_cert": str(tmp_path / "cert.pem"), "tls_key": str(tmp_path / "key.pem")}


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return str(path)


def refused(env: dict[str, str], folder: Path, host: str, **kiosk: object) -> str:
    config = folder / "refused.yaml"
    config.write_text(yaml.safe_dump({"kiosk": kiosk}))
    command = [sys.executable, "-m", "skin_edge", "kiosk", "--source", "demo", "--port", "0", "--host", host]
    done = subprocess.run([*command, "--config", config], capture_output=True, text=True, env=env, timeout=30)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert TOKEN not in done.stderr
    return done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "kiosk.example"])
def test_another_address_than_loopback_needs_both(
    cli_env: dict[str, str], tmp_path: Path, certificate: dict[str, str], token_file: str, host: str
) -> None:
    for given in ({}, certificate, {"token_file": token_file}):
        assert "other machines could reach the page" in refused(cli_env, tmp_path, host, **given)


def test_what_cannot_be_used_is_told(
    cli_env: dict[str, str], tmp_path: Path, certificate: dict[str, str], token_file: str
) -> None:
    def told(**changes: object) -> str:
        given = {**certificate, "token_file": token_file, **changes}
        return refused(cli_env, tmp_path, "0.0.0.0", **given)

    Path(token_file).chmod(0o644)
    assert "everybody can read it" in told()
    Path(token_file).chmod(0o600)
    Path(token_file).write_text("short")
    assert "at least 32 characters" in told()
    Path(token_file).write_text(TOKEN)
    assert "No such file" in told(token_file=str(tmp_path / "none"))
    assert "kiosk.tls_cert" in told(tls_cert=str(tmp_path / "none"))
    assert "one without the other" in told(tls_key=None)
    (tmp_path / "cert.pem").write_text("not a certificate")
    assert "kiosk.tls_cert" in told()


def test_every_request_needs_the_token_and_nothing_writes_it_down(
    start_kiosk: Any, certificate: dict[str, str], token_file: str, wait_until: Any
) -> None:
    kiosk = start_kiosk(
        "demo", "--host", "0.0.0.0",
        config={"kiosk": {**certificate, "token_file": token_file, "hosts": ["kiosk.example"]}},
        client={"verify": False}, verbose=True,
    )  # fmt: skip
    assert kiosk.url.startswith("https://0.0.0.0:")
    kiosk.url = kiosk.url.replace("0.0.0.0", "127.0.0.1")
    kiosk.http = kiosk.browser()
    for path in ("/", "/api/state", "/api/results", "/preview.mjpg", "/static/x.js", "/nowhere"):
        answer = kiosk.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token"), path
    assert kiosk.http.post("/api/capture", json={}).status_code == 401
    for path in ("/healthz", "/metrics"):
        assert kiosk.get(path).status_code in (200, 503), "open to the machine itself"
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert kiosk.get("/api/state", headers=bearer).status_code == 200
    assert kiosk.get("/api/state", headers=bearer | {"Host": "kiosk.example"}).status_code == 200
    assert kiosk.get("/api/state", headers=bearer | {"Host": "evil.example"}).status_code == 403
    assert kiosk.get("/api/state", headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
    assert kiosk.get("/login", params={"token": "wrong"}).status_code == 401
    entered = kiosk.get("/login", params={"token": TOKEN})
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    cookie = entered.headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"secure", "httponly", "samesite=strict"} <= {p.strip().lower() for p in cookie.split(";")}
    assert kiosk.get("/").status_code == 200
    assert kiosk.consent().capture().status_code == 200
    here = kiosk.url.rstrip("/")
    assert kiosk.post("/api/lock", {}, Origin=here).status_code == 200
    assert kiosk.post("/api/lock", {}, Origin=here.replace("https", "http")).status_code == 403
    with pytest.raises(httpx.RequestError):  # no TLS
        httpx.get(kiosk.url.replace("https", "http"), trust_env=False)
    assert kiosk.stop() == 0
    everything = "".join(kiosk.stderr)
    assert "skin_edge" in everything, "it was verbose"
    assert TOKEN not in everything
    assert "token=" not in everything


def test_on_loopback_no_token_is_asked_for(start_kiosk: Any, token_file: str) -> None:
    assert start_kiosk("demo", config={"kiosk": {"token_file": token_file}}).get("/").status_code == 200
