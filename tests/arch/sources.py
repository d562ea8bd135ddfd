"""The repository's own modules, parsed once."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("hwsim", "ml", "rtl", "benches")


@cache
def modules() -> tuple[Path, ...]:
    """Every Python file of the four packages."""
    return tuple(sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")))


@cache
def parsed(path: Path) -> ast.Module:
    """Syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def short(path: Path) -> str:
    """`path` relative to the repository."""
    return str(path.relative_to(ROOT))


def find(path: Path, dotted: str) -> ast.AST | None:
    """The definition of ``Class.method``, ``function`` or a module's constant in a file, or None."""
    node: ast.AST = parsed(path)
    for name in dotted.split("."):
        found = next((child for child in getattr(node, "body", []) if name in _names(child)), None)
        if found is None:
            return None
        node = found
    return node


def _names(node: ast.stmt) -> set[str]:
    """Names that a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    return set()
