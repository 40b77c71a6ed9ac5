"""Compiling: a profile, for one room, as a score. Pure: the same files give the same score, always.

It never looks anything up on disk and never rounds a light. What the numbers mean is in
``docs/decisions/0001-brightness-is-luminance.md``.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from controller.core.light import Look, Mired
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
    ZoneId,
)
from controller.core.units import MS_PER_MIN, MS_PER_S, lstar_from_percent, mired_from_kelvin
from profiles.models import (
    SILENCE,
    AnchorCueModel,
    CueModel,
    LookModel,
    MusicModel,
    PhaseModel,
    ProfileModel,
    SilenceModel,
    ZoneLightModel,
)
from profiles.presets import PresetModel, ZoneLookModel, colour_of
from profiles.prompts import PromptModel, words_of
from profiles.site import RestingModel, RoomModel

DEFAULT_FADE_SHARE: Final = 1 / 3
DEFAULT_FADE_MAX_MIN: Final = 10.0
MARGIN_MIN: Final = 60.0
"""Repeating silences and cues are laid out this far past a phase's planned end, for when it is extended."""

DEFAULT_CUE_TTL_S: Final = 300
DEFAULT_CARD_TTL_S: Final = 1800

NO_ZONE_LIGHT: Final = ZoneLightModel()


def compile_score(
    profile: ProfileModel,
    room: RoomModel,
    presets: Mapping[str, PresetModel],
    prompts: Mapping[str, PromptModel],
    language: str = "en",
) -> Score:
    """Return a profile's score for a room.

    Raises:
        KeyError: the profile names a prompt that is not in ``prompts`` (``profiles.checks`` finds it before).
    """
    zones = tuple(zone.id for zone in room.zones)
    shifts = tuple(AnchorShift(s.anchor, s.phase, _ms(s.minutes)) for s in profile.anchor_shifts)
    return Score(
        profile_id=profile.profile,
        title=profile.title,
        reviewed=profile.status == "reviewed",
        phases=tuple(_phase(phase, profile, zones, prompts, language) for phase in profile.phases),
        resting=resting_looks(room),
        minimum_ms=_ms(profile.minimum_minutes),
        anchors=dict(profile.anchors),
        anchor_cues=tuple(_anchor_cue(cue, prompts, language) for cue in profile.anchor_cues),
        anchor_shifts=shifts,
        prompts={key: words_of(prompt, language) for key, prompt in prompts.items()},
        scenes=compile_scenes(room, presets),
    )


def compile_scenes(room: RoomModel, presets: Mapping[str, PresetModel]) -> dict[str, Scene]:
    """Return a room's presets as scenes, by name."""
    zones = tuple(zone.id for zone in room.zones)
    return {name: _scene(name, preset, zones) for name, preset in presets.items()}


def resting_looks(room: RoomModel) -> dict[ZoneId, Look]:
    """Return the look of each of a room's zones before a session, and when it has to ask."""
    resting: RestingModel = room.resting
    return {zone.id: _look(resting.zones.get(zone.id, resting.others)) for zone in room.zones}


def _phase(
    phase: PhaseModel,
    profile: ProfileModel,
    zones: tuple[ZoneId, ...],
    prompts: Mapping[str, PromptModel],
    language: str,
) -> Phase:
    shift = sum(max(s.minutes, 0.0) for s in profile.anchor_shifts if s.phase == phase.id)
    reach = phase.minutes + shift + MARGIN_MIN
    cues = [
        _cue(phase.id, cue, minute, prompts, language)
        for cue in phase.cues
        for minute in _cue_minutes(cue, reach)
    ]
    return Phase(
        phase_id=phase.id,
        title=phase.title or phase.id.replace("-", " ").capitalize(),
        length_ms=_ms(phase.minutes),
        light=tuple(_light_steps(phase, profile, zones)),
        music=_music(phase.music, reach),
        cues=tuple(sorted(cues, key=lambda cue: cue.offset_ms)),
        client_prompts_suppressed=phase.suppress_client_prompts,
        light_frozen=phase.light_frozen,
    )


def _light_steps(phase: PhaseModel, profile: ProfileModel, zones: tuple[ZoneId, ...]) -> Iterator[LightStep]:
    looks: list[tuple[float, LookModel]] = [(0.0, phase.light)]
    looks += [(step.at_minute, step) for step in phase.light.steps]
    ends = [start for start, _ in looks[1:]] + [phase.minutes]
    for (start, look), end in zip(looks, ends, strict=True):
        fade = look.fade_minutes
        if fade is None:
            fade = min((end - start) * DEFAULT_FADE_SHARE, DEFAULT_FADE_MAX_MIN)
        yield LightStep(_ms(start), _ms(fade), {zone: _zone_look(look, zone, profile) for zone in zones})


