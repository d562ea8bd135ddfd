"""X-ResQ: claims, bars and the bench."""
