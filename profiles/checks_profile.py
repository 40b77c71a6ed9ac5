"""What a model alone cannot see in a profile: references, order, keys that contradict each other.

It never says twice what a model has already complained about.
"""

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches

from controller.errors import Problem
from profiles.models import SILENCE, ZONE_ROLES
from profiles.references import Known, has, names_in, number, unknown_names, used_twice
from profiles.yaml_source import Document, KeyPath, Plain, each, nearest


def check_profile(document: Document, known: Known) -> tuple[Problem, ...]:
    """Return a profile's faults of reference and of sense."""
    checks: tuple[Callable[[Document, Known], Iterable[Problem]], ...] = (
        _profile_ids,
        _profile_references,
        _profile_zones,
        _anchors,
        _light,
        _music,
        _cues,
        _profile_whole,
    )
    return tuple(problem for check in checks for problem in check(document, known))


# ---------------------------------------------------------------- profiles


def _profile_ids(document: Document, known: Known) -> Iterator[Problem]:
    del known
    yield from used_twice(document, ("phases", "*", "id"), "phase")


def _profile_references(document: Document, known: Known) -> Iterator[Problem]:
    phases = names_in(document, "phases", "*", "id")
    yield from unknown_names(document, ("anchors", "*"), "phase", phases)
    yield from unknown_names(document, ("anchor_shifts", "*", "phase"), "phase", phases)
    anchors = [str(path[-1]) for path, _ in each(document.data, "anchors", "*")]
    for pattern in (("anchor_cues", "*", "anchor"), ("anchor_shifts", "*", "anchor")):
        yield from unknown_names(document, pattern, "anchor", anchors)
    if known.prompts is not None:
        in_phases = ("phases", "*", "cues", "*", "prompt")
        yield from unknown_names(document, in_phases, "prompt", tuple(known.prompts))
        yield from unknown_names(document, ("anchor_cues", "*", "prompt"), "prompt", tuple(known.prompts))
    if known.pools is not None:
        yield from unknown_names(document, ("phases", "*", "music", "pool"), "pool", (*known.pools, SILENCE))


def _profile_zones(document: Document, known: Known) -> Iterator[Problem]:
    patterns: tuple[tuple[str, ...], ...] = (
        ("zone_factors", "*"),
        ("phases", "*", "light", "zones", "*"),
        ("phases", "*", "light", "steps", "*", "zones", "*"),
    )
    names = (*ZONE_ROLES, *(known.zones or ()))
    for pattern in patterns:
        for path, _ in each(document.data, *pattern):
            zone = str(path[-1])
            # Without the site at hand any zone may exist: then only a near miss is called a slip.
            if zone not in names and (known.zones is not None or get_close_matches(zone, names, 1, 0.7)):
                yield document.problem(path, f"no room has a zone `{zone}`", nearest(zone, names))
    for path, value in each(document.data, "phases", "*", "light", "zones", "*"):
        yield from _zone_light(document, path, value)
    for path, value in each(document.data, "phases", "*", "light", "steps", "*", "zones", "*"):
        yield from _zone_light(document, path, value)


def _zone_light(document: Document, path: KeyPath, value: Plain) -> Iterator[Problem]:
    if isinstance(value, dict) and has(value, "factor") and has(value, "brightness_percent"):
        yield document.problem(path, "expected `factor` or `brightness_percent`, not both")


def _anchors(document: Document, known: Known) -> Iterator[Problem]:
    del known
    order = names_in(document, "phases", "*", "id")
    data = document.data if isinstance(document.data, dict) else {}
    expected = data.get("anchors")
    for path, value in each(document.data, "anchor_shifts", "*"):
        if not isinstance(value, dict) or not isinstance(expected, dict):
            continue
        phase, at = value.get("phase"), expected.get(str(value.get("anchor")))
        if phase in order and at in order and order.index(str(phase)) < order.index(str(at)):
            yield document.problem(
                (*path, "phase"), f"`{phase}` is over when the anchor is expected, in `{at}`"
            )
    lengths = {
        v.get("id"): number(v, "minutes")
        for _, v in each(document.data, "phases", "*")
        if isinstance(v, dict)
    }
    for path, value in each(document.data, "anchor_shifts", "*"):
        if isinstance(value, dict):
            length, delta = lengths.get(str(value.get("phase"))), number(value, "minutes")
            if length is not None and delta is not None and length + delta <= 0:
                yield document.problem((*path, "minutes"), f"leaves nothing of a phase of {length:g} minutes")


def _light(document: Document, known: Known) -> Iterator[Problem]:
    del known
    for path, phase in each(document.data, "phases", "*"):
        light = phase.get("light") if isinstance(phase, dict) else None
        if not isinstance(phase, dict) or not isinstance(light, dict):
            continue
        steps = light.get("steps")
        steps = steps if isinstance(steps, list) else []
        if steps and phase.get("light_frozen") is True:
            yield document.problem((*path, "light", "steps"), "a phase with frozen light has one look only")
        length = number(phase, "minutes")
        before = 0.0
        for index, step in enumerate(steps):
            at = number(step, "at_minute") if isinstance(step, dict) else None
            if at is None:
                continue
            where = (*path, "light", "steps", index, "at_minute")
            if at <= before and index > 0:
                yield document.problem(where, "expected a later minute than the step before")
            if length is not None and at >= length:
                yield document.problem(where, f"expected a minute inside the phase, which has {length:g}")
            before = at
        yield from _fades(document, (*path, "light"), light, steps, length)


