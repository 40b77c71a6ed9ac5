"""Scores and commands out of a seed: every kind of command, sensible ones and senseless ones."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sim_disk import SECRET

from controller.core import commands as c
from controller.core.light import Colour, Look, Mired, Xy, look_from_percent
from controller.core.score import (
    AnchorCue,
    AnchorShift,
    Audience,
    Cue,
    LightStep,
    MusicPlan,
    Phase,
    PlannedSilence,
    Scene,
    Score,
)
from controller.core.state import RoomState

MIN = 60_000
ZONES = ("ceiling", "bedside", "path")
LAMPS = {"ceiling-a": "ceiling", "ceiling-b": "ceiling", "bedside-a": "bedside", "path-a": "path"}
POOLS = ("warm", "vast", "tender", "drone", "nothing")
NAMES = ("arrival", "intention", "settle", "onset", "peak", "descent", "return", "talk")
REST = {
    "ceiling": look_from_percent(30, 2700),
    "bedside": look_from_percent(20, 2500),
    "path": Look(0.0, Mired(480.0)),
}
TABLETS = ("therapist:tablet-1", "therapist:tablet-2", "program:mqtt")
SCENES = (
    # A clinic may ask for more than help gives: the envelope ends it at half, and the rest is a person's.
    Scene(
        "help",
        {z: look_from_percent(80 if z == "bedside" else 50, 2700) for z in ZONES},
        3_000,
        music_db=-20.0,
        is_help=True,
    ),
    Scene("path", {"path": look_from_percent(6, 2000)}, to_speakers=True, returns_after_ms=10 * MIN),
    Scene("reading", {"bedside": look_from_percent(60, 3000), "ceiling": look_from_percent(25, 2700)}),
)


def random_look(rng: Random) -> Look:
    percent = rng.choice((0.0, 1.0, 2.0, 5.0, 12.0, 30.0, 45.0, 60.0))
    return look_from_percent(percent, rng.choice((2000, 2200, 2500, 2700)))


def random_score(rng: Random, minutes: int) -> Score:
    """A score of about so many minutes."""
    names = list(NAMES[: rng.randrange(3, len(NAMES) + 1)])
    cuts = sorted(rng.random() for _ in names[1:])
    shares = [b - a for a, b in zip([0.0, *cuts], [*cuts, 1.0], strict=True)]
    phases = tuple(
        _phase(rng, name, max(round(share * minutes), 1)) for name, share in zip(names, shares, strict=True)
    )
    dose = rng.choice(names)
    return Score(
        "made-up",
        "Made up",
        reviewed=False,
        phases=phases,
        resting=REST,
        minimum_ms=rng.choice((0, minutes * MIN // 2)),
        anchors={"dose": dose},
        anchor_cues=tuple(
            AnchorCue(f"bp{i}", "dose", offset * MIN, "bp", "Blood pressure.")
            for i, offset in enumerate((-5, 8, 30))
        ),
        anchor_shifts=(AnchorShift("supplement_given", rng.choice(names), 10 * MIN),),
        prompts={"feet": "Feel both feet meet the floor.", "breath": "Let the out-breath be longer."},
    )


def _phase(rng: Random, name: str, minutes: int) -> Phase:
    steps = []
    at = 0
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        zones = rng.sample(ZONES, rng.randrange(1, 4))
        fade = rng.randrange(2 * MIN, 12 * MIN)
        steps.append(LightStep(at, fade, {zone: random_look(rng) for zone in zones}))
        at += fade + rng.randrange(5 * MIN)
    cues = tuple(
        Cue(
            f"{name}-{i}",
            rng.randrange(max(minutes, 1)) * MIN,
            "breath",
            "Breathe.",
            rng.choice((Audience.CLIENT, Audience.THERAPIST)),
        )
        for i in range(rng.randrange(5))
    )
    gaps: tuple[PlannedSilence, ...] = ()
    if rng.random() < 0.3 and minutes > 6:
        start = rng.randrange(1, minutes - 4) * MIN
        gaps = (PlannedSilence(start, start + rng.randrange(1, 4) * MIN),)
    pool = rng.choice((*POOLS, None))
    music = MusicPlan(pool, pool or "", 0.3, rng.choice((38.0, 48.0, 56.0, 70.0)), silences=gaps)
    return Phase(
        name, name.title(), minutes * MIN, tuple(steps), music, cues, client_prompts_suppressed=name == "peak"
    )


@dataclass
class Tapper:
    """Makes the commands."""

    rng: Random
    colours: bool
    count: int = 0

    def command(self, state: RoomState) -> c.Command:
        """The next thing somebody asks."""
        self.count += 1
        by = self.rng.choice(TABLETS)
        makers = self._makers()
        weights = [weight for weight, _ in makers]
        body = self.rng.choices([make for _, make in makers], weights)[0](state)
        return c.Command(f"cmd-{self.count}", by, body)

    def _makers(self) -> list[tuple[int, Callable[[RoomState], c.Body]]]:
        rng, pick = self.rng, self.rng.choice
        return [
            (10, self._light),
            (6, lambda _: c.LightTrim(pick(list(c.Trim)), self._zone(), rng.randrange(1, 4))),
            (5, lambda _: c.LightRelease(self._zone(), pick((None, 0, 2_000, 60_000)))),
            (5, lambda _: c.TakeScene(pick(SCENES))),
            (5, lambda _: c.SceneRelease(pick((None, "help", "path", "reading")))),
            (3, lambda _: c.Volume(rng.uniform(-45.0, 15.0), self._scope())),
            (4, lambda _: c.VolumeTrim(pick((2.0, -2.0)))),
            (3, lambda _: c.Mood(pick(POOLS), self._scope())),
            (3, lambda _: c.SkipTrack(pick((None, 0, 8_000, 90_000)))),
            (3, lambda _: c.Silence(pick((None, 0, 3_000, 20_000)), pick((None, 0.5, 5.0)))),
            (4, lambda _: c.Sound(pick((None, 0, 12_000)))),
            (2, lambda _: c.SoundRelease()),
            (3, lambda _: c.Hold()),
            (4, lambda _: c.Resume()),
            (3, lambda _: c.Extend(pick((-20.0, -1.0, 0.5, 5.0, 10.0)))),
            (2, lambda _: c.NextPhase()),
            (2, lambda _: c.GotoPhase(pick(NAMES))),
            (2, lambda _: c.Anchor(pick(("dose", "supplement_given", "dosis")), pick((0.0, 5.0)))),
            (2, lambda _: c.PromptNow(pick(("feet", "breath", "nothing")), pick((None, None, SECRET)))),
            (2, self._defer),
            (2, self._ack),
            (2, lambda _: c.Eyeshades(pick((True, False)))),
            (2, lambda _: c.Headphones(pick((True, False)))),
            (2, lambda _: c.Note(f"note-{self.count}", pick(("", "tears")), SECRET)),
            (8, lambda _: c.Undo()),
            (1, lambda _: c.End(anyway=rng.random() < 0.1)),
        ]

    def _zone(self) -> str | None:
        return self.rng.choice((None, *ZONES, *ZONES, "celing" if self.rng.random() < 0.1 else "path"))

    def _scope(self) -> c.Scope:
        kind = self.rng.choice(list(c.ScopeKind))
        return c.Scope(kind, self.rng.choice((0.2, 3.0, 20.0)) if kind is c.ScopeKind.MINUTES else None)

    def _light(self, _state: RoomState) -> c.Body:
        rng = self.rng
        colour: Colour | None = rng.choice((None, Mired(rng.uniform(153.0, 500.0))))
        if self.colours and rng.random() < 0.3:
            colour = Xy(rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.4))
        percent = rng.choice((None, 0.0, 1.0, 100.0, rng.uniform(0.0, 100.0)))
        return c.Light(self._zone(), percent, colour, rng.choice((None, 0, 1_000, 30_000)), self._scope())

    def _defer(self, state: RoomState) -> c.Body:
        session = state.live_session
        keys = ["9.nothing"]
        if session is not None:
            keys += [f"{session.entered_slot}.{cue.cue_id}" for cue in session.phase.cues]
        return c.PromptDefer(self.rng.choice(keys), self.rng.choice((1.0, 5.0, 30.0)))

    def _ack(self, state: RoomState) -> c.Body:
        session = state.live_session
        ids = ["c-nothing"] if session is None else [card.prompt_id for card in session.cards] or ["c-x"]
        return c.PromptAck(self.rng.choice(ids), self.rng.choice(("shown", "spoken", "dismissed")))
