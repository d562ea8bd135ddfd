"""Sizes, docstrings and imports of every module, read from the sources."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .sources import modules, parsed, short

MODULE_LINES, FUNCTION_LINES, KERNEL_LINES = 400, 40, 60

FORBIDDEN = {
    "hwsim": {"torch", "amaranth", "cocotb", "matplotlib", "rich", "typer", "ml", "rtl", "benches"},
    "ml": {"amaranth", "cocotb", "matplotlib", "rich", "typer", "rtl", "benches"},
    "rtl": {"torch", "matplotlib", "rich", "typer", "ml", "benches"},
    "benches": set(),
}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """All functions, methods and inner functions."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def code_lines(function: ast.FunctionDef) -> int:
    """Lines from ``def`` to the end, without the docstring and without decorators."""
    body = function.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    doc = body[0].end_lineno - body[0].lineno + 1 if documented and isinstance(body[0].value.value, str) else 0
    return (function.end_lineno or 0) - function.lineno + 1 - doc


def is_kernel(path: Path, function: ast.FunctionDef) -> bool:
    """Compiled by numba, named so, or in a module of kernels."""
    compiled = any("njit" in ast.dump(d) or "intrinsic" in ast.dump(d) for d in function.decorator_list)
    return compiled or "kernel" in function.name or path.stem.startswith("kernels")


def test_modules_are_short() -> None:
    long = {short(p): n for p in modules() if (n := len(p.read_text(encoding="utf-8").splitlines())) > MODULE_LINES}
    assert long == {}


def test_functions_are_short() -> None:
    long = {
        f"{short(path)}:{f.lineno} {f.name}": code_lines(f)
        for path in modules()
        for f in functions(parsed(path))
        if code_lines(f) > (KERNEL_LINES if is_kernel(path, f) else FUNCTION_LINES)
    }
    assert long == {}


def test_the_count_of_lines() -> None:
    tree = ast.parse('@x\ndef f(\n    a,\n):\n    """One.\n\n    Two.\n    """\n    return a\n')
    assert code_lines(next(functions(tree))) == 4


def test_modules_have_docstrings() -> None:
    bare = [short(p) for p in modules() if not ast.get_docstring(parsed(p)) and p.read_text(encoding="utf-8").strip()]
    assert bare == []


def test_public_names_have_docstrings() -> None:
    bare = []
    for path in modules():
        for node in parsed(path).body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):  # type: ignore[arg-type]
                bare.append(f"{short(path)}: {node.name}")  # type: ignore[attr-defined]
    assert bare == []


def imported(path: Path) -> set[str]:
    """Top-level packages that a module imports anywhere, lazily or not."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_packages_import_downwards_only() -> None:
    wrong = {short(p): sorted(bad) for p in modules() if (bad := imported(p) & FORBIDDEN[short(p).partition("/")[0]])}
    assert wrong == {}


def test_papers_do_not_import_each_other() -> None:
    from benches.registry import papers

    slugs = set(papers())
    wrong = []
    for path in modules():
        parts = Path(short(path)).parts
        if parts[0] == "benches" or len(parts) < 3 or parts[1] not in slugs:
            continue
        for node in ast.walk(parsed(path)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            wrong += [f"{short(path)}: {n}" for n in names if set(n.split(".")[1:2]) & (slugs - {parts[1]})]
    assert wrong == []


def test_no_bare_exception_is_raised() -> None:
    wrong = []
    for path in modules():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Raise) and node.exc and ast.unparse(node.exc).partition("(")[0] == "Exception":
                wrong.append(f"{short(path)}:{node.lineno}")
    assert wrong == []


@pytest.mark.parametrize("module", ["hwsim", "hwsim.ir.errors", "benches", "ml", "rtl"])
def test_importing_a_package_is_light(module: str) -> None:
    heavy = "('numba', 'torch', 'scipy', 'matplotlib', 'amaranth', 'dwave', 'rich', 'sklearn')"
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
