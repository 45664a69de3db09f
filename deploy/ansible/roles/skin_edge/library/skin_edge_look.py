#!/usr/bin/python
"""Says how skin-edge is on a device; changes nothing, in check mode or out of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.skin_edge_device import COMMON, DeviceError, find_program, run

DOCUMENTATION = """
module: skin_edge_look
short_description: Say how skin-edge is on a device
description: Asks the device's own C(skin-edge release list) and C(skin-edge model list). Changes nothing.
options:
  program: {type: path, description: Where skin-edge is; looked for where it is not named.}
  prefix: {type: path, default: /opt/skin-edge, description: Where releases are.}
  state: {type: path, description: State directory whose models are meant.}
  python: {type: str, default: python3, description: Python that would run a release file.}
  config: {type: path, default: /etc/skin-edge/config.yaml, description: The settings.}
author: skin-edge
"""

_MACHINE = (
    "import json, platform, sys;"
    "print(json.dumps({'python': '%d.%d' % sys.version_info[:2], 'machine': platform.machine(),"
    " 'glibc': platform.libc_ver()[1]}))"
)


def look(module):
    """Return what is there; what cannot be told is null."""
    program = find_program(module.params)
    status, said, words = run(module, [module.params["python"], "-I", "-c", _MACHINE], "asking its Python")
    found = {
        "program": program,
        "uid": os.geteuid(),
        "config": Path(module.params["config"]).exists(),
        "python": None,
        "machine": None,
        "glibc": None,
        "releases": None,
        "release": None,
        "models": [],
        "model": None,
        "manifest_sha256": None,
    }
    if not status and said:
        found.update(said[-1])
    if program is None:
        return found
    # A skin-edge that is older than `release` does not know the word: no object, and null stays.
    prefix = ["--prefix", module.params["prefix"]]
    status, said, words = run(module, [program, "release", "list", *prefix, "--json"], "listing releases")
    if said and not status:
        found.update(releases=said[-1].get("releases"), release=said[-1].get("current"))
    status, said, words = run(module, [program, "model", "list", "--json"], "listing models")
    if status:
        raise DeviceError(f"{program} model list: status {status}: {words}")
    found["models"] = [one["identity"] for one in said]
    for one in said:
        if one["current"]:
            found.update(model=one["identity"], manifest_sha256=_manifest_sha256(module, program, one))
    return found


def _manifest_sha256(module, program, listed):
    """Return the hash of the manifest of a bundle that is whole; an older skin-edge does not list it."""
    if not listed["ok"]:
        return None
    if "manifest_sha256" in listed:
        return listed["manifest_sha256"]
    return module.sha256(f"{listed['path']}/manifest.yaml")


def main():
    """Look."""
    module = AnsibleModule(
        argument_spec={
            **COMMON,
            "python": {"type": "str", "default": "python3"},
            "config": {"type": "path", "default": "/etc/skin-edge/config.yaml"},
        },
        supports_check_mode=True,
    )
    try:
        found = look(module)
    except DeviceError as error:
        module.fail_json(msg=str(error), code=error.code)
    module.exit_json(changed=False, found=json.loads(json.dumps(found)))


if __name__ == "__main__":
    main()
