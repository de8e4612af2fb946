"""Surfaces where people answer: one package each, none of which knows another."""
