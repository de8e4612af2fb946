"""The composition root: the only package that names adapters and stores. A command imports what it needs of it."""
