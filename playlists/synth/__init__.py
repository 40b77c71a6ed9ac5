"""Calm pieces made by code: pads, drones, bowls, soft drums, water, wind and distant birds.

Everything here is a pure function of a recipe and its seed: the same recipe gives the same samples.
It must never read a clock, and nothing but ``rendering`` writes a file.
"""
