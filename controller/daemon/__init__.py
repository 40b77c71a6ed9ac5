"""The composition root: reads the site, opens its devices and doors, and runs its rooms together.

With ``controller/rehearsal.py`` and the command line it is the only part of the shell that sees ``hardware``.
It must never hold a decision about a session: those are the core's.
"""
