"""Searches: the algebra against brute force, the bars in small, seeds, interrupts and checkpoints."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hwsim.encodingnet.accuracy import product_error
from hwsim.encodingnet.encodings import booth, exact, truncated
from hwsim.encodingnet.operands import code_values, gaussian, relu_gaussian, uniform
from hwsim.encodingnet.search import build, digits, prices
from hwsim.encodingnet.search.cgp import CgpSpec, _Population, cgp
from hwsim.encodingnet.search.dictionary import all_functions, dictionary, recoded_atoms, tree_functions
from hwsim.encodingnet.search.exchange import SearchSpec, search
from hwsim.encodingnet.search.selection import Selection
from hwsim.encodingnet.truth import product_table
from hwsim.ir import io
from hwsim.ir.errors import DataError, UsageError

RNG = np.random.default_rng(2)
P_X, P_W = relu_gaussian(4, 3.0), gaussian(4, 2.5)


def test_dictionaries_have_the_counts_of_the_specification():
    assert [len(all_functions(k)) for k in (1, 2, 3, 4)] == [1, 5, 109, 32297]
    assert len(tree_functions()) == 341
    counts = [dictionary(8, 8, library).n_atoms for library in ("2", "3", "4-trees")]
    assert counts == [616, 61_656, 682_276]
    assert [dictionary(4, 4, library).n_atoms for library in ("2", "3", "4")] == [148, 6_252, 2_267_042]


def test_inner_products_equal_sums_over_all_pairs():
    atoms = dictionary(3, 4, "3", recoded_atoms(3, 4))
    v = RNG.normal(size=1 << 7)
    products = atoms.products(v)
    for index in [*RNG.integers(0, atoms.n_atoms, 60).tolist(), atoms.n_atoms - 1, 0]:
        assert products[index] == pytest.approx(atoms.values(index) @ v, abs=1e-9)
        assert atoms.index(atoms.atom(index)) is not None
        np.testing.assert_array_equal(atoms.values(atoms.index(atoms.atom(index))), atoms.values(index))


@pytest.mark.parametrize("free_w", [False, True])
def test_errors_of_additions_and_exchanges_are_those_of_least_squares(free_w):
    """The predicted change of the best exchange against fitting both sets from scratch."""
    atoms = dictionary(4, 4, "2")
    v = code_values(4, True).astype(float)
    s = Selection(atoms, np.outer(v, v), P_X, P_W, np.zeros(atoms.n_atoms), free_w)

    def brute(chosen):
        b = np.stack([atoms.values(i).reshape(16, 16) for i in chosen] + [np.outer(v, v)]).astype(float)
        weight = np.outer(P_X, P_W)
        mean = (
            np.einsum("x,kxw->kw", P_X, b)
            if free_w
            else np.broadcast_to((b * weight).sum((1, 2))[:, None], (len(b), 16))
        )
        flat = ((b - mean[:, None, :]) * np.sqrt(weight)).reshape(len(b), -1)
        rest = flat[-1] - flat[:-1].T @ np.linalg.lstsq(flat[:-1].T, flat[-1], rcond=None)[0]
        return rest @ rest

    for _ in range(5):
        assert s.add_best()
        assert s.error == pytest.approx(brute(s.chosen), rel=1e-6)
    while s.exchange():
        assert s.error == pytest.approx(brute(s.chosen), rel=1e-6)
    best = min(
        brute([*s.chosen[:k], i, *s.chosen[k + 1 :]])
        for k in range(5) for i in range(atoms.n_atoms) if i not in s.chosen
    )  # fmt: skip
    assert best >= s.error * (1 - 1e-6)


def test_a_full_set_of_products_is_exact():
    result = search(SearchSpec(4, 4, 16, library="2"), rounds=0)
    assert result.rmse < 1e-3
    assert product_error(result.encoding).rmse == 0


def test_recoded_atoms_reach_the_exact_product_with_booths_bits():
    assert product_error(search(SearchSpec(8, 8, 40, library="2", recoded=True), rounds=0).encoding).rmse < 1e-3


def test_search_beats_truncation_and_meets_the_small_bar():
    """4×4, M = 8, three inputs: the specification's prototype had 2.72."""
    result = search(SearchSpec(4, 4, 8), rounds=500)
    assert product_error(result.encoding).rmse == pytest.approx(result.rmse, rel=1e-3)
    assert result.rmse < 2.72
    assert np.diff(result.encoding.gates.offsets).max() <= 3
    assert result.rmse < product_error(truncated(4, 4, n_bits=8, fit="weights")).rmse


