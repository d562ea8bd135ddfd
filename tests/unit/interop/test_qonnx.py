"""QONNX graphs built by hand, against onnx's own reference evaluator with a Quant operator."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hwsim.encodingnet.encodings import exact, truncated
from hwsim.interop import qonnx
from hwsim.interop.qonnx import from_qonnx
from hwsim.ir.errors import ArtifactError, UsageError

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

DOMAIN = "qonnx.custom_op.general"
EXACT = exact(8, 8)


class Graph:
    """A model while it is written; `evaluate` runs it in floats."""

    def __init__(self, shape, seed=0):
        self.rng = np.random.default_rng(seed)
        self.shape, self.nodes, self.constants, self.last = shape, [], [], "x"

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, getattr(array, "dtype", np.float32)), name))
        return name

    def node(self, op, *inputs, domain="", **options):
        output = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **options))
        self.last = output
        return output

    def quant(self, x, step, bits=8, signed=1, **options):
        parts = [
            self.constant(np.float32(v) if np.ndim(v) == 0 else np.asarray(v, np.float32)) for v in (step, 0, bits)
        ]
        options = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND", **options}
        return self.node("Quant", x, *parts, domain=DOMAIN, **options)

    def weights(self, *shape, per_channel=True, bits=8):
        step = np.exp2(-self.rng.integers(5, 8, (shape[0], *[1] * (len(shape) - 1)) if per_channel else ()))
        return self.quant(self.constant(self.rng.normal(size=shape).astype(np.float32)), step, bits, narrow=1)

    def normal(self, *shape, scale=1.0):
        return self.constant((scale * self.rng.normal(size=shape)).astype(np.float32))

    def model(self):
        inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, *self.shape])]
        outputs = [helper.make_tensor_value_info(self.last, onnx.TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "g", inputs, outputs, self.constants)
        imports = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=imports)

    def evaluate(self, x):
        from onnx.reference import ReferenceEvaluator
        from onnx.reference.op_run import OpRun

        class Quant(OpRun):
            op_domain = DOMAIN

            def _run(self, x, step, zero, bits, signed=None, narrow=None, rounding_mode=None):
                top = 2.0 ** (bits - signed)
                lo = (-top + narrow) * signed
                return ((np.clip(np.rint(x.astype(np.float64) / step), lo, top - 1) * step).astype(x.dtype),)

        return ReferenceEvaluator(self.model(), new_ops=[Quant]).run(None, {"x": x})[0]


def compare(graph, x, encoding=EXACT, codes=1):
    """Outputs of the integers and of the floats differ by at most `codes` of the output."""
    network = from_qonnx(graph.model(), encoding)
    got = network.reference(network.quantise(x)) * network.output_scale
    want = graph.evaluate(x.astype(np.float32))
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= codes * network.output_scale * 1.001
    return network, got, want


def small_cnn():
    g = Graph((2, 8, 8))
    h = g.quant("x", 1 / 32)
    h = g.node("Conv", h, g.weights(6, 2, 3, 3), g.normal(6), pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    h = g.node("BatchNormalization", h, g.normal(6), g.normal(6), g.normal(6), g.constant(np.full(6, 2.0, np.float32)))
    h = g.quant(g.node("Relu", h), 1 / 16, 7, signed=0)
    h = g.node("MaxPool", h, kernel_shape=[2, 2], strides=[2, 2])
    a = g.node("Conv", h, g.weights(6, 3, 3, 3), pads=[1, 1, 1, 1], group=2, strides=[1, 1], kernel_shape=[3, 3])
    a = g.quant(a, 1 / 8)
    h = g.quant(g.node("Relu", g.node("Add", a, h)), 1 / 8, 7, signed=0)
    h = g.node("AveragePool", h, kernel_shape=[2, 2], strides=[2, 2])
    h = g.quant(h, 1 / 16)
    h = g.node("Flatten", h)
    h = g.node("Gemm", h, g.weights(5, 24), g.normal(5), transB=1)
    g.quant(h, 1 / 4, 16)
    return g


def test_a_convolutional_network_with_a_residual_follows_the_graph():
    x = np.random.default_rng(1).normal(size=(20, 2, 8, 8))
    network, got, want = compare(small_cnn(), x, codes=24)  # 1/4 a code; halves differ by one code layer by layer
    assert np.sqrt(np.mean((got - want) ** 2)) < 0.02 * want.std()
    kinds = ["conv", "pool", "conv", "add", "rescale", "rescale", "pool", "rescale", "reshape", "linear"]
    assert [op.type for op in network.ops] == kinds


def test_one_layer_is_equal_but_for_halves():
    g = Graph((7,))
    h = g.quant("x", 1 / 64)
    h = g.node("MatMul", h, g.quant(g.normal(7, 4), 1 / 100))
    h = g.node("Mul", g.node("Add", h, g.normal(4)), g.constant(np.float32(0.7)))
    g.quant(h, 0.05)
    x = np.random.default_rng(2).normal(size=(200, 7))
    _, got, want = compare(g, x)
    assert (np.abs(got - want) > 1e-6).mean() < 0.01


def test_outputs_without_a_quantiser_keep_all_bits():
    g = Graph((6,))
    g.node("Gemm", g.quant("x", 1 / 64), g.weights(3, 6), g.normal(3), transB=1)
    network, _, _ = compare(g, np.random.default_rng(3).normal(size=(50, 6)), codes=2)
    assert network.output_scale < 1e-3


def test_shapes_and_joins():
    g = Graph((2, 4, 4))
    h = g.quant("x", 1 / 16)
    a = g.node("Reshape", g.node("Transpose", h, perm=[0, 2, 3, 1]), g.constant(np.array([0, -1])))
    b = g.node("Flatten", g.node("GlobalAveragePool", h))
    h = g.node("Concat", a, b, axis=1)
    h = g.node(
        "Squeeze", g.node("Unsqueeze", g.node("Identity", h), g.constant(np.array([-1]))), g.constant(np.array([2]))
    )
    g.node("Div", h, g.constant(np.float32(2)))
    network, _, _ = compare(g, np.random.default_rng(4).normal(size=(9, 2, 4, 4)))
    assert network.shapes[-1] == (34,)


def test_files_bytes_and_other_units(tmp_path):
    g = small_cnn()
    onnx.save(g.model(), tmp_path / "m.onnx")
    x = np.random.default_rng(5).normal(size=(4, 2, 8, 8))
    networks = [
        from_qonnx(m, EXACT) for m in (tmp_path / "m.onnx", str(tmp_path / "m.onnx"), g.model().SerializeToString())
    ]
    answers = [n.reference(n.quantise(x)).tolist() for n in networks]
    assert answers[0] == answers[1] == answers[2]
    coarse = from_qonnx(g.model(), truncated(8, 8, n_bits=48), n_classes=5, meta={"a": "b"})
    assert coarse.meta == {"from": "qonnx", "a": "b"}
    assert coarse.classify(coarse.reference(coarse.quantise(x))).shape == (4,)


def layered(build):
    g = Graph((4, 6, 6))
    build(g, g.quant("x", 1 / 16))
    return g.model()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda g, h: g.node("LSTM", h), r"operator without a mapping: got LSTM 'lstm1', expected one of Add, Average"),
        (lambda g, h: g.node("Conv", h, g.normal(4, 4, 3, 3)), r"Conv 'conv1': weights 'c3': got not quantised"),
        (lambda g, h: g.node("Conv", h, g.weights(4, 4, 3, 3), dilations=[2, 2]), r"Conv 'conv2': options: got dilati"),
        (
            lambda g, h: g.node("Conv", h, g.weights(4, 4, 3, 3), pads=[0, 0, 1, 1]),
            r"Conv 'conv2': options: got pads that differ",
        ),
        (lambda g, h: g.node("Conv", h, g.weights(4, 4, 3, 3), auto_pad="SAME_UPPER"), r"options: got auto_pad"),
        (lambda g, h: g.node("Mul", h, h), r"Mul 'mul1': got a product of two values"),
        (lambda g, h: g.node("Div", h, h), r"Div 'div1': got a quotient of two values"),
        (lambda g, h: g.node("Add", h, g.normal(4, 1, 1)), r"Add 'add1': got a factor or offset of an activation"),
        (lambda g, h: g.node("Relu", g.normal(3)), r"Relu 'relu1': inputs: got constants only"),
        (lambda g, h: g.node("MaxPool", h, kernel_shape=[2, 2], ceil_mode=1), r"MaxPool .*: options: got ceil_mode"),
        (lambda g, h: g.node("Flatten", h, axis=2), r"Flatten 'flatten1': axis: got 2, expected 1"),
        (lambda g, h: g.node("Transpose", h, perm=[1, 0, 2, 3]), r"Transpose .*: perm: got \[1, 0, 2, 3\]"),
        (lambda g, h: g.quant(h, 1.0, rounding_mode="FLOOR"), r"Quant 'quant1': rounding_mode: got FLOOR"),
        (lambda g, h: g.quant(h, [1.0, 2.0]), r"Quant 'quant1': scale: got 2 values"),
        (lambda g, h: g.quant(h, -1.0), r"Quant 'quant1': got scale -1, zero point 0"),
        (lambda g, h: g.node("Gemm", g.node("Flatten", h), g.weights(144, 3), alpha=2.0), r"Gemm .*: options: got"),
        (lambda g, h: g.node("Conv", g.quant(h, 0.1, 9), g.weights(4, 4, 3, 3)), r"Quant|x codes out of range"),
        (lambda g, h: g.node("Unsqueeze", h, g.constant(np.array([0]))), r"Unsqueeze .*: axes: got \[0\]"),
        (lambda g, h: g.node("Reshape", h, g.constant(np.array([-1]))), r"Reshape .*: shape: got computed"),
    ],
)
def test_what_has_no_mapping_is_named_with_its_node(build, message):
    with pytest.raises((UsageError, ArtifactError), match=message):
        from_qonnx(layered(build), EXACT)


def test_other_bad_models_are_named(tmp_path, monkeypatch):
    g = Graph((3,))
    g.node("Relu", "x")
    with pytest.raises(UsageError, match=r"input 'x' feeds: got Relu 'relu0', expected Quant nodes only"):
        from_qonnx(g.model(), EXACT)
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    for wrong in (tmp_path / "bad.onnx", tmp_path / "none.onnx", b"junk"):
        with pytest.raises(ArtifactError, match=r"ONNX model: got .*Export it again"):
            from_qonnx(wrong, EXACT)
    two = small_cnn().model()
    two.graph.output.append(two.graph.output[0])
    with pytest.raises(ArtifactError, match=r"outputs of the ONNX model: got 2, expected 1"):
        from_qonnx(two, EXACT)
    free = Graph((None, 3))
    free.quant("x", 1.0)
    with pytest.raises(ArtifactError, match=r"shape of input 'x': got \[0, 0, 3\]"):
        from_qonnx(free.model(), EXACT)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UsageError, match=r"package onnx: got not installed, .* pip install 'hwsim\[onnx\]'"):
        from_qonnx(tmp_path / "bad.onnx", EXACT)


def test_every_operator_has_a_handler():
    assert all(hasattr(qonnx._Importer, f"_{name.lower()}") for name in qonnx.OPERATORS)
