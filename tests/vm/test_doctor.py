"""`skin-edge doctor` on a whole machine: nothing fails where all is well, and what is broken is named."""

from __future__ import annotations

import json
from typing import Any

from machine import Machine
from make_vm import VENV_PATH

HOME = "SKIN_EDGE_HOME=/root/doctor"
#: An emulated camera's first picture takes long on a busy host.
PATIENT = "camera: {open_timeout_s: 120, read_timeout_s: 60}\n"
MUST_BE_OK = {"software", "model", "camera", "disk"}


def examine(machine: Machine, options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit status, and each check by its name."""
    told = machine.ssh(f"{HOME} skin-edge doctor --json {options}", check=False, timeout_s=300.0)
    assert "Traceback" not in told.stderr
    report = json.loads(told.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert report["ok"] is (told.returncode == 0)
    assert report["ok"] is all(check["status"] != "fail" for check in checks.values())
    return told.returncode, checks


def test_a_machine_in_order_passes(machine: Machine) -> None:
    status, checks = examine(machine, "--source demo")
    assert status == 0, checks
    assert {checks[name]["status"] for name in MUST_BE_OK} == {"ok"}, checks
    assert all(check["message"] for check in checks.values())


def test_a_missing_camera_fails_with_what_to_do(machine: Machine) -> None:
    machine.ssh("! test -e /dev/video0")
    status, checks = examine(machine, "--source v4l2:0")
    assert status == 6
    failed = {name for name, check in checks.items() if check["status"] == "fail"}
    assert "camera" in failed
    assert failed <= {"camera", "devices"}, checks  # the device file is missing too
    assert checks["camera"]["fix"]


def test_the_kernels_camera_passes(machine: Machine) -> None:
    machine.ssh("modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0 && udevadm settle")
    try:
        machine.ssh("cat > /root/doctor.yaml", stdin=PATIENT)
        _, checks = examine(machine, "--source v4l2:0 --only camera --config /root/doctor.yaml")
    finally:
        machine.ssh("rmmod vivid")
    assert checks["camera"]["status"] == "ok", checks["camera"]


def test_a_model_with_a_flipped_bit_fails(machine: Machine) -> None:
    machine.ssh(
        f"rm -rf /root/broken && cp -r {VENV_PATH}/lib/python3.11/site-packages/skin_edge/model/default "
        "/root/broken && cd /root/broken && "
        "printf x | dd of=model.tflite bs=1 seek=200000 conv=notrunc status=none && "
        "printf 'model: {path: /root/broken}\\n' > /root/broken.yaml"
    )
    status, checks = examine(machine, "--source demo --only model --config /root/broken.yaml")
    assert status == 6
    assert checks["model"]["status"] == "fail"
