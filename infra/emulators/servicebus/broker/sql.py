"""An interpreter of Service Bus's SQL filters, as far as rules here use them ("Subscription Rule SQL Filter Syntax").

```
predicate = conjunction {"OR" conjunction}
conjunction = negation {"AND" negation}
negation  = ["NOT"] negation | "(" predicate ")" | test
test      = operand ("=" | "<>" | "!=" | "<" | "<=" | ">" | ">=") operand | operand ["NOT"] "IN" "(" constants ")"
          | property "IS" ["NOT"] "NULL" | "EXISTS" "(" property ")"
operand   = property | constant
property  = ["sys." | "user."] name
```

As in SQL a test may be neither true nor false: that of a property which is not there. Anything else (arithmetic, LIKE,
functions, parameters) is refused, though Service Bus knows it.
"""

import operator
from collections.abc import Callable
from typing import Any

from infra.emulators.servicebus.broker.filters import SYSTEM_PROPERTIES, system_property, user_property
from infra.emulators.servicebus.broker.message import Message
from infra.emulators.servicebus.broker.settings import Filter
from infra.emulators.servicebus.broker.sql_tokens import Tokens

_Test = Callable[[Message], bool | None]
_Operand = Callable[[Message], Any]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_MOST_DEPTH = 32
"""How deep parentheses and NOT may nest, as with Service Bus."""


def compiled(expression: str) -> Filter:
    """Whether a message passes: only what is true does.

    Raises ConfigurationError that names the place for what is not understood.
    """
    test = _Parser(expression).whole()
    return lambda message: test(message) is True


class _Parser:
    """Recursive descent: one method a rule of the grammar."""

    def __init__(self, expression: str) -> None:
        self._tokens = Tokens(expression)
        self._depth = 0

    def whole(self) -> _Test:
        found = self._predicate()
        self._tokens.take("end", "", "AND, OR or the end")
        return found

    def _predicate(self) -> _Test:
        terms = [self._conjunction()]
        while self._tokens.has("OR"):
            terms.append(self._conjunction())
        return _any(terms) if len(terms) > 1 else terms[0]

    def _conjunction(self) -> _Test:
        terms = [self._negation()]
        while self._tokens.has("AND"):
            terms.append(self._negation())
        return _all(terms) if len(terms) > 1 else terms[0]

    def _negation(self) -> _Test:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise self._tokens.error(f"at most {_MOST_DEPTH} levels of parentheses and NOT")
        try:
            return self._term()
        finally:
            self._depth -= 1

    def _term(self) -> _Test:
        if self._tokens.has("NOT"):
            return _not(self._negation())
        if self._tokens.has("("):
            found = self._predicate()
            self._tokens.take("sign", ")", "AND, OR or )")
            return found
        if self._tokens.has("EXISTS"):
            return self._exists()
        return self._test()

    def _exists(self) -> _Test:
        self._tokens.take("sign", "(")
        value = self._property()
        self._tokens.take("sign", ")")
        return lambda message: value(message) is not None

    def _test(self) -> _Test:
        if self._tokens.kind != "constant":
            value = self._property()
            if self._tokens.has("IS"):
                return self._null(value)
        else:
            value = self._constant()
        return self._compared(value)

    def _null(self, value: _Operand) -> _Test:
        wanted = not self._tokens.has("NOT")
        self._tokens.take("word", "NULL")
        return lambda message: (value(message) is None) is wanted

    def _compared(self, value: _Operand) -> _Test:
        if self._tokens.has("NOT"):
            self._tokens.take("word", "IN")
            return _not(self._among(value))
        if self._tokens.has("IN"):
            return self._among(value)
        for sign, comparison in _COMPARISONS.items():
            if self._tokens.has(sign):
                return _comparison(comparison, value, self._operand())
        raise self._tokens.error("=, <>, !=, <, <=, >, >=, IN, NOT IN or IS")

    def _among(self, value: _Operand) -> _Test:
        self._tokens.take("sign", "(")
        values = [self._operand()]
        while self._tokens.has(","):
            values.append(self._operand())
        self._tokens.take("sign", ")", ", or )")
        return _any([_comparison(operator.eq, value, each) for each in values])

    def _operand(self) -> _Operand:
        return self._constant() if self._tokens.kind == "constant" else self._property()

    def _constant(self) -> _Operand:
        constant = self._tokens.constant()
        return lambda _message: constant

    def _property(self) -> _Operand:
        scope = self._tokens.scope()
        place = self._tokens.place
        name = self._tokens.name()
        if scope != "sys":
            return lambda message: user_property(message, name)
        if name.lower() not in SYSTEM_PROPERTIES:
            raise self._tokens.error("a system property that is known here", place)
        return lambda message: system_property(message, name)


def _comparison(comparison: Callable[[Any, Any], bool], left: _Operand, right: _Operand) -> _Test:
    def test(message: Message) -> bool | None:
        one, other = left(message), right(message)
        if one is None or other is None:
            return None
        try:
            return comparison(one, other)
        except TypeError:
            return None

    return test


def _not(test: _Test) -> _Test:
    def negated(message: Message) -> bool | None:
        found = test(message)
        return None if found is None else not found

    return negated


def _all(tests: list[_Test]) -> _Test:
    def test(message: Message) -> bool | None:
        found = [each(message) for each in tests]
        return False if False in found else None if None in found else True

    return test


def _any(tests: list[_Test]) -> _Test:
    def test(message: Message) -> bool | None:
        found = [each(message) for each in tests]
        return True if True in found else None if None in found else False

    return test