def _zone_look(look: LookModel, zone: ZoneId, profile: ProfileModel) -> Look:
    own = look.zones.get(zone, NO_ZONE_LIGHT)
    percent = own.brightness_percent
    if percent is None:
        factor = profile.zone_factors.get(zone, 1.0) if own.factor is None else own.factor
        percent = min(look.brightness_percent * factor, 100.0)
    kelvin = look.kelvin if own.kelvin is None else own.kelvin
    return Look(lstar_from_percent(percent), Mired(mired_from_kelvin(kelvin)))


def _music(music: MusicModel, reach_min: float) -> MusicPlan:
    if music.pool == SILENCE:
        return MusicPlan(pool=None, mood=SILENCE, crossfade_ms=_whole(music.crossfade_s * MS_PER_S))
    return MusicPlan(
        pool=music.pool,
        mood=music.mood or music.pool,
        energy=music.energy or 0.0,
        level_dba=48.0 if music.level_dba is None else music.level_dba,
        words_allowed=music.words_allowed,
        unbroken=music.unbroken,
        crossfade_ms=_whole(music.crossfade_s * MS_PER_S),
        silences=_merged(silence for model in music.silences for silence in _silences(model, reach_min)),
    )


def _silences(model: SilenceModel, reach_min: float) -> Iterator[PlannedSilence]:
    if model.every_minutes is None or model.for_minutes is None:
        if model.from_minute is not None and model.to_minute is not None:
            yield PlannedSilence(_ms(model.from_minute), _ms(model.to_minute))
        return
    start = model.every_minutes - model.for_minutes if model.from_minute is None else model.from_minute
    while start < reach_min:
        yield PlannedSilence(_ms(start), _ms(start + model.for_minutes))
        start += model.every_minutes


def _merged(silences: Iterator[PlannedSilence]) -> tuple[PlannedSilence, ...]:
    """Return silences in order, those that overlap or touch as one."""
    merged: list[PlannedSilence] = []
    for silence in sorted(silences, key=lambda s: s.from_ms):
        if merged and silence.from_ms <= merged[-1].to_ms:
            merged[-1] = PlannedSilence(merged[-1].from_ms, max(merged[-1].to_ms, silence.to_ms))
        else:
            merged.append(silence)
    return tuple(merged)


def _cue_minutes(cue: CueModel, reach_min: float) -> Iterator[float]:
    if cue.at_minute is not None:
        yield cue.at_minute
    if cue.every_minutes is None:
        return
    until = reach_min if cue.until_minute is None else min(cue.until_minute, reach_min)
    minute = cue.every_minutes if cue.from_minute is None else cue.from_minute
    while minute < until:
        yield minute
        minute += cue.every_minutes


def _cue(phase: str, cue: CueModel, minute: float, prompts: Mapping[str, PromptModel], language: str) -> Cue:
    prompt = prompts[cue.prompt]
    return Cue(
        cue_id=f"{phase}.{cue.prompt}.{_short(minute)}",
        offset_ms=_ms(minute),
        prompt=cue.prompt,
        text=words_of(prompt, language),
        audience=Audience(cue.audience or prompt.audience),
        ttl_s=DEFAULT_CUE_TTL_S if cue.ttl_s is None else cue.ttl_s,
    )


def _anchor_cue(cue: AnchorCueModel, prompts: Mapping[str, PromptModel], language: str) -> AnchorCue:
    prompt = prompts[cue.prompt]
    return AnchorCue(
        cue_id=f"anchor.{cue.anchor}.{cue.prompt}.{_short(cue.minutes)}",
        anchor=cue.anchor,
        offset_ms=_ms(cue.minutes),
        prompt=cue.prompt,
        text=words_of(prompt, language),
        audience=Audience(cue.audience or prompt.audience),
        ttl_s=DEFAULT_CARD_TTL_S if cue.ttl_s is None else cue.ttl_s,
    )


def _scene(name: str, preset: PresetModel, zones: tuple[ZoneId, ...]) -> Scene:
    looks = {zone: preset.zones.get(zone, preset.others) for zone in zones}
    return Scene(
        name=name,
        looks={zone: _look(look) for zone, look in looks.items() if look is not None},
        fade_ms=_whole(preset.fade_s * MS_PER_S),
        music_db=preset.music_db,
        to_speakers=preset.to_speakers,
        returns_after_ms=None if preset.returns_after_minutes is None else _ms(preset.returns_after_minutes),
        is_help=preset.is_help,
    )


def _look(look: ZoneLookModel) -> Look:
    return Look(lstar_from_percent(look.brightness_percent), colour_of(look))


def _ms(minutes: float) -> int:
    return _whole(minutes * MS_PER_MIN)


def _whole(value: float) -> int:
    """Session time is whole milliseconds; half a millisecond goes up, whatever the number's evenness."""
    return int(value + 0.5) if value >= 0 else -int(-value + 0.5)


def _short(minute: float) -> str:
    """Return a minute as in an id: no point unless it needs one."""
    return f"{round(minute, 2):g}"
