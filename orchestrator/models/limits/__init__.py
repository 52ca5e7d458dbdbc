"""How much may leave now, for whom, and who goes next."""
