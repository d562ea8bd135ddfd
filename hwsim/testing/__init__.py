"""What tests of every simulator share: naive twins, hypothesis strategies, conformance classes."""
