"""Table of finished training runs: `python -m ml.neuralut.summary build/train/neuralut` writes SUMMARY.md there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hwsim.ir.errors import HwsimError, UsageError


def summaries(root: Path) -> list[tuple[str, dict[str, Any]]]:
    """(run name, summary) of every finished run below `root`, by name.

    Raises:
        UsageError: no such folder.
    """
    if not root.is_dir():
        raise UsageError.of("folder of training runs", root, "an existing folder", "Train first, or correct the path.")
    return [(p.parent.name, json.loads(p.read_text())) for p in sorted(root.glob("*/summary.json"))]


def summary_table(root: Path) -> str:
    """Markdown table of all finished runs below `root`; raises as `summaries`."""
    lines = [
        "| run | network | data | seed | warm-up + epochs | batch, lr | validation % | test % (tables) | CPU s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, s in summaries(root):
        spec = s["spec"]
        lines.append(
            f"| {name} | {s['network']} | {s['data']['variant']} | {spec['seed']} "
            f"| {spec['warmup']} + {spec['epochs']} | {spec['batch']}, {spec['lr']:g} | {100 * s['val_accuracy']:.2f} "
            f"| {100 * s['test_accuracy_of_tables']:.2f} | {s['cpu_s']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write and print the table of one folder; returns the exit code."""
    try:
        root = Path(arguments[0] if arguments else "build/train/neuralut")
        table = summary_table(root)
    except HwsimError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    (root / "SUMMARY.md").write_text(table)
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