def test_same_seed_same_bytes_and_other_seed_other_path():
    spec = SearchSpec(4, 4, 6, seed=3)
    images = [io.to_bytes(search(spec, rounds=8).encoding) for _ in range(2)]
    assert images[0] == images[1]


def test_distributions_and_levels_enter():
    uniform_one = search(SearchSpec(4, 4, 6), rounds=10)
    weighted = search(SearchSpec(4, 4, 6, p_x=P_X, p_w=P_W), rounds=10)
    assert weighted.rmse < product_error(uniform_one.encoding, P_X, P_W).rmse
    levels = np.sinh(np.linspace(-2, 2, 16))
    bent = search(SearchSpec(4, 4, 10, x_levels=levels, w_levels=levels), rounds=10)
    np.testing.assert_array_equal(bent.encoding.target, np.outer(levels, levels))
    assert product_error(bent.encoding).rmse == pytest.approx(bent.rmse, rel=1e-3)


def test_prices_trade_error_for_quiet_bits():
    plain = SearchSpec(4, 4, 6, p_x=P_X, p_w=P_W)
    quiet = replace(plain, activity_price=20.0)
    a, b = (prices.proxy_cost(search(s, rounds=10).encoding.with_weights(np.ones(6, int), 0, 0), P_X, P_W)
            for s in (plain, quiet))  # fmt: skip
    assert b.activity < a.activity


def test_free_functions_of_w_become_constants():
    spec = SearchSpec(4, 4, 6, recoded=True, p_x=P_X, p_w=P_W, free_w=True)
    e = search(spec, rounds=5).encoding
    assert int((~e.stationary).sum()) == 6
    error = P_X @ (product_table(e) * e.step - e.target)
    assert np.abs(error).max() <= e.step
    one = digits.with_few_digits(e, 1, P_X, P_W, free_w=True)
    again = build.with_constants(one, P_X, P_W)
    assert prices.proxy_cost(again, P_X, P_W).heap_bits == 6
    assert product_error(again, P_X, P_W).rmse < 3 * search(spec, rounds=5).rmse + 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_digits_are_few_and_near_the_best(count):
    e = search(SearchSpec(4, 4, 9), rounds=3).encoding
    rounded = digits.with_few_digits(e, count, fraction=3)
    assert max(int(abs(s) ^ (3 * abs(s))).bit_count() for s in rounded.position_weights.tolist()) <= count
    naive = e.with_weights(np.array([_nearest(s, count) for s in e.position_weights / 65536]), 0, 3)
    naive = naive.with_weights(
        naive.position_weights, round(float((e.target - naive.table * naive.step).mean() * 8)), 3
    )
    assert product_error(rounded).rmse <= product_error(naive).rmse + 1e-9


def _nearest(value, count):
    values = digits.representable(count, -3)
    return round(float(values[np.abs(values - value).argmin()]) * 8)


def test_stationary_activity_against_the_definition():
    atoms = dictionary(3, 3, "3", recoded_atoms(3, 3))
    p_x, p_w = relu_gaussian(3, 2.0), gaussian(3, 2.0)
    activity = prices.atom_activity(atoms, p_x, p_w)
    for index in RNG.integers(0, atoms.n_atoms, 40).tolist():
        mean = p_x @ atoms.values(index).reshape(8, 8)
        assert activity[index] == pytest.approx((mean * (1 - mean)) @ p_w, abs=1e-12)


def test_proxy_cost_of_an_exact_multiplier():
    """16 AND bits, 16 full adders, eight operand registers; uniform bits toggle with p = 1/2 where w_j is set."""
    cost = prices.proxy_cost(exact(4, 4))
    assert (cost.moving_bits, cost.heap_bits) == (16, 16)
    assert cost.area == pytest.approx(16 * (5.3 + 4 / 3) + 8 * 5.7)
    assert cost.activity == pytest.approx(16 * 0.5 * 0.25)
    assert prices.proxy_cost(booth(4, 4)).moving_bits == 10


