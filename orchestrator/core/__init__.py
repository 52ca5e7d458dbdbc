"""Values and contracts: what a request, a reply, a model and an outcome are. No input or output happens here."""
