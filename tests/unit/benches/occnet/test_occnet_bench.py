"""What the bench counts: cycles of blocks by formula and by simulation, levels of MISE's points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benches.occnet import handover, studies
from benches.occnet.learning import shortened
from hwsim.encodingnet.network import NetworkRunner
from hwsim.ir.arch.encodingnet import EncodingnetArch
from ml.occnet.decoder import Decoder
from ml.occnet.export import coordinate_codes, to_ir
from ml.occnet.fields import grid_points, uniform_points
from ml.occnet.mise import mise


@pytest.fixture(scope="module")
def meter():
    torch.manual_seed(0)
    points = uniform_points(500, np.random.default_rng(0))
    network = to_ir(Decoder(4, 12, 1).eval(), torch.zeros(4), handover.unit("recoded"), points)
    return handover.Meter(NetworkRunner(network, EncodingnetArch(8, 8, style="heap", cuts=("rows",))))


def test_dense_cycles_are_those_of_simulated_blocks(meter):
    points = grid_points(20)  # 9261 points: two blocks and a rest
    meter.rounds.clear()
    meter(coordinate_codes(meter.runner.network, points))
    cycles, pj = handover._dense(meter, len(points))
    assert cycles == meter.total(1) + meter.total(2)
    assert pj == pytest.approx(meter.total(3))
    assert handover._gemm_cycles(meter, 2 * handover.BLOCK) == 2 * handover._gemm_cycles(meter, handover.BLOCK)


def test_levels_of_points_are_those_of_rounds():
    found = mise(lambda p: (0.4 - np.linalg.norm(p, axis=1)).astype(np.float32), 8, 2)
    level = handover._rounds_of(found, 8, 2)
    assert (level == 0).sum() == found.rounds[0]
    assert (level >= 0).sum() == found.queries


def test_a_changed_study_is_another_file(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("ml.occnet.train.fit", lambda *args, **options: seen.append(options["checkpoint"].name))
    small = shortened(studies.HARDWARE, 1, 8)
    for study in (small, small, replace(small, seed=1)):
        studies.trained(study, tmp_path)
    assert seen[0] == seen[1] != seen[2]
    assert small.c_dim == 8
