"""An interpreter of Pub/Sub's filter language, as far as our filters use it ("Filter messages from a subscription").

```
expression = term {"AND" term} | term {"OR" term}          AND and OR are not mixed without parentheses
term       = ["NOT"] term | "(" expression ")" | attribute
attribute  = "attributes:" key | "attributes." key ("=" | "!=") text | "hasPrefix(attributes." key "," text ")"
key        = letters, digits, "_" and "-", or a text
```

Anything else is refused, where Google might understand it.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from shared.kernel.errors import ConfigurationError

Attributes = Mapping[str, str]
Filter = Callable[[Attributes], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\["\\])*")|(?P<word>[A-Za-z0-9_-]+)|(?P<sign>!=|[=:.,()])|(?P<end>$))"""
)
_ESCAPED = re.compile(r"\\(.)")


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


def compiled(expression: str) -> Filter:
    """Whether a message with these attributes passes; an empty filter lets everything in.

    Raises ConfigurationError that names the place for what is not understood.
    """
    return _Parser(expression).whole() if expression.strip() else lambda _: True


class _Parser:
    """Recursive descent: one method a rule of the grammar."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._token = self._next(0)

    def whole(self) -> Filter:
        found = self._joined()
        if self._token.kind != "end":
            raise self._error("AND, OR or the end")
        return found

    def _joined(self) -> Filter:
        terms, word = [self._term()], self._token.text
        if self._token.kind == "word" and word in ("AND", "OR"):
            while self._has("word", word):
                terms.append(self._term())
            if self._token.text in ("AND", "OR"):
                raise self._error(f"{word}, or parentheses around what {word} joins,")
        return _all(terms) if word == "AND" else _any(terms)

    def _term(self) -> Filter:
        if self._has("word", "NOT"):
            inner = self._term()
            return lambda attributes: not inner(attributes)
        if self._has("sign", "("):
            found = self._joined()
            self._take("sign", ")")
            return found
        if self._has("word", "hasPrefix"):
            return self._prefix()
        self._take("word", "attributes", "an attribute, hasPrefix, NOT or (")
        return self._present() if self._has("sign", ":") else self._compared()

    def _present(self) -> Filter:
        key = self._key()
        return lambda attributes: key in attributes

    def _compared(self) -> Filter:
        self._take("sign", ".", ". or :")
        key, equal = self._key(), self._has("sign", "=")
        if not equal:
            self._take("sign", "!=", "= or !=")
        value = self._text()
        # What a message lacks is equal to nothing.
        return lambda attributes: (attributes.get(key) == value) == equal

    def _prefix(self) -> Filter:
        self._take("sign", "(")
        self._take("word", "attributes")
        self._take("sign", ".")
        key = self._key()
        self._take("sign", ",")
        beginning = self._text()
        self._take("sign", ")")
        return lambda attributes: key in attributes and attributes[key].startswith(beginning)

    def _key(self) -> str:
        return self._text() if self._token.kind == "text" else self._take("word", "", "a key")

    def _text(self) -> str:
        return _ESCAPED.sub(r"\1", self._take("text", "", "a text in quotation marks")[1:-1])

    def _has(self, kind: str, text: str) -> bool:
        """Go past the token if it is this one."""
        found = (self._token.kind, self._token.text) == (kind, text)
        if found:
            self._advance()
        return found

    def _take(self, kind: str, text: str, expected: str = "") -> str:
        """Go past the token, which has to be of the kind, and to be the text unless that is empty."""
        token = self._token
        if token.kind != kind or text not in ("", token.text):
            raise self._error(expected or text)
        self._advance()
        return token.text

    def _advance(self) -> None:
        self._token = self._next(self._token.place + len(self._token.text))

    def _next(self, place: int) -> _Token:
        if not (found := _TOKEN.match(self._expression, place)):
            beyond = place + len(self._expression[place:]) - len(self._expression[place:].lstrip())
            self._token = _Token("", self._expression[beyond:].split(maxsplit=1)[0], beyond)
            raise self._error("something known")
        kind = str(found.lastgroup)
        return _Token(kind, found[kind], found.start(kind))

    def _error(self, expected: str) -> ConfigurationError:
        there = f"'{self._token.text}'" if self._token.text else "its end"
        return ConfigurationError(
            f"the filter {self._expression!r} has {there} at character {self._token.place + 1}, where {expected}"
            " is expected"
        )


def _all(terms: list[Filter]) -> Filter:
    return lambda attributes: all(term(attributes) for term in terms)


def _any(terms: list[Filter]) -> Filter:
    return lambda attributes: any(term(attributes) for term in terms)
