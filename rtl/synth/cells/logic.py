"""Boolean functions of Liberty files as truth tables.

Syntax (Liberty reference manual, "function" attribute): ``!a`` and ``a'`` invert, ``^`` is XOR, ``a b``, ``a*b``
and ``a&b`` are AND, ``a+b`` and ``a|b`` are OR, 0 and 1 are constants. Precedence: inversion, XOR, AND, OR.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hwsim.ir.errors import ArtifactError

MAX_INPUTS = 6  # a table of 64 bits
_TOKEN = re.compile(r"\s*([A-Za-z_][\w.\[\]]*|[01]|[!'^*&+|()])")
_PATTERN = (
    0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0, 0xFF00FF00FF00FF00, 0xFFFF0000FFFF0000,
    0xFFFFFFFF00000000,
)  # fmt: skip
_ALL = (1 << 64) - 1


def names_of(text: str) -> tuple[str, ...]:
    """Names that a function reads, in order of appearance; raises `ArtifactError` for a strange character."""
    return tuple(dict.fromkeys(token for token in _tokens(text) if token[0].isalpha() or token[0] == "_"))


def truth_table(text: str, names: Sequence[str]) -> int:
    """Truth table of a function of `names`: bit a = value at address a, name j is address bit j.

    Raises:
        ArtifactError: wrong syntax, a name that is not in `names`, or more than six names.
    """
    if len(names) > MAX_INPUTS:
        raise ArtifactError.of(f"function {text!r}", f"{len(names)} inputs", "at most 6", "Put the cell on dont_use.")
    value = _Parser(text, dict(zip(names, _PATTERN, strict=False))).parse()
    return value & ((1 << (1 << len(names))) - 1)


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ArtifactError.of("Liberty function", repr(text), "names, 0, 1 and ! ' ^ * & + | ( )", "Mend it.")
        tokens.append(found[1])
        at = found.end()
    return tokens


class _Parser:
    """Recursive descent over 64-bit tables: one method a level of precedence."""

    def __init__(self, text: str, values: dict[str, int]) -> None:
        self.text, self.values = text, values
        self.tokens = _tokens(text)
        self.at = 0

    def parse(self) -> int:
        value = self._or()
        if self.at != len(self.tokens):
            raise self._error(self.tokens[self.at])
        return value

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _error(self, got: str) -> ArtifactError:
        known = ", ".join(self.values) or "no names"
        return ArtifactError.of(
            f"Liberty function {self.text!r}", got or "its end", f"an expression of {known}", "Mend it."
        )

    def _or(self) -> int:
        value = self._and()
        while self._next() in ("+", "|"):
            self.at += 1
            value |= self._and()
        return value

    def _and(self) -> int:
        value = self._xor()
        while (token := self._next()) and token not in ("+", "|", ")"):
            if token in ("*", "&"):
                self.at += 1
            value &= self._xor()
        return value

    def _xor(self) -> int:
        value = self._unary()
        while self._next() == "^":
            self.at += 1
            value ^= self._unary()
        return value

    def _unary(self) -> int:
        token = self._next()
        self.at += 1
        if token == "!":
            return _ALL ^ self._unary()
        if token == "(":
            value = self._or()
            if self._next() != ")":
                raise self._error(self._next())
            self.at += 1
        elif token in ("0", "1"):
            value = _ALL * int(token)
        elif token in self.values:
            value = self.values[token]
        else:
            raise self._error(token)
        while self._next() == "'":
            self.at += 1
            value ^= _ALL
        return value
