"""naive = reference = portable numba = vector registers, in codes and in cycles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.errors import ArtifactError, ShapeError, UsageError
from hwsim.ir.lut import InputQuantiser, LutLayer, LutNetwork, code_dtype
from hwsim.neuralut import layer_codes, simulate, simulate_stream, vector
from hwsim.neuralut.codegen import unsupported
from hwsim.testing import naive
from hwsim.testing.strategies import code_batches, lut_networks, neuralut_archs

BACKENDS = ["numba", "reference"] if unsupported() else ["numba", "reference", "vector"]


def dense(n_in: int, bits_in: int, shape: list[tuple[int, int, int]], seed: int = 0) -> LutNetwork:
    """Random network; `shape` holds (n_out, fan_in, bits_out) a layer."""
    rng, layers, n, bits = np.random.default_rng(seed), [], n_in, bits_in
    for n_out, fan_in, bits_out in shape:
        table = rng.integers(0, 1 << bits_out, (n_out, 1 << (bits * fan_in))).astype(code_dtype(bits_out))
        layers.append(LutLayer(rng.integers(0, n, (n_out, fan_in)).astype(np.int32), table, bits, bits_out))
        n, bits = n_out, bits_out
    return LutNetwork(n_in, bits_in, tuple(layers), n_classes=n)


def random_codes(network: LutNetwork, batch: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 1 << network.input_bits, (batch, network.n_inputs)).astype(code_dtype(network.input_bits))


def check_all(network: LutNetwork, codes: np.ndarray) -> None:
    expected = network.reference(codes)
    for backend in (*BACKENDS, "auto"):
        if backend == "vector" and vector.why_no_permute(network):
            continue
        result = simulate(network, codes, backend=backend)
        np.testing.assert_array_equal(result.outputs, expected, err_msg=backend)
        assert result.outputs.dtype == expected.dtype
        if network.n_classes:
            np.testing.assert_array_equal(result.classes, network.classify(expected), err_msg=backend)
        else:
            assert result.classes is None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_codes_of_drawn_networks(data):
    network = data.draw(lut_networks())
    codes = data.draw(code_batches(network))
    check_all(network, codes)
    for sample, out in zip(codes[:5], network.reference(codes[:5]), strict=True):
        assert naive.lut_network(network, sample) == out.tolist()
        if network.n_classes:
            assert naive.argmax(out.tolist()) == network.classify(out[None])[0]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_codes_of_drawn_narrow_networks(data):
    """Codes of at most a byte: the vector kernels' share, with sum layers in between."""
    network = data.draw(lut_networks(max_bits=8, max_width=20))
    check_all(network, data.draw(code_batches(network)))


@pytest.mark.parametrize("batch", [0, 1, 63, 64, 65, 511, 512, 513, 1000, 1025, 2049])
@pytest.mark.parametrize("n_in", [1, 5, 64, 70, 130])
def test_batch_sizes_around_groups_and_chunks(n_in, batch):
    network = dense(n_in, 2, [(9, 6, 2), (10, 6, 2)])
    check_all(network, random_codes(network, batch))


