"""A file that grows past the limit has two jobs."""

import ast
from collections.abc import Iterator

MODULE_LINES = 300
FUNCTION_LINES = 40


def module_lines(module: ast.Module) -> int:
    """Lines up to the last statement."""
    return max((node.end_lineno for node in module.body), default=0)


def function_lines(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Each function and method with its length, from `def` to its last statement."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node.end_lineno - node.lineno + 1


def test_no_module_is_longer_than_300_lines(modules):
    lengths = {path: module_lines(tree) for path, tree in modules.items()}

    too_long = {path: lines for path, lines in lengths.items() if lines > MODULE_LINES}

    assert too_long == {}


def test_no_function_is_longer_than_40_lines(modules):
    lengths = {f"{path}: {name}": lines for path, tree in modules.items() for name, lines in function_lines(tree)}

    too_long = {place: lines for place, lines in lengths.items() if lines > FUNCTION_LINES}

    assert too_long == {}


def test_lengths_are_counted_from_the_first_line_to_the_last():
    tree = ast.parse('"""Two functions."""\n\n\ndef outer():\n    def inner():\n        return 1\n\n    return inner\n')

    lengths = dict(function_lines(tree))

    assert module_lines(tree) == 8
    assert lengths == {"outer": 5, "inner": 2}
