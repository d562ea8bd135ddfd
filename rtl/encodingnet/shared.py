"""One Verilog module for many equal submodules: an array repeats its column, a column its counter."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amaranth import ClockSignal, Instance, Module, Value
from amaranth.lib import wiring

from rtl.lib.compressor import ADDERS, ADDERS_FILE
from rtl.lib.verilog import to_verilog


class Shared:
    """Equal components as instances of one added module; submodules of their own where the platform takes no files.

    Args:
        make: builds one component.   name: of the module, after the top module's.   platform: of the elaboration.
    """

    def __init__(self, make: Callable[[], wiring.Component], name: str, platform: object) -> None:
        self._make, self._module = make, ""
        if hasattr(platform, "add_file"):
            design = to_verilog(make(), f"{getattr(platform, 'top', 'top')}_{name}")
            for file, text in design.sources.items():
                platform.add_file(file, ADDERS if file == ADDERS_FILE else text)
            self._module, self._clocked = design.top, design.clock is not None

    def place(self, m: Module, name: str, inputs: Mapping[str, Value], outputs: Mapping[str, Value]) -> None:
        """Add one as submodule `name`: `inputs` drive its input ports, `outputs` take its output ports."""
        if self._module:
            ports = {f"i_{port}": value for port, value in inputs.items()}
            ports |= {f"o_{port}": value for port, value in outputs.items()}
            clock = {"i_clk": ClockSignal()} if self._clocked else {}
            m.submodules[name] = Instance(self._module, **ports, **clock)
            return
        m.submodules[name] = unit = self._make()
        m.d.comb += [Value.cast(getattr(unit, port)).eq(value) for port, value in inputs.items()]
        m.d.comb += [Value.cast(value).eq(Value.cast(getattr(unit, port))) for port, value in outputs.items()]
