"""Real environments."""