def _fades(
    document: Document, path: KeyPath, light: dict[str, Plain], steps: list[Plain], length: float | None
) -> Iterator[Problem]:
    """A fade that cannot end in its time would leave the room short of what is written."""
    looks = [(path, light, 0.0)]
    for index, step in enumerate(steps):
        if isinstance(step, dict):
            looks.append(((*path, "steps", index), step, number(step, "at_minute") or 0.0))
    ends = [start for _, _, start in looks[1:]] + ([] if length is None else [length])
    for (where, look, start), end in zip(looks, ends, strict=False):
        fade = number(look, "fade_minutes")
        if fade is not None and 0 <= start < end < start + fade:
            yield document.problem(
                (*where, "fade_minutes"), f"expected at most the {end - start:g} minutes there are"
            )


def _music(document: Document, known: Known) -> Iterator[Problem]:
    del known
    for path, phase in each(document.data, "phases", "*"):
        music = phase.get("music") if isinstance(phase, dict) else None
        if (
            not isinstance(phase, dict)
            or not isinstance(music, dict)
            or not isinstance(music.get("pool"), str)
        ):
            continue
        silent = music["pool"] == SILENCE
        for key in ("energy", "level_dba"):
            if not silent and not has(music, key):
                yield document.problem((*path, "music", key), "this key is missing")
        where = (*path, "music", "silences")
        length = number(phase, "minutes")
        for index, silence in enumerate(
            silences if isinstance(silences := music.get("silences"), list) else []
        ):
            if silent:
                yield document.problem((*where, index), "the phase is silent already")
            elif music.get("unbroken") is True:
                yield document.problem((*where, index), "an unbroken piece has no silences in it")
            elif isinstance(silence, dict):
                yield from _silence(document, (*where, index), silence, length)


def _silence(
    document: Document, path: KeyPath, silence: dict[str, Plain], length: float | None
) -> Iterator[Problem]:
    start, end = number(silence, "from_minute"), number(silence, "to_minute")
    every, lasts = number(silence, "every_minutes"), number(silence, "for_minutes")
    if every is None and lasts is None:
        if start is None or end is None:
            yield document.problem(
                path, "expected `from_minute` and `to_minute`, or `every_minutes` and `for_minutes`"
            )
        elif end <= start:
            yield document.problem((*path, "to_minute"), "expected a later minute than `from_minute`")
        elif length is not None and start >= length:
            yield document.problem(
                (*path, "from_minute"), f"expected a minute inside the phase, which has {length:g}"
            )
    elif every is None or lasts is None or end is not None:
        yield document.problem(path, "expected both `every_minutes` and `for_minutes`, without `to_minute`")
    elif lasts >= every:
        yield document.problem((*path, "for_minutes"), "expected less than `every_minutes`")


def _cues(document: Document, known: Known) -> Iterator[Problem]:
    for path, phase in each(document.data, "phases", "*"):
        if not isinstance(phase, dict):
            continue
        seen: set[tuple[str, float]] = set()
        for cue_path, cue in each(phase.get("cues"), "*"):
            if not isinstance(cue, dict):
                continue
            where = (*path, "cues", *cue_path)
            yield from _cue_times(document, where, cue, number(phase, "minutes"))
            key = (str(cue.get("prompt")), number(cue, "at_minute") or number(cue, "every_minutes") or 0.0)
            if key in seen:
                yield document.problem(where, "the same prompt at the same minute is written twice")
            seen.add(key)
            if phase.get("suppress_client_prompts") is True and _audience(cue, known) == "client":
                yield document.problem((*where, "prompt"), "this phase suppresses prompts to the client")
    anchored: set[tuple[str, str, float]] = set()
    for path, cue in each(document.data, "anchor_cues", "*"):
        if isinstance(cue, dict):
            named = (str(cue.get("anchor")), str(cue.get("prompt")), number(cue, "minutes") or 0.0)
            if named in anchored:
                yield document.problem(path, "the same card at the same minute is written twice")
            anchored.add(named)


def _cue_times(
    document: Document, path: KeyPath, cue: dict[str, Plain], length: float | None
) -> Iterator[Problem]:
    at, every = number(cue, "at_minute"), number(cue, "every_minutes")
    if (at is None) == (every is None) and (has(cue, "at_minute") == has(cue, "every_minutes")):
        yield document.problem(path, "expected either `at_minute` or `every_minutes`")
    if at is not None and (has(cue, "from_minute") or has(cue, "until_minute")):
        yield document.problem(path, "`from_minute` and `until_minute` go with `every_minutes`")
    if at is not None and length is not None and at >= length:
        yield document.problem(
            (*path, "at_minute"), f"expected a minute inside the phase, which has {length:g}"
        )
    start, until = number(cue, "from_minute"), number(cue, "until_minute")
    if start is not None and until is not None and until <= start:
        yield document.problem((*path, "until_minute"), "expected a later minute than `from_minute`")


def _audience(cue: dict[str, Plain], known: Known) -> str | None:
    if isinstance(said := cue.get("audience"), str):
        return said
    return (known.prompts or {}).get(str(cue.get("prompt")))


def _profile_whole(document: Document, known: Known) -> Iterator[Problem]:
    del known
    data = document.data
    if not isinstance(data, dict):
        return
    lengths = [number(phase, "minutes") for _, phase in each(data, "phases", "*") if isinstance(phase, dict)]
    # A length that cannot be read is said by the model; a sum without it would say too much.
    total = 0.0 if None in lengths else sum(length or 0.0 for length in lengths)
    minimum = number(data, "minimum_minutes")
    if minimum is not None and total and minimum > total:
        yield document.problem(("minimum_minutes",), f"expected at most the session's {total:g} minutes")
    if data.get("status") == "reviewed" and not data.get("reviewed_by"):
        yield document.problem(("reviewed_by",), "a reviewed profile names the roles that signed it")
    if data.get("status") == "unreviewed" and data.get("reviewed_by"):
        yield document.problem(("status",), "is `unreviewed` although `reviewed_by` names who signed it")
