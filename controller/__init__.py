"""Stillroom's controller: the pure core, and the shell that runs one or many rooms.

Nothing here may import a vendor's package for lamps or sound; drivers live in ``hardware/``.
"""
