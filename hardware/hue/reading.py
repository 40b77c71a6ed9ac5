"""Reading what a Hue bridge lists: lamps and groups, with nothing taken on trust.

Pure. A field that is missing or of the wrong kind is read as unknown, never as a fault.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.core.score import FixtureId
from controller.ports import LampReport
from hardware.hue.translate import FULL_BRI, capability_from_json
from hardware.lamp_colour import Capability


@dataclass(frozen=True, slots=True)
class LightState:
    """One lamp as the bridge lists it. ``startup`` None: it cannot be told how to start."""

    name: str
    unique_id: str
    capability: Capability
    startup: str | None
    on: bool | None
    percent: float | None
    mired: float | None
    xy: tuple[float, float] | None
    reachable: bool


def read_lights(value: object) -> dict[int, LightState]:
    """Return the lamps of a ``/lights`` listing by number."""
    listing = value if isinstance(value, Mapping) else {}
    return {
        int(number): _read_light(light)
        for number, light in listing.items()
        if str(number).isdigit() and isinstance(light, Mapping)
    }


def lists_states(value: object) -> bool:
    """Say whether a ``/lights`` listing tells the lamps' states, and not their names alone."""
    return isinstance(value, Mapping) and all(
        isinstance(light, Mapping) and "state" in light for light in value.values()
    )


def read_groups(value: object) -> dict[str, frozenset[int]]:
    """Return the members of each group of a ``/groups`` listing."""
    listing = value if isinstance(value, Mapping) else {}
    groups: dict[str, frozenset[int]] = {}
    for number, group in listing.items():
        members = group.get("lights") if isinstance(group, Mapping) else None
        # An entertainment area belongs to a streaming application; commands to it can be swallowed.
        usable = isinstance(group, Mapping) and group.get("type") != "Entertainment"
        if usable and str(number).isdigit() and isinstance(members, list):
            groups[str(number)] = frozenset(int(m) for m in members if str(m).isdigit())
    return groups


def report_of(fixture: FixtureId, light: LightState | None) -> LampReport:
    """Return a lamp's report; of a lamp that the bridge does not list, that it cannot be reached."""
    if light is None:
        return LampReport(fixture, None, None, None, None, reachable=False)
    return LampReport(fixture, light.on, light.percent, light.mired, light.xy, light.reachable)


def _read_light(light: Mapping[str, object]) -> LightState:
    state = _section(light, "state")
    startup = _section(_section(light, "config"), "startup").get("mode")
    on, bri, reachable = state.get("on"), state.get("bri"), state.get("reachable")
    mode, ct, xy = state.get("colormode"), state.get("ct"), state.get("xy")
    by_xy = mode in {"xy", "hs"} or (mode is None and ct is None)
    return LightState(
        name=str(light.get("name", "")),
        unique_id=str(light.get("uniqueid", "")),
        capability=capability_from_json(light),
        startup=startup if isinstance(startup, str) else None,
        on=on if isinstance(on, bool) else None,
        percent=bri / FULL_BRI * 100.0 if isinstance(bri, int) else None,
        mired=float(ct) if isinstance(ct, int) and not by_xy else None,
        xy=_point(xy) if by_xy else None,
        # Old bridges and other makers' leave it out: then the lamp is taken to be there.
        reachable=reachable if isinstance(reachable, bool) else True,
    )


def _section(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _point(value: object) -> tuple[float, float] | None:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, int | float) for v in value):
        return (float(value[0]), float(value[1]))
    return None
