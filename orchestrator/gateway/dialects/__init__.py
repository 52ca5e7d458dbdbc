"""How each kind of client speaks to the gateway: what its bodies mean, and how it is answered."""
