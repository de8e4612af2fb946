"""The service: run it with `python -m bot`."""
