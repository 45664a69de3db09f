"""The role says of itself what it is: variables, defaults, documentation, an inventory that loads."""

from __future__ import annotations

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from fleet import ANSIBLE

ROLE = ANSIBLE / "roles" / "skin_edge"


def test_each_variable_has_one_default_a_type_and_a_place_in_the_documentation() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]
    assert {name: one["default"] for name, one in specs["options"].items()} == defaults
    text = (ANSIBLE.parents[1] / "docs" / "fleet.md").read_text()
    assert [name for name in defaults if f"`{name}`" not in text] == []


def test_the_play_goes_through_the_example_inventory_with_its_canary_first() -> None:
    (play,) = yaml.safe_load((ANSIBLE / "site.yml").read_text())
    inventory = InventoryManager(DataLoader(), sources=[str(ANSIBLE / "inventory.example.yml")])
    hosts = [host.name for host in inventory.get_hosts(play["hosts"], order=play["order"])]
    assert hosts == ["bench-3", "clinic-1", "clinic-2", "clinic-3", "theatre-1"]
