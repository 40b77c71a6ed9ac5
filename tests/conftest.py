"""Which tests are long: they run by ``make test-long``, so that ``make test`` stays under ten minutes."""

import pytest

LONG = frozenset(
    {
        "test_designer.py",
        "test_setup_pages.py",
        "test_wall_page.py",
        "test_daemon_room_check.py",
        "test_daemon_pairing.py",
        "test_confidential.py",
        "test_kill_daemon.py",
        "test_services.py",
    }
)
"""Whole daemons and pages, each many seconds."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name in LONG:
            item.add_marker(pytest.mark.long)
