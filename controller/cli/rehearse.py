"""``stillroom rehearse``."""


def rehearse(profile: str) -> None:
    """X"""
