"""Who is in the registry, by which names, and who of them may be chosen for a need."""
