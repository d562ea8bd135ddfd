"""One Verilog module for many equal submodules: an array repeats its column, a column its counter."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amaranth import ClockSignal, Instance, Module, ResetSignal, Value
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
            self._module = design.top
            domain = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
            has = {"i_clk": design.clock, "i_rst": design.reset}
            self._domain = {port: signal for port, signal in domain.items() if has[port]}

    def place(self, m: Module, name: str, inputs: Mapping[str, Value], outputs: Mapping[str, Value]) -> None:
        """Add one as submodule `name`: `inputs` drive its input ports, `outputs` take its output ports."""
        if self._module:
            ports = {f"i_{port}": value for port, value in inputs.items()}
            ports |= {f"o_{port}": value for port, value in outputs.items()}
            m.submodules[name] = Instance(self._module, **ports, **self._domain)
            return
        m.submodules[name] = unit = self._make()
        m.d.comb += [Value.cast(getattr(unit, port)).eq(value) for port, value in inputs.items()]
        m.d.comb += [Value.cast(value).eq(Value.cast(getattr(unit, port))) for port, value in outputs.items()]
