"""DiSAN's bench: runs have names of their own, memory is counted, cycles of the vector unit add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benches.disan import handover
from benches.disan.exact import BATCH, D, peak_bytes
from benches.disan.runs import CONTEXTUAL, SCHEDULES, Run, recipe, result, scheduled
from hwsim.encodingnet.encodings import exact
from hwsim.encodingnet.network import NetworkRunner
from ml.disan import hardware
from ml.disan.examples import Examples
from ml.disan.model import SentenceModel


def test_runs_have_names_of_their_own() -> None:
    runs = [scheduled(task) for task in SCHEDULES] + [scheduled(t, **o) for t, o in CONTEXTUAL.items()]
    runs += [replace(runs[0], seed=1), replace(runs[0], lr=1e-4)]
    assert len({run.name for run in runs}) == len(runs)
    assert recipe(runs[0]).epochs == SCHEDULES["trec"]["epochs"]
    assert recipe(runs[0]).hold is True
    assert recipe(scheduled("cr")).hold is False
    assert scheduled("sick").name == "sick-disan-glove50-s0-f0-cfe82065"  # trained before `LATER` was there


def test_a_run_is_trained_once(tmp_path) -> None:  # type: ignore[no-untyped-def]
    run = Run("word_order", embedding="random", d=6, epochs=1, share=0.05)
    values = {name: getattr(run, name) for name in run.__dataclass_fields__}
    first = result(values, str(tmp_path))
    assert 0 <= first["acc"] <= 100
    assert first["n_test"] == 600
    (tmp_path / run.name / "summary.json").write_text('{"acc": -1}')
    assert result(values, str(tmp_path)) == {"acc": -1}


def test_memory_of_both_forms_grows_as_it_should() -> None:
    one = 4 * BATCH * D  # bytes of a token's features, float32
    streamed, dense = ([peak_bytes(form, n) for n in (8, 32)] for form in ("streamed", "dense"))
    assert streamed[1] / streamed[0] == pytest.approx(4, rel=0.1)
    assert dense[1] > 10 * dense[0]
    assert streamed[1] >= 6 * 32 * one  # inputs and their gradients
    assert dense[1] >= 2 * 32 * 32 * one


def test_cycles_of_the_vector_unit_add_up() -> None:
    rng = np.random.default_rng(0)
    lengths = np.full(20, 5)
    some = Examples(rng.integers(2, 9, 100), np.arange(20) * 5, lengths, np.zeros(20, np.int64))
    model = SentenceModel(torch.randn(9, 4), "disan", 6, 3).eval()
    network = hardware.to_ir(model, some, 5, exact(8, 8))
    x = [part.numpy() for part in hardware.features(model, some, np.arange(3), 5)]
    run = NetworkRunner(network, handover.ARCH)(network.quantise(x), block=3)
    split = handover.vector_split(network, 3)
    assert sum(split.values()) == run.vector_cycles
    assert split["token2token"] > split["source2token"] > 0
    assert split["other"] > 0
