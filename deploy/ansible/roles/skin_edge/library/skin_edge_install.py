#!/usr/bin/python
"""Has a device install a release or a model bundle with its own command, and says what that changed."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.skin_edge_device import COMMON, DeviceError, answer, find_program

DOCUMENTATION = """
module: skin_edge_install
short_description: Have a device install a release or a model with its own command
description:
  - Runs C(skin-edge release install), C(python3 FILE install) where there is no skin-edge yet, or
    C(skin-edge model install --activate). All checks, the switch, the health check and the way back are
    in those commands. Afterwards the upload is deleted, whatever came of it. In check mode nothing is run
    and the difference is told.
options:
  what: {type: str, required: true, choices: [release, model], description: Which of the two.}
  upload: {type: path, required: true, description: The file, on the device.}
  identity: {type: str, required: true, description: What it holds.}
  before: {type: str, description: What is in use now, as found by skin_edge_look; null for nothing.}
  installed: {type: list, elements: str, description: What was installed before.}
  program: {type: path, description: Where skin-edge is; looked for where it is not named.}
  prefix: {type: path, default: /opt/skin-edge, description: Where releases are.}
  state: {type: path, description: State directory whose models are meant.}
  python: {type: str, default: python3, description: Python that runs the release file of a bare device.}
  bare: {type: bool, default: false, description: The release file installs itself.}
  service: {type: bool, default: true, description: Whether systemd follows.}
  wait_s: {type: int, default: 120, description: Seconds to wait for another installation.}
  keep: {type: int, description: How many stay; the device's own choice where it is not named.}
author: skin-edge
"""

SHIPPED = "the shipped model"


def command(params):
    """Return the words of the device's command."""
    options = ["--json", "--wait", str(params["wait_s"])]
    if params["keep"] is not None:
        options += ["--keep", str(params["keep"])]
    program = find_program(params)
    if params["what"] == "model":
        if program is None:
            raise DeviceError(
                "skin-edge is not there; give a release as well, or say where it is", "no-skin-edge"
            )
        return [program, "model", "install", params["upload"], "--activate", *options]
    options += ["--prefix", params["prefix"]]
    if not params["service"]:
        options.append("--no-service")
    if params["bare"] or program is None:
        return [params["python"], params["upload"], "install", *options]
    return [program, "release", "install", params["upload"], *options]


def changed(params, told):
    """Return whether an installation that went well changed anything."""
    news = told.get("installed") not in (params["installed"] or [])
    return bool(told.get("activated") or told.get("removed") or news)


def difference(params, after):
    """Return the difference in use, as --diff shows it."""
    nothing = SHIPPED if params["what"] == "model" else "none"
    return {
        "before_header": f"{params['what']} in use",
        "after_header": f"{params['what']} in use",
        "before": f"{params['before'] or nothing}\n",
        "after": f"{after or nothing}\n",
    }


def main():
    """Install, or say what would be installed."""
    module = AnsibleModule(
        argument_spec={
            **COMMON,
            "what": {"type": "str", "required": True, "choices": ["release", "model"]},
            "upload": {"type": "path", "required": True},
            "identity": {"type": "str", "required": True},
            "before": {"type": "str"},
            "installed": {"type": "list", "elements": "str"},
            "python": {"type": "str", "default": "python3"},
            "bare": {"type": "bool", "default": False},
            "service": {"type": "bool", "default": True},
            "wait_s": {"type": "int", "default": 120},
            "keep": {"type": "int"},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode:
        module.exit_json(changed=True, diff=difference(params, params["identity"]), told=None)
    try:
        told = answer(module, command(params), f"{params['what']} install")
    except DeviceError as error:
        # The upload's own name says nothing to a person.
        why = str(error).replace(params["upload"], params["identity"])
        told = {key: value for key, value in error.said.items() if key not in ("error", "bundle")}
        module.fail_json(msg=f"{params['identity']}: {why}", code=error.code, told=told)
    finally:
        Path(params["upload"]).unlink(missing_ok=True)
    module.exit_json(changed=changed(params, told), diff=difference(params, told.get("current")), told=told)


if __name__ == "__main__":
    main()
