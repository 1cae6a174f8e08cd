"""Schemas in the place of providers that can't be downloaded: taken whole, and served as they are."""

import json
import re
import shutil

import pytest

from tests.support.terraform import ROOT, SCHEMAS
from tests.support.terraform_schemas.cdktf import Module
from tests.support.terraform_schemas.extract import PROVIDERS, Provider, extract

ROOM = """\
function roomWindowToHclTerraform(struct) {
    const attrs = {
        panes: {
            value: cdktf.numberToHclTerraform(struct.panes),
            isBlock: false,
            type: "simple",
            storageClassType: "number",
        },
    };
}
class RoomWindowOutputReference extends cdktf.ComplexObject {
    get panes() {
        return this.getNumberAttribute('panes');
    }
}
class RoomGuestOutputReference extends cdktf.ComplexObject {
    get name() {
        return this.getStringAttribute('name');
    }
}
class RoomGuestList extends cdktf.ComplexList {
}
class Room extends cdktf.TerraformResource {
    constructor(scope, id, config) {
        super(scope, id, {
            terraformResourceType: 'house_room',
        });
        // guest - computed: true, optional: false, required: false
        this._guest = new RoomGuestList(this, "guest", true);
        // front_window - computed: false, optional: false, required: true
        this._frontWindow = new RoomWindowOutputReference(this, "front_window");
        // window - computed: false, optional: true, required: false
        this._window = new RoomWindowList(this, "window", false);
    }
    get id() {
        return this.getStringAttribute('id');
    }
    resetId() {
        this._id = undefined;
    }
    get keys() {
        return cdktf.Fn.tolist(this.getListAttribute('keys'));
    }
    get name() {
        return this.getStringAttribute('name');
    }
    resetWindow() {
        this._window.internalValue = undefined;
    }
    synthesizeHclAttributes() {
        const attrs = {
            front_window: {
                value: roomWindowToHclTerraform(this._frontWindow.internalValue),
                isBlock: true,
                type: "list",
                storageClassType: "RoomWindowList",
            },
            id: {
                value: cdktf.stringToHclTerraform(this._id),
                isBlock: false,
                type: "simple",
                storageClassType: "string",
            },
            name: {
                value: cdktf.stringToHclTerraform(this._name),
                isBlock: false,
                type: "simple",
                storageClassType: "string",
            },
            window: {
                value: cdktf.listMapperHcl(roomWindowToHclTerraform, true)(this._window.internalValue),
                isBlock: true,
                type: "set",
                storageClassType: "RoomWindowList",
            },
        };
    }
}
"""
"""A module as CDK for Terraform generates them, without what is of no use here."""

WINDOW = {"attributes": {"panes": {"type": "number", "required": True}}}

ROOM_BLOCK = {
    "attributes": {
        "guest": {"type": ["set", ["object", {"name": "string"}]], "computed": True},
        "id": {"type": "string", "optional": True, "computed": True},
        "keys": {"type": ["set", "string"], "computed": True},
        "name": {"type": "string", "required": True},
    },
    "block_types": {
        "front_window": {"nesting_mode": "list", "min_items": 1, "max_items": 1, "block": WINDOW},
        "window": {"nesting_mode": "set", "block": WINDOW},
    },
}


def test_a_schema_is_read_out_of_generated_code():
    module = Module(ROOM)

    assert (module.type, module.block()) == ("house_room", ROOM_BLOCK)


def test_what_is_written_is_the_form_that_terraform_prints():
    modules = {"room": ROOM, "provider": "class House extends cdktf.TerraformProvider {\n}\n"}

    text = extract(Provider("", "example.com/our/house", ("room",)), modules.__getitem__)

    assert json.loads(text) == {
        "format_version": "1.0",
        "provider_schemas": {
            "example.com/our/house": {
                "provider": {"version": 0, "block": {}},
                "resource_schemas": {"house_room": {"version": 0, "block": ROOM_BLOCK}},
                "data_source_schemas": {},
            }
        },
    }


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_schema_holds_the_types_in_use_and_no_others(name):
    (schema,) = json.loads((SCHEMAS / f"{name}.json").read_text())["provider_schemas"].values()

    texts = [path.read_text() for path in (ROOT / "terraform").rglob("*.tf")]
    used = {
        kind: set(re.findall(rf'^{word} "({name}_\w+)"', "\n".join(texts), re.MULTILINE))
        for kind, word in (("resource_schemas", "resource"), ("data_source_schemas", "data"))
    }

    assert {kind: set(schema[kind]) for kind in used} == used


@pytest.mark.requires(shutil.which("terraform"), install="Terraform 1.11 or newer")
@pytest.mark.parametrize(("name", "stack"), {"google": "gcp_stack", "azurerm": "azure_stack"}.items())
def test_terraform_is_served_the_schema_as_it_is(name, stack, request):
    written = json.loads((SCHEMAS / f"{name}.json").read_text())

    served = json.loads(request.getfixturevalue(stack).run("providers", "schema", "-json").stdout)

    (source,) = written["provider_schemas"]
    assert _bare(served["provider_schemas"][source]) == _bare(written["provider_schemas"][source])


def _bare(value):
    """Without descriptions, of which there are none, and without what is empty."""
    if not isinstance(value, dict):
        return value
    bare = {key: _bare(each) for key, each in value.items() if key != "description_kind"}
    return {key: each for key, each in bare.items() if each not in ({}, None)}
