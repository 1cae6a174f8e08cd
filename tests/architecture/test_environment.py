"""Settings enter in one place: only wiring and entry points read the environment."""

import ast
from collections.abc import Iterator

import pytest

ENTRY_POINTS = {
    "functions/aws/handler.py",
    "functions/azure/function_app.py",
    "functions/gcp/main.py",
    "functions/local/cli.py",
    "terraform/cli.py",
}

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def environment_uses(module: ast.Module) -> Iterator[int]:
    """Lines that reach for the environment, whatever name `os` was given."""
    imports = [node for node in ast.walk(module) if isinstance(node, ast.Import)]
    names = {alias.asname or "os" for node in imports for alias in node.names if alias.name in {"os", "os.path"}}
    for node in ast.walk(module):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in names and attr in ENVIRONMENT:
                yield node.lineno
            case ast.ImportFrom(module="os", names=aliases) if any(a.name in {*ENVIRONMENT, "*"} for a in aliases):
                yield node.lineno


def test_only_wiring_and_entry_points_read_the_environment(modules):
    others = {
        path: tree for path, tree in modules.items() if path not in ENTRY_POINTS and not path.endswith("/wiring.py")
    }

    found = [f"{path}:{line}" for path, tree in others.items() for line in environment_uses(tree)]

    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.environ['NAME']",
        "import os as system\nsystem.getenv('NAME')",
        "import os.path\nos.environ.get('NAME')",
        "from os import environ",
        "from os import getenv as read",
        "def late():\n    from os import *",
    ],
)
def test_each_way_to_read_the_environment_is_noticed(code):
    tree = ast.parse(code)

    found = list(environment_uses(tree))

    assert len(found) == 1


def test_another_use_of_os_is_no_use_of_the_environment():
    tree = ast.parse("import os\nos.replace('a', 'b')\nsettings.environ['NAME']")

    found = list(environment_uses(tree))

    assert found == []
