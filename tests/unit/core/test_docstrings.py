"""Every example in a docstring of the core packages runs and prints what it shows."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import hwsim.annealing
import hwsim.core
import hwsim.graphnorm
import hwsim.ir
import hwsim.neuralut
import hwsim.testing
import hwsim.xresq

PACKAGES = (hwsim.annealing, hwsim.graphnorm, hwsim.ir, hwsim.core, hwsim.neuralut, hwsim.testing, hwsim.xresq)
MODULES = [p.__name__ for p in PACKAGES] + [
    module.name for p in PACKAGES for module in pkgutil.walk_packages(p.__path__, f"{p.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed == 0
