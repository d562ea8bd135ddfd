"""What every simulator returns and shares: results, counters, energy, traces, random steps."""