@pytest.mark.parametrize(
    ("bits_in", "fan_in", "bits_out"),
    [
        (1, 1, 1), (1, 6, 1), (1, 7, 1), (1, 8, 1), (1, 10, 1), (1, 16, 1), (1, 11, 8), (2, 3, 3), (2, 6, 2),
        (2, 7, 2), (2, 8, 2), (3, 2, 5), (3, 3, 2), (3, 4, 4), (3, 5, 1), (4, 3, 4), (4, 4, 4), (5, 2, 3), (5, 3, 6),
        (6, 1, 8), (6, 2, 1), (7, 2, 4), (7, 1, 7), (8, 1, 8), (8, 2, 8), (8, 2, 1), (16, 1, 16), (9, 1, 2),
        (2, 8, 16), (8, 1, 12),
    ],
)  # fmt: skip
def test_every_address_of_every_shape(bits_in, fan_in, bits_out):
    """A layer alone, each table address at least once in random order; then as a hidden layer."""
    layer = dense(fan_in, bits_in, [(3, fan_in, bits_out)]).layers[0]
    straight = np.arange(fan_in, dtype=np.int32)
    layer = LutLayer(np.stack([straight, straight[::-1], straight]), layer.table, bits_in, bits_out)
    address = np.random.default_rng(2).permutation(1 << (bits_in * fan_in))
    shifts = bits_in * np.arange(fan_in - 1, -1, -1)
    codes = (address[:, None] >> shifts & ((1 << bits_in) - 1)).astype(code_dtype(bits_in))
    network = LutNetwork(fan_in, bits_in, (layer,), n_classes=3)
    check_all(network, codes)
    np.testing.assert_array_equal(simulate(network, codes).outputs[:, 0], layer.table[0, address])
    same = np.arange(1 << bits_in, dtype=code_dtype(bits_in))
    pass_on = LutLayer(straight[:, None], np.tile(same, (fan_in, 1)), bits_in, bits_in)
    check_all(LutNetwork(fan_in, bits_in, (pass_on, layer)), codes)


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_outputs_tie_to_the_lowest_class(backend):
    """300 classes: an index is wider than a code."""
    table = np.zeros((300, 2), np.uint8)
    table[[270, 299]] = 1
    network = LutNetwork(1, 1, (LutLayer(np.zeros((300, 1), np.int32), table, 1, 1),), n_classes=300)
    assert simulate(network, np.zeros((3, 1), int), backend=backend).classes.tolist() == [270] * 3


def test_layer_codes_equal_the_reference():
    network = dense(30, 3, [(20, 4, 3), (10, 3, 9), (4, 1, 2)])
    codes = random_codes(network, 1500)
    for got, expected in zip(layer_codes(network, codes), network.reference_layers(codes), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("bits", "signed"), [(2, False), (2, True), (8, True), (9, False), (16, True)])
def test_floats_pass_the_input_quantiser(bits, signed, dtype):
    """Random features, exact ties, and values far outside."""
    rng, reach = np.random.default_rng(bits), 1 << bits
    quantiser = InputQuantiser(rng.normal(size=4), rng.normal(size=4), bits, signed)
    halves = InputQuantiser(np.ones(4), np.zeros(4), bits, signed)
    table = np.arange(1 << bits, dtype=code_dtype(bits))[None]
    for chosen in (quantiser, halves):
        network = LutNetwork(4, bits, (LutLayer(np.array([[2]], np.int32), table, bits, bits),), chosen)
        for x in (rng.normal(size=(100, 4)) * reach, rng.integers(-4, 20, (100, 4)) / 2, np.full((3, 4), 6e4)):
            x = np.clip(x, -6e4, 6e4).astype(dtype)
            np.testing.assert_array_equal(simulate(network, x).outputs[:, 0], chosen.reference(x)[:, 2])
        for bad in (np.nan, np.inf, -np.inf):
            x[1, 3] = bad
            with pytest.raises(ShapeError, match="x holds NaN or infinity"):
                simulate(network, x)
    with pytest.raises(ShapeError, match=r"x has the wrong shape: got \[3, 5\], expected .* \[any, 4\]"):
        simulate(network, np.zeros((3, 5)))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_cycles_equal_the_naive_pipeline(data):
    network = data.draw(lut_networks(max_width=4, max_address_bits=8))
    arch = data.draw(neuralut_archs(ports="plain"))
    codes = data.draw(code_batches(network, sizes=(1, 2, 9)))
    result = simulate(network, codes, arch)
    pipeline = naive.PlainPipeline(network, arch)
    seen = [pipeline.step(codes[min(t, len(codes) - 1)]) for t in range(result.cycles)]
    assert seen[result.latency_cycles :] == result.outputs.tolist()
    assert result.cycles == len(codes) + result.latency_cycles


