"""The kept training runs: which ones, in which order, and the table of what came out.

`python -m ml.neuralut.campaign hdr5l --root build/train/neuralut` trains every run of a group that is not
finished yet (an interrupted one goes on from its checkpoint) and writes ``SUMMARY.md``. Hours, not minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from hwsim.ir.errors import HwsimError, UsageError
from ml.common.train import Progress
from ml.neuralut.train import RunSpec, run

SEEDS = (0, 1, 2)
_HDR = RunSpec("hdr5l", "mnist", epochs=60, batch=256, lr=4e-3, shift=1, moved=0.3)
_LEARNED = replace(_HDR, warmup=25, epochs=90)
_JSC2L = RunSpec("jsc2l", "jsc_distilled", epochs=120, batch=512, lr=4e-3)
_JSC5L = replace(_JSC2L, config="jsc5l", epochs=50)
_TREE = RunSpec("tree-1320", "mnist", epochs=60, batch=128, warmup=25, shift=1, moved=0.3)
_KINDS = (  # label, kind, degree of the polynomial
    ("neuralut", "neuralut", 2),
    ("logicnets", "logicnets", 2),
    ("polylut", "polylut", 2),
    ("polylut-d4", "polylut", 4),
)


def _seeded(name: str, spec: RunSpec) -> dict[str, RunSpec]:
    return {f"{name}-s{seed}": replace(spec, seed=seed) for seed in SEEDS}


def _kinds(name: str, spec: RunSpec) -> dict[str, RunSpec]:
    """The same tables with every function inside them."""
    runs: dict[str, RunSpec] = {}
    for label, kind, degree in _KINDS:
        runs |= _seeded(f"{name}-{label}", replace(spec, kind=kind, degree=degree))
    return runs


def groups() -> dict[str, dict[str, RunSpec]]:
    """All runs by group and name."""
    curves: dict[str, RunSpec] = {}
    for kind, scale in (("neuralut", 0.25), ("neuralut", 0.5), ("logicnets", 0.5), ("logicnets", 1), ("logicnets", 2)):
        curves |= _seeded(f"curve-{kind}-x{scale:g}", replace(_HDR, kind=kind, scale=float(scale)))
    return {
        "hdr5l": _seeded("hdr5l-random", _HDR),
        "hdr5l-learned": _seeded("hdr5l-learned", _LEARNED),
        "curves": curves,
        "jsc": _kinds("jsc2l", _JSC2L) | _kinds("jsc5l", _JSC5L),
        "trees": {name: replace(_TREE, config=name) for name in ("tree-1320", "tree-2610")},
    }


def summaries(root: Path) -> list[tuple[str, dict[str, Any]]]:
    """(run name, summary) of every finished run below `root`, by name."""
    return [(p.parent.name, json.loads(p.read_text())) for p in sorted(root.glob("*/summary.json"))]


def summary_table(root: Path) -> str:
    """Markdown table of all finished runs."""
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


def train_group(name: str, root: Path, progress: Progress | None = None) -> None:
    """Train what is not finished of one group and write the table after each run.

    Raises:
        UsageError: no such group.
    """
    known = groups()
    if name not in known:
        raise UsageError.of("unknown group of runs", repr(name), f"one of {', '.join(known)}", "Change the name.")
    for run_name, spec in known[name].items():
        if not (root / run_name / "summary.json").exists():
            run(spec, root / run_name, progress)
        (root / "SUMMARY.md").write_text(summary_table(root))


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ml.neuralut.campaign", description="Train the kept runs.")
    parser.add_argument("group", nargs="+", help=f"one or more of {', '.join(groups())}; or 'table'")
    parser.add_argument("--root", type=Path, default=Path("build/train/neuralut"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(max(options.threads, 1))

    def tell(done: int, total: int, note: str) -> None:
        print(f"{done}/{total} {note}", file=sys.stderr, flush=True)

    try:
        for name in options.group:
            if name == "table":
                (options.root / "SUMMARY.md").write_text(summary_table(options.root))
            else:
                train_group(name, options.root, tell)
    except HwsimError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(summary_table(options.root))
    return 0


if __name__ == "__main__":
    sys.exit(main())
