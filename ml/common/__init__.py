"""What the learning papers share: data, seeds, device, training loop, quantisers."""
