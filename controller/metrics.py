"""Figures of a running daemon, in the text format that Prometheus reads. Counts and lengths only.

Nothing of a client is in it: no session id, no name, no profile; a room's id and a part's name at most.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

BUCKETS_S: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Histogram:
    """How long something took, in seconds. From any thread."""

    name: str
    help: str
    _counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    _sum_s: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def observe(self, seconds: float) -> None:
        """Count one."""
        with self._lock:
            self._counts[bisect_left(BUCKETS_S, seconds)] += 1
            self._sum_s += seconds

    def lines(self) -> Iterable[str]:
        """Return its lines."""
        with self._lock:
            counts, sum_s = tuple(self._counts), self._sum_s
        yield from _head(self.name, self.help, "histogram")
        so_far = 0
        for limit, count in zip((*BUCKETS_S, "+Inf"), counts, strict=True):
            so_far += count
            yield f'{self.name}_bucket{{le="{limit}"}} {so_far}'
        yield f"{self.name}_sum {sum_s:.6f}"
        yield f"{self.name}_count {so_far}"


COMMAND_S: Final = Histogram(
    "stillroom_command_seconds", "From a command read to its answer, the journal's flush included."
)


def gauge(name: str, text: str, values: Mapping[Labels, float]) -> Iterable[str]:
    """Return the lines of a figure that goes up and down."""
    yield from _head(name, text, "gauge")
    for labels, value in values.items():
        inside = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels)
        yield f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:.15g}"


def _head(name: str, text: str, kind: str) -> Iterable[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
