"""Declared: what `monitors:` in a config adds to what is judged anyway."""
