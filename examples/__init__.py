"""Examples, each complete: run them with `python -m examples.NAME`."""
