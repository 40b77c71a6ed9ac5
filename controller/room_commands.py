"""From the wire to the core: a validated request becomes a command, names looked up in the room's library.

It reads the library and changes nothing. A name that is not there is refused with the nearest one that is.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Protocol, assert_never
from uuid import UUID, uuid5

from controller import wire as w
from controller.api import Named
from controller.core import commands as c
from controller.core.rehearsal_score import at_rehearsal_speed
from controller.core.score import Scene, Score
from controller.errors import RefusedError

_NAMESPACE = UUID("7d2e4f6a-6b0e-4a55-9c35-0d5a6e6c2f11")


class RoomLibrary(Protocol):
    """What can be played in a room, by name. A profile that is missing or broken is a ``RefusedError``."""

    def score(self, profile: str) -> Score:
        """Compile a profile for the room."""
        ...

    def scene(self, name: str) -> Scene:
        """Compile a preset for the room."""
        ...

    def words(self, text: str, hour: int) -> str:
        """Fill in what a prompt's words leave open (the part of the day)."""
        ...

    def music_ms(self, pool: str) -> int | None:
        """How much music a pool holds, ms; None where it may come round for ever, 0 where there is none."""
        ...

    def prompt_audio(self, prompt: str) -> str | None:
        """Path of a prompt's recording, or None."""
        ...

    def profiles(self) -> tuple[Named, ...]:
        """Profiles by name."""
        ...

    def pools(self) -> tuple[Named, ...]:
        """Pools by name."""
        ...

    def presets(self) -> tuple[Named, ...]:
        """Presets by name."""
        ...

    def prompts(self) -> tuple[Named, ...]:
        """Prompts by key."""
        ...


def to_command(
    request: w.CommandRequest, by: str, library: RoomLibrary, sheet: c.SessionSheet, new_id: Callable[[], str]
) -> c.Command:
    """Return the core's command for a request.

    Raises:
        RefusedError: it names something that is not there.
    """
    return c.Command(str(request.id), by, _body(request, library, sheet, new_id))


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _body(  # noqa: C901, PLR0911, PLR0912 - one line a command, and mypy proves that none is missing
    request: w.CommandRequest, library: RoomLibrary, sheet: c.SessionSheet, new_id: Callable[[], str]
) -> c.Body:
    match request:
        case w.StartRequest():
            score, speed = library.score(request.profile), request.rehearsal_speed
            if speed is None:
                return c.Start(new_id(), score, sheet)
            return c.Start(new_id(), at_rehearsal_speed(score, speed), sheet, speed)
        case w.EndRequest():
            return c.End(request.anyway)
        case w.HoldRequest():
            return c.Hold()
        case w.ResumeRequest():
            return c.Resume()
        case w.ExtendRequest():
            return c.Extend(request.minutes)
        case w.NextPhaseRequest():
            return c.NextPhase()
        case w.GotoPhaseRequest():
            return c.GotoPhase(request.phase)
        case w.AnchorRequest():
            return c.Anchor(request.anchor, request.minutes_ago)
        case w.LightRequest():
            colour = w.parse_colour(request)
            fade_ms, gesture = _ms(request.fade_s), request.gesture_name()
            return c.Light(request.zone, request.brightness, colour, fade_ms, request.scope(), gesture)
        case w.LightTrimRequest():
            return c.LightTrim(request.trim, request.zone, request.steps)
        case w.LightReleaseRequest():
            return c.LightRelease(request.zone, _ms(request.fade_s))
        case w.VolumeRequest():
            return c.Volume(request.db, request.scope(), request.gesture_name())
        case w.VolumeTrimRequest():
            return c.VolumeTrim(request.db)
        case w.MoodRequest():
            return c.Mood(_known("pool", request.pool, library.pools()), request.scope())
        case w.SkipTrackRequest():
            return c.SkipTrack(_ms(request.fade_s))
        case w.SilenceRequest():
            return c.Silence(_ms(request.fade_s), request.minutes)
        case w.SoundRequest():
            return c.Sound(_ms(request.fade_s))
        case w.SoundReleaseRequest():
            return c.SoundRelease()
        case w.PromptRequest():
            return c.PromptNow(request.prompt, request.text, request.audience)
        case w.PromptDeferRequest():
            return c.PromptDefer(request.cue, request.minutes)
        case w.PromptAckRequest():
            return c.PromptAck(request.prompt_id, request.result)
        case w.SceneRequest():
            return c.TakeScene(library.scene(request.scene))
        case w.SceneReleaseRequest():
            return c.SceneRelease(request.scene)
        case w.EyeshadesRequest():
            return c.Eyeshades(request.on)
        case w.HeadphonesRequest():
            return c.Headphones(request.on)
        case w.NoteRequest():
            if not request.chip and not request.text:
                raise RefusedError("invalid", "a note needs a chip or a text")
            return c.Note(str(uuid5(_NAMESPACE, str(request.id))), request.chip, request.text)
        case w.UndoRequest():
            return c.Undo()
        case _:
            assert_never(request)


def _known(word: str, name: str, named: tuple[Named, ...]) -> str:
    names = [one.name for one in named]
    if name in names:
        return name
    near = get_close_matches(name, names, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise RefusedError(f"unknown_{word}", "unknown {kind} '{name}'", hint=hint, kind=word, name=name)
