"""What a cache is made of: the key of a request, an entry as bytes, flights, levels, figures and replay."""
