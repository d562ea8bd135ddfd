"""The core for a net: window nets (STD-ED) and clocked nets (MPD-ED) each have their own."""

from __future__ import annotations

from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.spiking import SpikingNet
from rtl.evsnn.clocked_core import ClockedCore
from rtl.evsnn.clocked_plan import ClockedPlan
from rtl.evsnn.core import Core
from rtl.evsnn.window_core import WindowCore
from rtl.evsnn.window_plan import WindowPlan


def build(net: SpikingNet, arch: EvsnnArch | None = None) -> Core:
    """The core of a net's shape; default architecture `EvsnnArch.fitting(net)`. Its `plan` has sizes and streams.

    Raises:
        ArtifactError: the net does not fit, or has layers that no core has.
    """
    arch = arch or EvsnnArch.fitting(net)
    return WindowCore(WindowPlan(net, arch)) if net.window else ClockedCore(ClockedPlan(net, arch))
