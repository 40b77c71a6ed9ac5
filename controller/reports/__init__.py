"""After the session: what happened, worked out of the journal's records and written down for people.

It reads records and never a device; it never holds free text that nobody asked for.
"""