def test_the_trace_of_a_plain_run(tmp_path):
    """Three samples through two registers: the codes move on by one place a cycle."""
    network = dense(2, 2, [(2, 1, 3), (1, 2, 2)])
    codes = random_codes(network, 3)
    result = simulate(network, codes, trace=True)
    signals, layers = result.trace.signals, network.reference_layers(codes)
    assert signals["in.code1"].values.tolist() == [*codes[:, 1], -1, -1]
    assert signals["stage0.code1"].values.tolist() == [-1, *codes[:, 1], -1]
    assert signals["stage1.code0"].values.tolist() == [-1, -1, *layers[0][:, 0]]
    assert signals["out.code0"].values.tolist() == [-1, -1, *layers[1][:, 0]]
    assert [signals[name].width for name in ("in.code0", "stage0.code0", "stage1.code0", "out.code0")] == [2, 2, 3, 2]
    assert "$scope module stage1" in result.trace.write_vcd(tmp_path / "a.vcd").read_text()
    assert simulate(network, codes[:0], trace=True).trace.cycles == 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_stream_equals_the_naive_state_machine(data):
    network = data.draw(lut_networks(max_width=4, max_address_bits=8))
    arch = data.draw(neuralut_archs(ports="stream"))
    codes = data.draw(code_batches(network, sizes=(0, 1, 3, 9)))
    pattern = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)
    in_valid, out_ready = (np.array(column) for column in zip(*data.draw(pattern), strict=True))
    run = simulate_stream(network, codes, arch, in_valid, out_ready, trace=True)
    machine, accepted, emitted, entered = naive.StreamPipeline(network, arch), 0, 0, []
    for t in range(len(in_valid)):
        offered = bool(in_valid[t]) and accepted < len(codes)
        sample = codes[accepted] if offered else np.zeros(network.n_inputs, int)
        in_fire, out_valid, out = machine.step(offered, sample, bool(out_ready[t]))
        assert (in_fire, out_valid, out_valid and out_ready[t]) == (run.in_fire[t], run.out_valid[t], run.out_fire[t])
        if in_fire:
            entered.append(t)
            accepted += 1
        if run.out_fire[t]:
            assert out == run.outputs[emitted].tolist()
            assert run.latency[emitted] == t - entered[emitted]
            emitted += 1
    assert (accepted, emitted) == (run.accepted, len(run.outputs))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_code_out_of_range_is_named(backend):
    network = dense(70, 2, [(4, 3, 2)])
    codes = random_codes(network, 200)
    for place in [(0, 0), (130, 69), (199, 3)]:
        wrong = codes.copy()
        wrong[place] = 4
        with pytest.raises(ShapeError, match=r"a code is out of range: got 0\.\.4, expected 0\.\.3\."):
            simulate(network, wrong, backend=backend)
    with pytest.raises(ShapeError, match=r"out of range: got -1\.\."):
        simulate(network, np.where(codes == 0, -1, codes.astype(int)), backend=backend)


def test_bad_calls():
    network = dense(3, 2, [(4, 3, 2)])
    with pytest.raises(ShapeError, match=r"codes has the wrong shape: got \[5, 2\], expected .*\[any, 3\]"):
        simulate(network, np.zeros((5, 2), np.uint8))
    with pytest.raises(ArtifactError, match="the network has no input quantiser"):
        simulate(network, np.zeros((5, 3)))
    with pytest.raises(UsageError, match="backend: got 'gpu', expected one of auto, vector, numba, reference"):
        simulate(network, np.zeros((5, 3), int), backend="gpu")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"backend 'vector' can not run: got .*wider than a byte|AVX-512"):
        simulate(dense(3, 9, [(2, 1, 1)]), np.zeros((1, 3), int), backend="vector")
    on = np.ones(3, bool)
    with pytest.raises(UsageError, match=r"arch\.ports: got 'plain', expected 'stream'"):
        simulate_stream(network, np.zeros((1, 3), int), NeuralutArch(), on, on)
    with pytest.raises(ShapeError, match="in_valid and out_ready: got 3 and 2 cycles"):
        simulate_stream(network, np.zeros((1, 3), int), NeuralutArch(ports="stream"), on, on[:2])
    with pytest.raises(ShapeError, match=r"out_ready: got float64 \[3\], expected bool \[cycles\]"):
        simulate_stream(network, np.zeros((1, 3), int), NeuralutArch(ports="stream"), on, on * 0.5)


def test_auto_says_why_it_is_not_fast():
    result = simulate(dense(3, 9, [(2, 1, 1)]), np.zeros((1, 3), int))
    assert result.backend == "numba"
    assert result.notes[0].startswith("portable kernels: ")


def test_a_simulated_network_can_not_be_edited():
    network = dense(3, 2, [(4, 3, 2)])
    simulate(network, np.zeros((1, 3), int))
    with pytest.raises(ValueError, match="read-only"):
        network.layers[0].table[0, 0] = 1
