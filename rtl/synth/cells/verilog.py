"""A mapped netlist as gate-level Verilog, and its longest path by OpenSTA, to check our own timing."""

from __future__ import annotations

import re

from hwsim.ir.errors import ToolFailedError
from rtl.synth.cells.netlist import ONE, ZERO, CellNetlist
from rtl.synth.cells.write import liberty_text
from rtl.synth.opensta import find_opensta
from rtl.synth.runner import run_tool

_PERIOD_PS = 1_000_000
_SCRIPT = """read_liberty cells.lib
read_verilog netlist.v
link_design {top}
create_clock -name clk -period {period} {clock}
set_input_delay 0 -clock clk [all_inputs]
set_output_delay 0 -clock clk [all_outputs]
report_checks -path_delay max -format full -digits 6
exit
"""


def netlist_verilog(netlist: CellNetlist) -> str:
    """Verilog-2001 of cell instances ``u0…`` and nets ``n2…``; every port bit is a port ``<port>_<bit>``.

    Instances are in the order of `CellNetlist.names`. Scalar ports and no concatenations: old readers want that.
    """
    sides = {"input": netlist.inputs, "output": netlist.outputs}
    ports = [(side, f"{name}_{k}", net) for side, group in sides.items() for name, nets in group.items()
             for k, net in enumerate(nets.tolist())]  # fmt: skip
    lines = [f"module {netlist.top} ({', '.join(name for _, name, _ in ports)});"]
    lines += [f"  {side} {name};" for side, name, _ in ports]
    lines += [f"  wire n{net};" for net in range(2, netlist.n_nets)]
    lines += [f"  assign n{n} = {p};" if side == "input" else f"  assign {p} = {_net(n)};" for side, p, n in ports]
    for i in range(netlist.n_cells):
        pins = ", ".join(f".{pin}({_net(net)})" for pin, net in netlist.instance(i).items() if net >= 0)
        lines.append(f"  {netlist.kinds[netlist.kind[i]].name} u{i} ({pins});")
    return "\n".join([*lines, "endmodule", ""])


def opensta_path_ps(netlist: CellNetlist, *, timeout_s: float = 600.0) -> float:
    """Longest path by OpenSTA in ps, without wires and with slews of 0: to compare with ``Conditions(wire_ff=0.0)``.

    Raises:
        ToolMissingError: OpenSTA is not installed. ToolFailedError: it failed, or found no path.
    """
    tool = find_opensta()
    clock = next((f"{p}_{nets.tolist().index(n)}" for n in _clock_nets(netlist) for p, nets in netlist.inputs.items()
                  if n in nets.tolist()), "")  # fmt: skip
    script = _SCRIPT.format(top=netlist.top, period=_PERIOD_PS, clock=f"[get_ports {clock}]" if clock else "")
    library = liberty_text(netlist.library, [kind.name for kind in netlist.kinds])
    inputs = {"cells.lib": library, "netlist.v": netlist_verilog(netlist), "run.tcl": script}
    run = run_tool(tool, ["-no_splash", "-exit", "run.tcl"], inputs, timeout_s=timeout_s)
    slack = re.search(r"([-\d.]+)\s+slack \(", run.log)
    if slack is None:
        raise ToolFailedError.of("opensta found no timing path", "no slack", "one path", run.log[-1000:])
    return _PERIOD_PS - float(slack[1])


def _net(net: int) -> str:
    return {ZERO: "1'b0", ONE: "1'b1"}.get(net, f"n{net}")


def _clock_nets(netlist: CellNetlist) -> list[int]:
    """Nets at the clock pins of flip-flops."""
    nets = set()
    for i in (i for i in range(netlist.n_cells) if netlist.is_register[i]):
        ff = netlist.kinds[netlist.kind[i]].flip_flop
        pins = netlist.instance(i)
        nets |= {net for pin, net in pins.items() if ff and pin in ff.clocked_on}
    return sorted(nets)
