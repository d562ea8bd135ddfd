"""A block RAM: one synchronous read and one write a cycle; a word that is read while it is written gives its old value.

Amaranth writes a line of Verilog for the initial value of every word, which for 20 000 words a lane costs yosys and
Verilator minutes. Nothing here is read before it is written, so the Verilog is a module without initial values.
"""

from __future__ import annotations

from amaranth import ClockSignal, Instance, Module, Signal
from amaranth.lib import memory

_TEXT = """module {name} #(parameter WIDTH = 1, parameter DEPTH = 2, parameter BITS = 1) (
  input wire clk,
  input wire [BITS-1:0] read_at,
  output reg [WIDTH-1:0] read,
  input wire write,
  input wire [BITS-1:0] write_at,
  input wire [WIDTH-1:0] written
);
  (* ram_style = "block" *) reg [WIDTH-1:0] words [0:DEPTH-1];
  always @(posedge clk) begin
    if (write) words[write_at] <= written;
    read <= words[read_at];
  end
endmodule
"""


class Ram:
    """Adds a memory of `depth` words of `width` bits to a module.

    Attributes:
        read_at, read: address, and the word a cycle later.   write, write_at, written: enable, address, word.
    """

    def __init__(self, m: Module, name: str, width: int, depth: int, platform: object) -> None:
        bits = max(1, (depth - 1).bit_length())
        self.read_at, self.write_at = Signal(bits, name=f"{name}_read_at"), Signal(bits, name=f"{name}_write_at")
        self.read, self.written = Signal(width, name=f"{name}_read"), Signal(width, name=f"{name}_written")
        self.write = Signal(name=f"{name}_write")
        if hasattr(platform, "add_file"):
            module = f"{getattr(platform, 'top', 'top')}_ram"
            platform.add_file(f"{module}.v", _TEXT.format(name=module))
            m.submodules[name] = Instance(
                module, p_WIDTH=width, p_DEPTH=depth, p_BITS=bits, i_clk=ClockSignal(), i_read_at=self.read_at,
                o_read=self.read, i_write=self.write, i_write_at=self.write_at, i_written=self.written,
            )  # fmt: skip
            return
        m.submodules[name] = store = memory.Memory(shape=width, depth=depth, init=[])
        reader, writer = store.read_port(), store.write_port()
        m.d.comb += [
            reader.addr.eq(self.read_at), reader.en.eq(1), self.read.eq(reader.data), writer.addr.eq(self.write_at),
            writer.en.eq(self.write), writer.data.eq(self.written),
        ]  # fmt: skip
