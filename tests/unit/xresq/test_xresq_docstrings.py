"""Every example in a docstring of the detectors runs and prints what it shows."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import hwsim.xresq

MODULES = ["hwsim.xresq"] + [m.name for m in pkgutil.iter_modules(hwsim.xresq.__path__, "hwsim.xresq.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed == 0