def test_interrupt_keeps_the_best_and_a_checkpoint_resumes(tmp_path):
    spec, path = SearchSpec(4, 4, 7), tmp_path / "deep" / "state.json"
    whole = search(spec, rounds=12)

    def stop(done, total, note):
        if done == 5:
            raise KeyboardInterrupt

    part = search(spec, rounds=12, checkpoint=path, progress=stop)
    assert (part.interrupted, part.rounds) == (True, 5)
    assert part.encoding.n_bits == 7
    resumed = search(spec, rounds=12, checkpoint=path)
    assert (resumed.interrupted, resumed.rounds) == (False, 12)
    assert resumed.atoms == whole.atoms
    with pytest.raises(DataError, match=r"checkpoint .* of another search: got \w+, expected \w+"):
        search(replace(spec, seed=1), rounds=1, checkpoint=path)
    path.write_text("{")
    with pytest.raises(DataError, match=r"checkpoint .*expected a file written by a search"):
        search(spec, rounds=1, checkpoint=path)


def test_an_interrupt_in_the_first_start_returns_what_there_is(monkeypatch):
    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Selection, "exchange", stop)
    result = search(SearchSpec(4, 4, 5), rounds=3)
    assert result.interrupted
    assert result.encoding.n_bits == 5


def test_refusals():
    with pytest.raises(UsageError, match="gate library: got '5', expected one of 2, 3, 4-trees, 4"):
        search(SearchSpec(4, 4, 5, library="5"))
    with pytest.raises(UsageError, match="gate library 4: got 16 operand bits, expected at most 9"):
        dictionary(8, 8, "4")
    with pytest.raises(UsageError, match=r"wide bits M: got 0, expected 1…148"):
        search(SearchSpec(4, 4, 0, library="2"))
    with pytest.raises(UsageError, match="signed digits: got 4"):
        digits.with_few_digits(exact(2, 2), 4)
    with pytest.raises(UsageError, match="CGP parameters: got M 9, outputs 8"):
        cgp(CgpSpec(4, 4, 9, outputs=8))
    with pytest.raises(UsageError, match="CGP operand bits: got 4"):
        cgp(CgpSpec(2, 2, 2, outputs=8))


CGP = CgpSpec(4, 4, 12, rows=24, cols=2, outputs=24, threshold=0.2, parents=4, offspring=12)


def test_cgp_improves_and_is_seeded():
    first, later = cgp(CGP, 3), cgp(CGP, 60)
    assert later.relmax < first.relmax or later.area < first.area
    assert io.to_bytes(later.encoding) == io.to_bytes(cgp(CGP, 60).encoding)
    assert product_error(later.encoding).rmse < 10


def test_cgp_scores_against_the_definition():
    """Packed evaluation, ridge of 0.1, rounding and ReMax of one genome against the paper's formulas."""
    run = _Population(CGP)
    genome = run.rng.integers(0, run.limit)
    signals, weights, _ = run.columns(genome)
    bits = np.unpackbits(run.signals.view(np.uint8), axis=1, bitorder="little").astype(float)
    outputs = genome[3 * run.nodes :]
    b = np.vstack([bits[outputs], np.ones(256)])
    target = np.outer(code_values(4, True), code_values(4, True)).ravel()
    s = target @ b.T @ np.linalg.inv(b @ b.T + 0.1 * np.eye(len(b)))
    kept = np.argsort(-np.abs(s[:-1]), kind="stable")[:12]
    np.testing.assert_array_equal(weights, np.rint(s[kept]))
    error = np.abs(np.rint(s[kept]) @ b[kept] + np.rint(s[-1]) - target).max() / 64
    assert run.score(genome)[1] == pytest.approx(error)
    assert signals.tolist() == outputs[kept].tolist()


def test_cgp_resumes(tmp_path):
    path = tmp_path / "cgp.json"
    whole = cgp(CGP, 14)

    def stop(done, total, note):
        if done == 6:
            raise KeyboardInterrupt

    part = cgp(CGP, 14, checkpoint=path, progress=stop)
    assert part.interrupted
    assert json.loads(path.read_text())["generation"] == 6
    assert io.to_bytes(cgp(CGP, 14, checkpoint=path).encoding) == io.to_bytes(whole.encoding)


def test_uniform_is_the_default():
    a = search(SearchSpec(3, 3, 4), rounds=2)
    b = search(SearchSpec(3, 3, 4, p_x=uniform(3), p_w=uniform(3)), rounds=2)
    assert a.atoms == b.atoms
