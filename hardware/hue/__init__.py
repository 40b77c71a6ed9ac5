"""The Hue driver's parts. Only ``bridge.py`` may import phue."""
