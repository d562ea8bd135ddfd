"""Every example in a docstring of the learning packages' common parts runs and prints what it shows."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import ml.common
import ml.encodingnet
import ml.graphnorm

MODULES = [
    m.name
    for p in (ml.common, ml.encodingnet, ml.graphnorm)
    for m in pkgutil.walk_packages(p.__path__, f"{p.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed == 0
