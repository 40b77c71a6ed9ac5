"""Music: pools and tracks, their loudness and energy, choosing what comes next, and the generated set.

It never plays anything and never knows the daemon: ``docs/music.md`` tells how the parts fit.
"""
