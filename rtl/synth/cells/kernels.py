"""Numba kernels of the netlist simulator: one word of 64 streams at a time, all cycles."""

from __future__ import annotations

import numba as nb
import numpy as np

_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_LATEST = np.int32(2147483647)


@nb.njit(cache=True, inline="always")
def _ones(x):
    """Number of set bits of a word (Hacker's Delight, figure 5-2)."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@nb.njit(cache=True, inline="always")
def _value(table, count, pins, work):
    """Word of a truth table: a tree of multiplexers, the last input at its root (Shannon's expansion)."""
    if count == 0:
        return _FULL if table & np.uint64(1) else np.uint64(0)
    size = 1 << (count - 1)
    x = pins[0]
    for i in range(size):
        low = _FULL if (table >> np.uint64(2 * i)) & np.uint64(1) else np.uint64(0)
        high = _FULL if (table >> np.uint64(2 * i + 1)) & np.uint64(1) else np.uint64(0)
        work[i] = (low & ~x) | (high & x)
    for j in range(1, count):
        size >>= 1
        x = pins[j]
        for i in range(size):
            work[i] = (work[2 * i] & ~x) | (work[2 * i + 1] & x)
    return work[0]


@nb.njit(cache=True)
def _next_state(value, state, data, inverted, clear, clear_low, preset, preset_low):
    """Registers take their data; clear and preset win."""
    for r in range(len(data)):
        new = value[data[r]] if inverted[r] == 0 else ~value[data[r]]
        if preset[r] >= 0:
            new |= ~value[preset[r]] if preset_low[r] else value[preset[r]]
        if clear[r] >= 0:
            new &= value[clear[r]] if clear_low[r] else ~value[clear[r]]
        state[r] = new


@nb.njit(cache=True)
def plain_cycles(
    words, nets, masks, out_nets, n_nets, warmup, out, table, offsets, fan_in, data, inverted, q_register, q_net,
    q_inverted, clear, clear_low, preset, preset_low,
):  # fmt: skip
    """(output words [cycles, bits, words], toggles [n_nets], ones [n_nets]) without delays."""
    cycles = words.shape[0]
    result = np.zeros((cycles, len(out_nets), words.shape[2]), np.uint64)
    toggles, ones = np.zeros(n_nets, np.int64), np.zeros(n_nets, np.int64)
    pins, work = np.zeros(8, np.uint64), np.zeros(64, np.uint64)
    for w in range(words.shape[2]):
        value, old = np.zeros(n_nets, np.uint64), np.zeros(n_nets, np.uint64)
        value[1] = _FULL
        state = np.zeros(len(data), np.uint64)
        for c in range(cycles):
            old[:] = value
            for i in range(len(nets)):
                value[nets[i]] = words[c, i, w]
            for q in range(len(q_net)):
                value[q_net[q]] = ~state[q_register[q]] if q_inverted[q] else state[q_register[q]]
            for g in range(len(out)):
                count = offsets[g + 1] - offsets[g]
                for j in range(count):
                    pins[j] = value[fan_in[offsets[g] + j]]
                value[out[g]] = _value(table[g], count, pins, work)
            for i in range(len(out_nets)):
                result[c, i, w] = value[out_nets[i]]
            if c >= warmup:
                for n in range(n_nets):
                    toggles[n] += _ones((value[n] ^ old[n]) & masks[w])
                    ones[n] += _ones(value[n] & masks[w])
            _next_state(value, state, data, inverted, clear, clear_low, preset, preset_low)
    return result, toggles, ones


@nb.njit(cache=True, inline="always")
def _emit(times, changes, start, end, t, change, window):
    """Append a change of some streams at time t; pulses shorter than `window` vanish. Returns the new end."""
    i = end - 1
    while change and i >= start and t - times[i] < window:
        both = change & changes[i]
        changes[i] ^= both
        change ^= both
        i -= 1
    while end > start and changes[end - 1] == 0:
        end -= 1
    if change:
        times[end] = t
        changes[end] = change
        end += 1
    return end


@nb.njit(cache=True)
def _waveform(g, table, offsets, fan_in, delay, old, first, last, times, changes, end, pins, work, at, inertia):
    """Waveform of one gate's output after `end` of the pool; returns its end."""
    base = offsets[g]
    count = offsets[g + 1] - base
    shortest = _LATEST
    for j in range(count):
        net = fan_in[base + j]
        pins[j] = old[net]
        at[j] = first[net]
        if at[j] < last[net] and delay[base + j] < shortest:
            shortest = delay[base + j]
    if shortest == _LATEST:
        return end
    window = np.int64(inertia * shortest)
    start = end
    now = _value(table, count, pins, work)
    while True:
        t = _LATEST
        for j in range(count):
            net = fan_in[base + j]
            if at[j] < last[net] and times[at[j]] + delay[base + j] < t:
                t = times[at[j]] + delay[base + j]
        if t == _LATEST:
            return end
        for j in range(count):
            net = fan_in[base + j]
            while at[j] < last[net] and times[at[j]] + delay[base + j] == t:
                pins[j] ^= changes[at[j]]
                at[j] += 1
        new = _value(table, count, pins, work)
        if new != now:
            end = _emit(times, changes, start, end, t, new ^ now, window)
            now = new


@nb.njit(cache=True)
def _grown(times, changes, end, size):
    """The pool's first `end` entries in arrays of `size`."""
    more_times, more_changes = np.zeros(size, np.int32), np.zeros(size, np.uint64)
    more_times[:end], more_changes[:end] = times[:end], changes[:end]
    return more_times, more_changes


@nb.njit(cache=True)
def glitch_cycles(
    words, nets, masks, n_nets, warmup, out, table, offsets, fan_in, data, inverted, q_register, q_net, q_inverted,
    clear, clear_low, preset, preset_low, delay, q_delay, input_time, inertia,
):  # fmt: skip
    """Toggles [n_nets] with delays in ticks. A net's changes lie in a pool: time and mask of streams, in time order."""
    toggles = np.zeros(n_nets, np.int64)
    pins, work, at = np.zeros(8, np.uint64), np.zeros(64, np.uint64), np.zeros(8, np.int64)
    times, changes = np.zeros(1 << 16, np.int32), np.zeros(1 << 16, np.uint64)
    first, last = np.zeros(n_nets, np.int64), np.zeros(n_nets, np.int64)
    for w in range(words.shape[2]):
        value = np.zeros(n_nets, np.uint64)
        value[1] = _FULL
        state = np.zeros(len(data), np.uint64)
        for c in range(words.shape[0]):
            end = np.int64(0)
            need = len(nets) + len(q_net)
            if need > len(times):
                times, changes = np.zeros(2 * need, np.int32), np.zeros(2 * need, np.uint64)
            for k in range(need):
                if k < len(nets):
                    net, new, t = nets[k], words[c, k, w], np.int32(input_time)
                else:
                    q = k - len(nets)
                    s = state[q_register[q]]
                    net, new, t = q_net[q], ~s if q_inverted[q] else s, q_delay[q]
                first[net] = end
                if new != value[net]:
                    times[end], changes[end] = t, new ^ value[net]
                    end += 1
                last[net] = end
            for g in range(len(out)):
                room = 1
                for j in range(offsets[g], offsets[g + 1]):
                    room += last[fan_in[j]] - first[fan_in[j]]
                if end + room > len(times):
                    times, changes = _grown(times, changes, end, 2 * len(times) + room)
                first[out[g]] = end
                end = _waveform(
                    g,
                    table[g],
                    offsets,
                    fan_in,
                    delay,
                    value,
                    first,
                    last,
                    times,
                    changes,
                    end,
                    pins,
                    work,
                    at,
                    inertia,
                )
                last[out[g]] = end
            _count(first, last, changes, value, toggles, masks[w], c >= warmup)
            if c == 0:
                _settle(out, table, offsets, fan_in, value, pins, work)
            _next_state(value, state, data, inverted, clear, clear_low, preset, preset_low)
    return toggles


@nb.njit(cache=True)
def _count(first, last, changes, value, toggles, mask, counted):
    """Add the changes of a cycle, and bring every net to its settled value."""
    for n in range(len(first)):
        for k in range(first[n], last[n]):
            value[n] ^= changes[k]
            if counted:
                toggles[n] += _ones(changes[k] & mask)


@nb.njit(cache=True)
def _settle(out, table, offsets, fan_in, value, pins, work):
    """Values of all gates: the start, where gates had no consistent values to change from."""
    for g in range(len(out)):
        count = offsets[g + 1] - offsets[g]
        for j in range(count):
            pins[j] = value[fan_in[offsets[g] + j]]
        value[out[g]] = _value(table[g], count, pins, work)
