"""Bridges to other formats; each module imports its library when it is used."""
