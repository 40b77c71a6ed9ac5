"""The player: a process of its own that owns the sound device, and the client that keeps it alive.

``client.PlayerProcess`` is the daemon's side; ``python -m hardware.player`` is the process. The daemon
must never import the process's modules (they load PortAudio); only ``client`` and ``protocol``.
"""
