"""Cuts an SQL filter into words, constants and signs, and says where it went wrong."""

import re
from typing import Any, NamedTuple

from shared.kernel.errors import ConfigurationError

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>N?'(?:[^']|'')*')
        | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])
        | (?P<quoted>\[(?:[^]]|]])+]|"(?:[^"]|"")+")
        | (?P<word>[^\W\d_]\w*)
        | (?P<sign><>|!=|<=|>=|[=<>(),.])
        | (?P<end>$)
    )""",
    re.VERBOSE,
)

_RESERVED = {"AND", "ESCAPE", "EXISTS", "FALSE", "IN", "IS", "LIKE", "NOT", "NULL", "OR", "TRUE"}
_BOOLEANS = {"TRUE": True, "FALSE": False}


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


class Tokens:
    """One token at a time; keywords in any case."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._token = self._next(0)

    @property
    def kind(self) -> str:
        """What comes next: a word, a sign, a quoted name, a constant or the end."""
        if self._token.kind in ("text", "number") or self._is_keyword(*_BOOLEANS):
            return "constant"
        return self._token.kind

    @property
    def place(self) -> int:
        """Where it begins."""
        return self._token.place

    def has(self, text: str) -> bool:
        """Go past the token if it is this keyword or sign."""
        found = self._is_keyword(text) or (self._token.kind, self._token.text) == ("sign", text)
        if found:
            self._advance()
        return found

    def take(self, kind: str, text: str, expected: str = "") -> None:
        """Go past the token, which has to be this one."""
        if self._token.kind != kind or self._token.text.upper() != text:
            raise self.error(expected or text)
        if kind != "end":
            self._advance()

    def scope(self) -> str:
        """Go past `sys.` or `user.`, and say which it was; empty if there is none."""
        if not self._is_keyword("SYS", "USER"):
            return ""
        before = self._token
        self._advance()
        if self._token.text == ".":
            self._advance()
            return before.text.lower()
        self._token = before
        return ""

    def name(self) -> str:
        """Go past a property's name."""
        kind, text, _ = self._token
        if kind == "quoted":
            self._advance()
            end = text[-1]
            return text[1:-1].replace(end * 2, end)
        if kind != "word" or text.upper() in _RESERVED:
            raise self.error("a property, a constant, EXISTS, NOT or (")
        self._advance()
        return text

    def constant(self) -> Any:
        """Go past a constant; the value."""
        kind, text, _ = self._token
        self._advance()
        if kind == "text":
            return text.removeprefix("N")[1:-1].replace("''", "'")
        if kind == "number":
            return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
        return _BOOLEANS[text.upper()]

    def error(self, expected: str, place: int | None = None) -> ConfigurationError:
        """What to raise for something else than what is expected, here or at a place before."""
        token = self._token if place is None else self._next(place)
        there = f"'{token.text}'" if token.text else "its end"
        return ConfigurationError(
            f"the filter {self._expression!r} has {there} at character {token.place + 1}, where {expected} is expected"
        )

    def _is_keyword(self, *words: str) -> bool:
        return self._token.kind == "word" and self._token.text.upper() in words

    def _advance(self) -> None:
        self._token = self._next(self._token.place + len(self._token.text))

    def _next(self, place: int) -> _Token:
        if not (found := _TOKEN.match(self._expression, place)):
            beyond = place + len(self._expression[place:]) - len(self._expression[place:].lstrip())
            self._token = _Token("", self._expression[beyond:].split(maxsplit=1)[0], beyond)
            raise self.error("something known")
        kind = str(found.lastgroup)
        return _Token(kind, found[kind], found.start(kind))
