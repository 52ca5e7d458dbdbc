"""What was spent, exactly and for good, and what may still be."""
