"""What a model alone cannot see in presets, prompts and site files.

It never says twice what a model has already complained about.
"""

from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from controller.errors import Problem
from profiles.models import ZONE_ROLES
from profiles.references import Known, has, number, unknown_names, used_twice
from profiles.yaml_source import Document, KeyPath, Plain, each, nearest


def check_presets(document: Document, known: Known) -> tuple[Problem, ...]:
    """Return the faults of a presets file."""
    return tuple(_presets(document, known))


def check_prompts(document: Document, known: Known) -> tuple[Problem, ...]:
    """Return the faults of a prompts file."""
    return tuple(_prompts(document, known))


def check_site(document: Document, known: Known) -> tuple[Problem, ...]:
    """Return a site file's faults of reference and of sense."""
    return tuple(_site(document, known))


# ---------------------------------------------------------------- presets and prompts


def _presets(document: Document, known: Known) -> Iterator[Problem]:
    for path, preset in each(document.data, "presets", "*"):
        if not isinstance(preset, dict):
            continue
        if not preset.get("zones") and not preset.get("others"):
            yield document.problem(path, "expected `zones` or `others`, or there is nothing to show")
        if path[-1] == "help" and preset.get("is_help") is not True:
            yield document.problem((*path, "is_help"), "the help light must say `is_help: true`")
        if path[-1] != "help" and preset.get("is_help") is True:
            yield document.problem((*path, "is_help"), "only the preset `help` may be the help light")
        for look_path, look in (*each(preset, "zones", "*"), *each(preset, "others")):
            yield from _colours(document, (*path, *look_path), look)
    if known.zones is not None:
        names = (*ZONE_ROLES, *known.zones)
        for path, _ in each(document.data, "presets", "*", "zones", "*"):
            if path[-1] not in names:
                yield document.problem(
                    path, f"no room has a zone `{path[-1]}`", nearest(str(path[-1]), names)
                )


def _colours(document: Document, path: KeyPath, look: Plain) -> Iterator[Problem]:
    if isinstance(look, dict) and sum(has(look, key) for key in ("kelvin", "colour", "xy")) > 1:
        yield document.problem(path, "expected one of `kelvin`, `colour` and `xy`")


def _prompts(document: Document, known: Known) -> Iterator[Problem]:
    for path, prompt in each(document.data, "prompts", "*"):
        if not isinstance(prompt, dict):
            continue
        if prompt.get("audience") == "therapist" and prompt.get("audio") is not None:
            yield document.problem((*path, "audio"), "a card for the therapist is silent")
        for text_path, text in each(prompt, "text", "*"):
            if isinstance(text, str) and "{" in text.replace("{part_of_day}", ""):
                yield document.problem((*path, *text_path), "the only placeholder is `{part_of_day}`")
        written = [str(p[-1]) for p, _ in each(prompt, "text", "*")]
        for language in known.languages:
            if written and language.split("-")[0] not in {name.split("-")[0] for name in written}:
                yield document.problem((*path, "text"), f"has no words in the site's language `{language}`")


# ---------------------------------------------------------------- the site


def _site(document: Document, known: Known) -> Iterator[Problem]:
    yield from used_twice(document, ("rooms", "*", "id"), "room")
    for path, room in each(document.data, "rooms", "*"):
        if not isinstance(room, dict):
            continue
        for group, word in (("bridges", "bridge"), ("zones", "zone"), ("fixtures", "fixture")):
            yield from used_twice(document, (group, "*", "id"), word, room, path)
        bridges = [str(value) for _, value in each(room, "bridges", "*", "id")]
        zones = [str(value) for _, value in each(room, "zones", "*", "id")]
        yield from unknown_names(document, ("fixtures", "*", "bridge"), "bridge", bridges, room, path)
        yield from unknown_names(document, ("fixtures", "*", "zone"), "zone", zones, room, path)
        yield from _room_looks(document, path, room, zones)
        yield from _addresses(document, path, room)
    if known.drivers is not None:
        pattern = ("rooms", "*", "bridges", "*", "driver")
        yield from unknown_names(document, pattern, "driver", tuple(known.drivers))
    yield from _site_whole(document)


def _room_looks(
    document: Document, path: KeyPath, room: dict[str, Plain], zones: list[str]
) -> Iterator[Problem]:
    for look_path, look in (*each(room, "resting", "zones", "*"), *each(room, "resting", "others")):
        yield from _colours(document, (*path, *look_path), look)
        zone = str(look_path[-1])
        if look_path[1:2] == ("zones",) and zone not in zones:
            yield document.problem(
                (*path, *look_path), f"no zone `{zone}` in this room", nearest(zone, zones)
            )


def _addresses(document: Document, path: KeyPath, room: dict[str, Plain]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], str] = {}
    for fixture_path, fixture in each(room, "fixtures", "*"):
        if isinstance(fixture, dict) and has(fixture, "bridge") and has(fixture, "address"):
            key = (str(fixture["bridge"]), str(fixture["address"]))
            if key in seen:
                where = (*path, *fixture_path, "address")
                yield document.problem(where, f"fixture `{seen[key]}` has this address already")
            seen.setdefault(key, str(fixture.get("id")))


def _site_whole(document: Document) -> Iterator[Problem]:
    data = document.data
    if not isinstance(data, dict):
        return
    if isinstance(zone := data.get("timezone"), str):
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield document.problem(("timezone",), f"no time zone `{zone}`", "a name like `Europe/Zurich`")
    for section in ("web", "mqtt"):
        part = data.get(section)
        part = part.get("tls", part) if isinstance(part, dict) and section == "mqtt" else part
        if isinstance(part, dict) and has(part, "cert_file") != has(part, "key_file"):
            yield document.problem((section,), "expected `cert_file` and `key_file` together")
    if isinstance(envelope := data.get("envelope"), dict):
        low, high = number(envelope, "crossfade_min_ms"), number(envelope, "crossfade_max_ms")
        if (low or 4_000) > (high or 30_000):
            yield document.problem(("envelope", "crossfade_max_ms"), "expected at least `crossfade_min_ms`")
