"""The C++ text of the batch driver: per-port packing of codes, and three loops over clock cycles.

One clock cycle: inputs are set while the clock is low and settle, outputs are read, then comes the rising edge. So a
value read in cycle t is what another circuit on the same clock would see there.

Lanes travel between numpy and the model as arrays [.., lanes] of the smallest unsigned type that holds a code.
"""

from __future__ import annotations

from rtl.cosim.toolchain import PREFIX
from rtl.lib.verilog import Port, VerilogDesign


def lane_bytes(port: Port) -> int:
    """Bytes of the integer that holds one code of the port."""
    return next(size for size in (1, 2, 4, 8) if port.bits <= 8 * size)


def member(name: str) -> str:
    """Verilator's C++ name of a port."""
    return name.replace("__", "___05F")


def render(design: VerilogDesign, plain: tuple[Port, Port] | None, stream: tuple[str, str] | None) -> str:
    """Driver text for a design.

    Args:
        design: the Verilog and its ports.
        plain: input and output data port of a design without handshake, or None.
        stream: names of the input and output stream, or None.
    """
    inputs = [port for port in design.ports if port.direction == "in"]
    outputs = [port for port in design.ports if port.direction == "out"]
    parts = [_PRELUDE.replace("@PREFIX@", PREFIX), _clocking(design)]
    parts.append(_PORTS.format(
        sets="\n    ".join(_set(port, f"in[{i}]", "t") for i, port in enumerate(inputs)),
        gets="\n    ".join(_get(port, f"out[{i}]", "t") for i, port in enumerate(outputs)),
        zeros="\n  ".join(_zero(port) for port in inputs),
    ))  # fmt: skip
    if plain is not None:
        set_x, get_y = _set(plain[0], "x", "i"), _get(plain[1], "y", "{}")
        parts.append(_PLAIN.format(set_x=set_x, get_y=get_y.format("k"), get_all=get_y.format("t")))
    if stream is not None:
        source, sink = (design.port(f"{name}__payload") for name in stream)
        inp, out = (member(f"{name}__") for name in stream)
        parts.append(_STREAM.format(inp=inp, out=out, set_x=_set(source, "x", "taken"), get_y=_get(sink, "y", "given")))
    return "\n".join(parts)


def _type(port: Port) -> str:
    return f"uint{8 * lane_bytes(port)}_t"


def _set(port: Port, array: str, row: str) -> str:
    data = f"static_cast<const {_type(port)}*>({array}) + ({row}) * {port.lanes}"
    return f"pack<{_type(port)}, {port.bits}, {port.lanes}>({data}, &top->{member(port.name)});"


def _get(port: Port, array: str, row: str) -> str:
    data = f"static_cast<{_type(port)}*>({array}) + ({row}) * {port.lanes}"
    return f"unpack<{_type(port)}, {port.bits}, {port.lanes}>(&top->{member(port.name)}, {data});"


def _zero(port: Port) -> str:
    return f"std::memset(&top->{member(port.name)}, 0, storage({port.width}));"


def _clocking(design: VerilogDesign) -> str:
    clock = f"top->{member(design.clock)} = level; " if design.clock else ""
    reset = f"top->{member(design.reset)} = level;" if design.reset else ""
    return f"""void Sim::clock(int level) {{ {clock}top->eval(); dump(); }}
void Sim::reset(int level) {{ {reset} }}
"""


_PRELUDE = r"""#include "@PREFIX@.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif
#include <cstdint>
#include <cstring>
#include <memory>

namespace {
constexpr int storage(int width) {  // bytes of Verilator's type for a port
  return width <= 8 ? 1 : width <= 16 ? 2 : width <= 32 ? 4 : width <= 64 ? 8 : (width + 31) / 32 * 4;
}
constexpr uint64_t ones(int bits) { return bits >= 64 ? ~0ull : (1ull << bits) - 1; }
constexpr uint64_t spread(int bits) {  // the low `bits` bits of each byte
  return ones(bits) * 0x0101010101010101ull;
}

// LANES codes of BITS bits, code k at bits [k*BITS + BITS - 1 : k*BITS], little-endian words as Verilator keeps them
template <class T, int BITS, int LANES> inline void pack(const T* x, void* port) {
  if constexpr (LANES == 1) {
    std::memcpy(port, x, storage(BITS));
  } else {
    constexpr int size = storage(BITS * LANES);
    uint8_t buffer[size + 16] = {0};
    int k = 0;
    uint8_t* to = buffer;
#if defined(__BMI2__)
    if constexpr (sizeof(T) == 1)
      for (; k + 8 <= LANES; k += 8, to += BITS) {
        uint64_t eight; std::memcpy(&eight, x + k, 8);
        const uint64_t dense = __builtin_ia32_pext_di(eight, spread(BITS)); std::memcpy(to, &dense, 8);
      }
#endif
    unsigned __int128 held = 0;
    int fill = 0;
    for (; k < LANES; ++k) {
      held |= static_cast<unsigned __int128>(x[k]) << fill;
      for (fill += BITS; fill >= 8; fill -= 8, held >>= 8) *to++ = static_cast<uint8_t>(held);
    }
    if (fill) *to = static_cast<uint8_t>(held);
    std::memcpy(port, buffer, size);
  }
}

template <class T, int BITS, int LANES> inline void unpack(const void* port, T* x) {
  if constexpr (LANES == 1) {
    std::memcpy(x, port, storage(BITS));
  } else {
    constexpr int size = storage(BITS * LANES);
    uint8_t buffer[size + 16] = {0};
    std::memcpy(buffer, port, size);
    int k = 0;
    const uint8_t* from = buffer;
#if defined(__BMI2__)
    if constexpr (sizeof(T) == 1)
      for (; k + 8 <= LANES; k += 8, from += BITS) {
        uint64_t dense; std::memcpy(&dense, from, 8);
        const uint64_t eight = __builtin_ia32_pdep_di(dense, spread(BITS)); std::memcpy(x + k, &eight, 8);
      }
#endif
    unsigned __int128 held = 0;
    int fill = 0;
    for (; k < LANES; ++k, fill -= BITS, held >>= BITS) {
      for (; fill < BITS; fill += 8) held |= static_cast<unsigned __int128>(*from++) << fill;
      x[k] = static_cast<T>(static_cast<uint64_t>(held) & ones(BITS));
    }
  }
}

struct Sim {
  VerilatedContext context;
  std::unique_ptr<@PREFIX@> top;
  uint64_t time = 0, dump_until = 0;
#if VM_TRACE
  VerilatedVcdC vcd;
#endif
  Sim() {
    context.randReset(0);
#if VM_TRACE
    context.traceEverOn(true);
#endif
    top = std::make_unique<@PREFIX@>(&context, "top");
  }
  void clock(int level);
  void reset(int level);
  void low() { clock(0); }
  void high() { clock(1); }
  void dump() {
#if VM_TRACE
    if (time < dump_until) vcd.dump(time);
#endif
    ++time;
  }
};
}  // namespace
"""

