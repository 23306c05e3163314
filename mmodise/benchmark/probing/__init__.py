"""Probing: which maps of a frozen generator know what is where, and with how much noise."""
