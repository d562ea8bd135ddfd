"""One fold of one cross-validation: trained once, kept in a file, taken from there afterwards."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benches.files import digest, write_atomic

N_FOLDS = 10
# Per data set: which node feature and readout (the authors': sum for molecules and proteins, mean for social networks).
SETS: dict[str, dict[str, Any]] = {
    "mutag": {"feature": "tag", "readout": "sum"},
    "ptc": {"feature": "tag", "readout": "sum"},
    "proteins": {"feature": "tag", "readout": "sum"},
    "nci1": {"feature": "tag", "readout": "sum"},
    "imdb_binary": {"feature": "degree", "readout": "mean"},
    "motif_graphs": {"feature": "tag", "readout": "sum"},
}


def graphs_of(name: str) -> Any:
    """A set as `GraphSet`, on this machine's copy or, in full, after a download."""
    from ml.common.data import load
    from ml.graphnorm import GraphSet

    return GraphSet.of(load(name), SETS[name]["feature"])


def recipe_of(name: str, norm: str, repeat: int, fold: int, options: dict[str, Any]) -> Any:
    """The recipe of one fold; every fold and repeat has start values of its own."""
    from ml.graphnorm import Recipe

    return Recipe(norm=norm, readout=SETS[name]["readout"], seed=100 * repeat + fold, **options)


def folder_of(name: str, norm: str, repeat: int, fold: int, options: dict[str, Any], train_dir: str) -> Path:
    """Where the fold's curves and weights are kept."""
    recipe = asdict(recipe_of(name, norm, repeat, fold, options))
    return Path(train_dir) / f"{name}-{norm}-r{repeat}-f{fold}-{digest([SETS[name], recipe])[:8]}"


def fold_run(name: str, norm: str, repeat: int, fold: int, options: dict[str, Any], train_dir: str) -> dict[str, Any]:
    """Curves of one fold: training and test accuracy after every epoch, in [0, 1]; CPU seconds."""
    import time

    import torch

    from ml.common.train import save_atomic
    from ml.graphnorm import fit
    from ml.graphnorm.folds import folds

    folder = folder_of(name, norm, repeat, fold, options, train_dir)
    summary = folder / "summary.json"
    if summary.exists():
        return dict(json.loads(summary.read_text()))
    torch.set_num_threads(1)
    graphs = graphs_of(name)
    train, test = list(folds(graphs.labels, N_FOLDS, repeat))[fold]
    start = time.process_time()
    model, curves = fit(graphs, train, test, recipe_of(name, norm, repeat, fold, options))
    found = {"train": curves.train, "test": curves.test, "loss": curves.loss, "cpu_s": time.process_time() - start}
    save_atomic(model.state_dict(), folder / "weights.pt")
    write_atomic(summary, json.dumps(found).encode())
    return found


def trained(name: str, norm: str, repeat: int, fold: int, options: dict[str, Any], train_dir: str) -> Any:
    """(network in evaluation mode, graphs, training indices, test indices) of a fold; trains it when it is not kept."""
    import torch

    from ml.graphnorm.folds import folds

    fold_run(name, norm, repeat, fold, options, train_dir)
    graphs = graphs_of(name)
    model = recipe_of(name, norm, repeat, fold, options).network(graphs)
    path = folder_of(name, norm, repeat, fold, options, train_dir) / "weights.pt"
    model.load_state_dict(torch.load(path))
    train, test = list(folds(graphs.labels, N_FOLDS, repeat))[fold]
    return model.eval(), graphs, train, test


def train_dir(ctx: Any) -> str:
    """Where trained networks are kept: the configured folder, or the run's own."""
    return ctx.config.train_dir or str(ctx.folder / "train")
