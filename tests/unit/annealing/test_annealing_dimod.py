"""dimod's own conformance suites, on every sampler and on composites over the stand-in."""

from __future__ import annotations

import unittest

import dimod
import dimod.testing
import pytest
from dwave.system import EmbeddingComposite

from hwsim.annealing import GreedySampler, PIMCSampler, PTSampler, QPUSimulator, SASampler, SVMCSampler

SAMPLERS = [GreedySampler, PIMCSampler, PTSampler, SASampler, SVMCSampler]


def small_qpu() -> QPUSimulator:
    return QPUSimulator(topology_type="pegasus", topology_shape=[2], seed=1)


def embedded() -> EmbeddingComposite:
    return EmbeddingComposite(small_qpu())


@dimod.testing.load_sampler_bqm_tests(GreedySampler)
@dimod.testing.load_sampler_bqm_tests(PIMCSampler)
@dimod.testing.load_sampler_bqm_tests(PTSampler)
@dimod.testing.load_sampler_bqm_tests(SASampler)
@dimod.testing.load_sampler_bqm_tests(SVMCSampler)
@dimod.testing.load_sampler_bqm_tests(embedded)
class TestConformance(unittest.TestCase):
    """`dimod.testing` fills this class: empty to three-variable problems, every BQM type, both vartypes."""


@pytest.mark.parametrize("make", [*SAMPLERS, small_qpu])
def test_sampler_api(make):
    dimod.testing.assert_sampler_api(make())


def test_structured_and_composite_api():
    dimod.testing.assert_structured_api(small_qpu())
    dimod.testing.assert_composite_api(embedded())
