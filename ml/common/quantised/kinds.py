"""What each node of a traced model is: one word for the many spellings torch has of an operation."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from hwsim.ir.errors import UsageError
from ml.common.quantised.elementwise import Elementwise

_MODULES: dict[type[nn.Module], str] = {
    nn.Linear: "linear",
    nn.Conv2d: "conv",
    nn.BatchNorm1d: "batchnorm",
    nn.BatchNorm2d: "batchnorm",
    nn.LayerNorm: "layernorm",
    nn.ReLU: "relu",
    nn.MaxPool2d: "maxpool",
    nn.AvgPool2d: "avgpool",
    nn.AdaptiveAvgPool2d: "adaptive",
    nn.Flatten: "reshape",
    nn.Unflatten: "reshape",
    nn.Identity: "same",
    nn.Dropout: "same",
    nn.Dropout2d: "same",
    nn.Softmax: "softmax",
    Elementwise: "table",
    **dict.fromkeys(
        (
            nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.Softplus, nn.Softsign,
            nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.ReLU6, nn.Mish, nn.LogSigmoid, nn.Tanhshrink,
        ),
        "table",
    ),
}  # fmt: skip

_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "relu": (F.relu, torch.relu, F.relu_, torch.relu_, "relu", "relu_"),
    "add": (operator.add, operator.iadd, torch.add, "add", "add_"),
    "sub": (operator.sub, operator.isub, torch.sub, "sub", "sub_"),
    "mul": (operator.mul, operator.imul, torch.mul, "mul", "mul_"),
    "div": (operator.truediv, torch.div, torch.true_divide, "div"),
    "neg": (operator.neg, torch.neg, "neg"),
    "matmul": (operator.matmul, torch.matmul, torch.bmm, "matmul", "bmm"),
    "cat": (torch.cat, torch.concat, torch.concatenate),
    "reshape": (
        torch.flatten, torch.reshape, torch.unsqueeze, torch.squeeze,
        "flatten", "view", "reshape", "unsqueeze", "squeeze", "unflatten",
    ),
    "permute": (torch.permute, torch.transpose, torch.swapaxes, "permute", "transpose", "swapaxes"),
    "softmax": (F.softmax, torch.softmax, "softmax"),
    "mean": (torch.mean, "mean"),
    "sum": (torch.sum, "sum"),
    "amax": (torch.amax, "amax"),
    "maxpool": (F.max_pool2d, torch.max_pool2d),
    "avgpool": (F.avg_pool2d,),
    "adaptive": (F.adaptive_avg_pool2d,),
    "same": (F.dropout, F.dropout2d, "contiguous", "clone", "detach", "to", "float"),
    "table": (
        torch.tanh, F.tanh, "tanh", torch.sigmoid, F.sigmoid, "sigmoid", torch.exp, "exp", torch.sqrt, "sqrt",
        torch.rsqrt, "rsqrt", torch.abs, "abs", torch.square, "square", torch.reciprocal, "reciprocal", torch.log,
        "log", F.gelu, F.silu, F.leaky_relu, F.elu, F.selu, F.celu, F.softplus, F.softsign, F.hardswish, F.mish,
        F.hardsigmoid, F.hardtanh, F.relu6, F.logsigmoid, torch.pow, operator.pow, "pow", torch.clamp, "clamp",
        torch.sin, "sin", torch.cos, "cos", torch.log1p, "log1p",
    ),
}  # fmt: skip

SAME_SCALE = ("relu", "maxpool", "amax", "reshape", "permute", "same")
ARRAY = ("linear", "conv", "matmul")
_BY_TARGET: dict[Any, str] = {target: kind for kind, targets in _FUNCTIONS.items() for target in targets}
_SPELLED: dict[str, Callable[..., bool]] = {
    "call_function": callable,
    "call_method": lambda target: isinstance(target, str),
}


def describe(graph: fx.GraphModule, node: fx.Node) -> str:
    """How a user knows the node: ``"conv1 (Conv2d)"``, ``"add_2 (operator.add)"``."""
    if node.op == "call_module":
        return f"{node.target} ({type(graph.get_submodule(str(node.target))).__name__})"
    if node.op == "call_function":
        name = getattr(node.target, "__name__", str(node.target))
        return f"{node.name} ({getattr(node.target, '__module__', '')}.{name})"
    return f"{node.name} ({node.op} {node.target})"


def kind_of(graph: fx.GraphModule, node: fx.Node) -> str:
    """The kind of a node.

    Raises:
        UsageError: a module or function that has no mapping; names it and the node.
    """
    if node.op in ("placeholder", "output"):
        return node.op
    if node.op == "get_attr":
        return "const"
    kind = None
    if node.op == "call_module":
        kind = _MODULES.get(type(graph.get_submodule(str(node.target))))
    elif _SPELLED[node.op](node.target):
        kind = _BY_TARGET.get(node.target)
    if kind is None:
        known = sorted({c.__name__ for c in _MODULES} | set(_FUNCTIONS))
        raise UsageError.of(
            "no mapping to the array's operations", describe(graph, node), f"one of {', '.join(known)}",
            "Write the model with these, or compute that part outside.",
        )  # fmt: skip
    return kind


class _Tracer(fx.Tracer):
    """Torch's own modules and quantised ones are nodes; all others are looked into."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) in _MODULES or super().is_leaf_module(m, module_qualified_name)


def trace(model: nn.Module) -> fx.GraphModule:
    """The model as a graph.

    Raises:
        UsageError: control flow that depends on data, so that no graph exists.
    """
    if type(model) in _MODULES:
        model = nn.Sequential(model)  # a node needs a graph around it
    try:
        tracer = _Tracer()
        graph = tracer.trace(model)
    except (fx.proxy.TraceError, TypeError, RuntimeError, ValueError) as error:
        got, mend = f"{type(model).__name__}: {error}", "Take data-dependent control flow out of forward()."
        raise UsageError.of("the model can't be traced", got, "a fixed graph", mend) from error
    return fx.GraphModule(tracer.root, graph)
