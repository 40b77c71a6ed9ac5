"""Chords: how an even fade in luminance lies to an even fade in L*, and how one is drawn out.

Pure geometry of one transition. It must never ask what is safe, nor know of lamps or curves.
"""

from controller.core.light import Colour, Mired, Xy, as_xy
from controller.core.units import CIE_KAPPA, clamp, lerp, lstar_from_luminance, luminance_from_lstar


def chord_error(start_lstar: float, end_lstar: float) -> float:
    """Return how far (L*) a transition leaves the even L* fade between the same ends, at its worst.

    Both run in the same time. The gap is widest where their slopes are equal: where dL*/dY is the mean
    slope ``m``, at ``Y = (116 / (3 m)) ** 1.5``. Below L* 8 lightness is straight and there is none.
    """
    start, end = luminance_from_lstar(start_lstar), luminance_from_lstar(end_lstar)
    if abs(end - start) < 1e-9:
        return 0.0
    mean = (end_lstar - start_lstar) / (end - start)
    if mean >= CIE_KAPPA - 1e-6:
        return 0.0
    widest = (116.0 / (3.0 * mean)) ** 1.5
    share = (widest - start) / (end - start)
    return abs(lstar_from_luminance(widest) - lerp(start_lstar, end_lstar, share))


def chord_end(start: float, end: float, tolerance: float, floor_lstar: float) -> float:
    """The farthest L* from ``start`` towards ``end``, not under the floor, that a good chord ends at."""
    goal = max(end, floor_lstar)
    if chord_error(start, goal) <= tolerance:
        return goal
    near, far = 0.0, 1.0
    for _ in range(24):
        middle = (near + far) / 2.0
        if chord_error(start, lerp(start, goal, middle)) <= tolerance:
            near = middle
        else:
            far = middle
    return lerp(start, goal, near)


def extended(start: Colour, end: Colour, times: float) -> Colour:
    """A colour that lies ``times`` as far from ``start`` as ``end`` does, within ordinary whites."""
    if isinstance(start, Mired) and isinstance(end, Mired):
        low, high = min(start.value, end.value, 153.0), max(start.value, end.value, 500.0)
        return Mired(clamp(start.value + (end.value - start.value) * times, low, high))
    a, b = as_xy(start), as_xy(end)
    return Xy(clamp(a.x + (b.x - a.x) * times, 0.05, 0.74), clamp(a.y + (b.y - a.y) * times, 0.03, 0.8))