_PORTS = r"""extern "C" {{
void* hw_new() {{ return new Sim(); }}
void hw_free(void* s) {{ auto* sim = static_cast<Sim*>(s); sim->top->final(); delete sim; }}
int hw_trace(void* s, const char* path, int64_t cycles) {{
#if VM_TRACE
  auto* sim = static_cast<Sim*>(s);
  sim->top->trace(&sim->vcd, 99);
  sim->vcd.open(path);
  sim->dump_until = sim->time + 2 * cycles;
  return sim->vcd.isOpen();
#else
  return 0;
#endif
}}
void hw_untrace(void* s) {{
#if VM_TRACE
  static_cast<Sim*>(s)->vcd.close();
#endif
}}
void hw_reset(void* s, int64_t cycles) {{
  auto* sim = static_cast<Sim*>(s);
  auto* top = sim->top.get();
  {zeros}
  sim->reset(1);
  for (int64_t t = 0; t < cycles; ++t) {{ sim->low(); sim->high(); }}
  sim->reset(0);
}}
void hw_ports(void* s, int64_t cycles, const void* const* in, void* const* out, const uint8_t* rst) {{
  auto* sim = static_cast<Sim*>(s);
  auto* top = sim->top.get();
  for (int64_t t = 0; t < cycles; ++t) {{
    if (rst) sim->reset(rst[t]);
    {sets}
    sim->low();
    {gets}
    sim->high();
  }}
}}
}}
"""

_PLAIN = r"""extern "C" {{
// sample i is held in cycles [i*interval, (i+1)*interval); its result is read in cycle i*interval + latency
void hw_plain(void* s, const void* x, int64_t n, void* y, int64_t latency, int64_t interval) {{
  auto* sim = static_cast<Sim*>(s);
  auto* top = sim->top.get();
  const int64_t cycles = n ? (n - 1) * interval + latency + 1 : 0;
  int64_t i = 0, k = 0, next_in = 0, next_out = latency;
  for (int64_t t = 0; t < cycles; ++t) {{
    if (t == next_in && i < n) {{ {set_x} ++i; next_in += interval; }}
    sim->low();
    if (t == next_out) {{ {get_y} ++k; next_out += interval; }}
    sim->high();
  }}
}}
// the same inputs; y has one row for each of n*interval + extra cycles
void hw_watch(void* s, const void* x, int64_t n, void* y, int64_t interval, int64_t extra) {{
  auto* sim = static_cast<Sim*>(s);
  auto* top = sim->top.get();
  for (int64_t t = 0; t < n * interval + extra; ++t) {{
    const int64_t i = t / interval;
    if (i < n && t % interval == 0) {{ {set_x} }}
    sim->low();
    {get_all}
    sim->high();
  }}
}}
}}
"""

_STREAM = r"""extern "C" {{
// in_valid and out_ready may be null (always 1). With patterns the run lasts `cycles`. Without, it lasts until all
// samples left, and goes on for `drain` uncounted cycles to catch results that nobody asked for
int64_t hw_stream(void* s, const void* x, int64_t n, int64_t cycles, const uint8_t* in_valid, const uint8_t* out_ready,
                  void* y, uint8_t* in_fire, uint8_t* out_fire, uint8_t* out_valid, int64_t* in_cycle,
                  int64_t* out_cycle, int64_t* counts) {{
  auto* sim = static_cast<Sim*>(s);
  auto* top = sim->top.get();
  constexpr int64_t drain = 64;
  const bool patterned = in_valid || out_ready;
  int64_t taken = 0, given = 0, t = 0, finished = 0;
  bool fresh = true;
  for (; t < cycles && (patterned || given < n || t < finished + drain); ++t) {{
    const bool offer = taken < n && (!in_valid || in_valid[t]);
    if (taken < n && fresh) {{ {set_x} fresh = false; }}
    top->{inp}valid = offer;
    top->{out}ready = !out_ready || out_ready[t];
    sim->low();
    const bool in = offer && top->{inp}ready;
    const bool out = top->{out}valid && top->{out}ready;
    if (in_fire) {{ in_fire[t] = in; out_fire[t] = out; out_valid[t] = top->{out}valid; }}
    if (out) {{
      if (given < n) {{ {get_y} out_cycle[given] = t; }}
      if (++given == n) finished = t + 1;
    }}
    if (in) {{ in_cycle[taken++] = t; fresh = true; }}
    sim->high();
  }}
  counts[0] = taken; counts[1] = given;
  return patterned || given < n ? t : finished;
}}
}}
"""
