"""Area, clock and power from open tools, and a LUT6 mapper of the project's own."""
