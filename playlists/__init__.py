"""Stillroom."""
