"""The role says of itself what it is: variables, defaults, documentation, an inventory that loads."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml
from fleet import ANSIBLE
from loopback import BIN

ROLE = ANSIBLE / "roles" / "skin_edge"


def test_each_variable_has_one_default_a_type_and_a_place_in_the_documentation() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]
    assert {name: one["default"] for name, one in specs["options"].items()} == defaults
    text = (ANSIBLE.parents[1] / "docs" / "fleet.md").read_text()
    assert [name for name in defaults if f"`{name}`" not in text] == []


def test_the_example_inventory_loads_with_its_canaries_first(tmp_path: Path) -> None:
    command = [BIN / "ansible-inventory", "-i", ANSIBLE / "inventory.example.yml", "--list"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["skin_edge"]["children"][0] == "canaries"
    assert set(told["skin_edge"]["children"]) == {"canaries", "pi_bookworm", "pi_trixie", "jetpack6"}
    assert told["_meta"]["hostvars"]["clinic-3"]["skin_edge_releases"] == []
