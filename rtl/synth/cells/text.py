"""Liberty text as nested groups, without any knowledge of what they mean.

``group_name (arguments) { attribute : value ; attribute (values) ; groups }``, comments and line ends escaped with
a backslash. Groups that hold current-source models are skipped: they are the bulk of such files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hwsim.ir.errors import ArtifactError

_SKIPPED = {
    "output_current_rise", "output_current_fall", "receiver_capacitance", "receiver_capacitance1_rise",
    "receiver_capacitance1_fall", "receiver_capacitance2_rise", "receiver_capacitance2_fall", "pg_pin",
    "normalized_driver_waveform", "output_voltage", "input_voltage", "test_cell", "ccsn_first_stage", "ccsn_last_stage",
    "wire_load", "wire_load_selection", "sensitization", "em_max_toggle_rate", "electromigration", "statetable_unused",
}  # fmt: skip
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\\\r?\n", re.DOTALL)
_STATEMENT = re.compile(
    r"\s*(?:(?P<end>\})|(?P<semi>;)|(?P<name>[A-Za-z_][\w.]*)\s*"
    r'(?:\((?P<args>(?:[^()"]|"[^"]*")*)\)\s*(?P<open>\{)?|:\s*(?P<value>"[^"]*"|[^;\n}]*?)\s*(?:;|(?=\n|\}))))'
)
_BRACE = re.compile(r'"[^"]*"|[{}]')


@dataclass
class Group:
    """One ``name (arguments) {…}``.

    Attributes:
        attributes: last value of every simple attribute, quotes removed.
        lists: arguments of every complex attribute (``index_1``, ``values``, ``capacitive_load_unit``).
        groups: inner groups in order.
    """

    name: str
    arguments: str
    attributes: dict[str, str] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def inner(self, name: str) -> list[Group]:
        """Inner groups of that name."""
        return [group for group in self.groups if group.name == name]


def parse_groups(text: str, source: str = "Liberty text") -> Group:
    """The ``library`` group of a Liberty file.

    Raises:
        ArtifactError: no library, a statement that can not be read, or a group that is never closed.
    """
    text = _COMMENT.sub(" ", text) if "/" in text or "\\" in text else text
    root = Group("", "")
    stack = [root]
    at, match = 0, _STATEMENT.match
    while found := match(text, at):
        at = found.end()
        name = found["name"]
        if name is None:
            if found["end"] is not None:
                stack.pop()
                if len(stack) == 1:
                    break
            continue
        if found["open"] is not None:
            if name in _SKIPPED:
                at = _closing(text, at, source)
                continue
            group = Group(name, _clean(found["args"]))
            stack[-1].groups.append(group)
            stack.append(group)
        elif found["args"] is not None:
            stack[-1].lists[name] = found["args"]
        else:
            stack[-1].attributes[name] = _clean(found["value"])
    if len(stack) > 1:
        line = text.count("\n", 0, at) + 1
        got = repr(text[at : at + 60].strip()) if text[at:].strip() else "its end"
        where = f"line {line} (comments removed), in group {stack[-1].name} ({stack[-1].arguments})"
        raise ArtifactError.of(f"{source}, {where}", got, "a Liberty statement or }", "Get the file again.")
    if not root.groups or root.groups[0].name != "library":
        raise ArtifactError.of(source, repr(text[:60].strip()), "library (name) {…}", "Pass a Liberty file.")
    return root.groups[0]


def _clean(text: str) -> str:
    return text.replace('"', "").strip()


def _closing(text: str, at: int, source: str) -> int:
    """Index after the brace that closes the group opened just before `at`."""
    depth = 1
    for found in _BRACE.finditer(text, at):
        token = found[0]
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if not depth:
                return found.end()
    raise ArtifactError.of(source, "the end of the file inside a group", "}", "Get the file again.")
