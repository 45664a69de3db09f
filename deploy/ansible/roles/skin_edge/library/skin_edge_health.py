#!/usr/bin/python
"""Asks a device whether it is well: its service, and the doctor as the account that owns the results."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.skin_edge_device import (
    COMMON,
    DeviceError,
    find_program,
    has_service,
    owner_of,
    run,
)

DOCUMENTATION = """
module: skin_edge_health
short_description: Fail where skin-edge is not well on a device
description:
  - Runs C(skin-edge service wait) where the service is installed, and C(skin-edge doctor). Changes nothing.
options:
  program: {type: path, description: Where skin-edge is; looked for where it is not named.}
  prefix: {type: path, default: /opt/skin-edge, description: Where releases are.}
  state: {type: path, description: State directory.}
  service: {type: bool, default: true, description: Whether the service counts.}
  timeout_s: {type: int, default: 300, description: Seconds to wait for a classified frame.}
  checks: {type: list, elements: str, default: [], description: Of the doctor; all where none is named.}
author: skin-edge
"""

SERVICE_STATE = "/var/lib/skin-edge"


def ask(module, program):
    """Return what the service and the doctor say.

    Raises:
        DeviceError: not well, and why.
    """
    params, told = module.params, {"service": None}
    served = params["service"] and has_service()
    if served:
        wait = [program, "service", "wait", "--timeout", str(params["timeout_s"]), "--json"]
        status, said, words = run(module, wait, "waiting for the service")
        told["service"] = said[-1] if said else None
        if status:
            why = said[-1].get("message") if said else words
            raise DeviceError(f"the service is not healthy: {why}", "not-healthy", told)
    doctor = [program, "doctor", "--json"]
    for name in params["checks"]:
        doctor += ["--only", name]
    state = params["state"] or (SERVICE_STATE if served else None)
    user = None
    if state is not None and os.geteuid() == 0 and owner_of(state) not in (None, "root"):
        # The results are that account's alone, and root would find nothing wrong with their modes.
        user = owner_of(state)
        doctor = ["/usr/bin/env", f"SKIN_EDGE_HOME={state}", *doctor]
    status, said, words = run(module, doctor, "asking the doctor", user)
    if not said or "checks" not in said[-1]:
        raise DeviceError(f"doctor: status {status}: {words}", "not-healthy", told)
    told["doctor"] = {one["name"]: one["status"] for one in said[-1]["checks"]}
    ill = [f"{one['name']}: {one['message']}" for one in said[-1]["checks"] if one["status"] == "fail"]
    if ill:
        raise DeviceError(f"doctor: {'; '.join(ill)}", "not-healthy", told)
    return told


def main():
    """Ask."""
    module = AnsibleModule(
        argument_spec={
            **COMMON,
            "service": {"type": "bool", "default": True},
            "timeout_s": {"type": "int", "default": 300},
            "checks": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    program = find_program(module.params)
    if program is None:
        module.fail_json(msg="skin-edge is not there", code="no-skin-edge")
    try:
        told = ask(module, program)
    except DeviceError as error:
        module.fail_json(msg=str(error), code=error.code, told=error.said)
    module.exit_json(changed=False, told=told)


if __name__ == "__main__":
    main()
