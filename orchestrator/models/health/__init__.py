"""What the health monitor is made of: sentences, keys, our own network, probes, and what it tells."""
