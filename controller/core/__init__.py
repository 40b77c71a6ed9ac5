"""The pure core: what a room should be at any instant, and what may change it.

Two rules. It performs no I/O and reads no clock: ``now_ms`` is always an argument.
And an event it refuses changes nothing.
"""
