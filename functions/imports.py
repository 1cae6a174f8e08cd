"""What a zip needs of this project: the modules that its entries reach, and no others."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

_OWN = ("functions", "infra", "shared")


def needed(root: Path, entries: Iterable[Path]) -> set[Path]:
    """The entries, and all that they import of this project: when they are loaded, or later, inside a function."""
    waiting = [*entries]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            folders = path.relative_to(root).parents
            waiting += [package for folder in folders if (package := root / folder / "__init__.py").exists()]
            waiting += [module for name in _imports(path) if (module := _module(root, name))]
    return found


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{each.name}" for each in names)
            case _:
                pass


def _module(root: Path, name: str) -> Path | None:
    parts = name.split(".")
    if parts[0] not in _OWN:
        return None
    package = root.joinpath(*parts)
    return next((each for each in (package / "__init__.py", package.with_suffix(".py")) if each.exists()), None)
