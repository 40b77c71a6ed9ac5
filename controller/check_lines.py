"""The words of a room check: which lines a room has, and what a fact makes of one. Pure.

Sentences stand here as a page's catalogue has them; a line never says more than was found out.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from controller.core.room_check import Line, Outcome, Sentence, sentence
from controller.room_hardware import (
    BrokerFacts,
    LampFacts,
    MachineFacts,
    PoolFacts,
    RoomHardware,
    TabletFacts,
)

Found: TypeAlias = tuple[Outcome, Sentence]

LEAST_FREE_BYTES: Final = 1 << 30
CERTIFICATE_DAYS: Final = 30

SAID: Final[Mapping[str, Sentence]] = {
    "left_out": sentence("left out"),
    "session_began": sentence("a session began: the check was broken off"),
    "broken_off": sentence("the check was broken off"),
    "too_long": sentence("no answer within two minutes"),
    "no_profile": sentence("no session was named to hold the music against"),
    "covered": sentence("the music lasts, with two hours to spare"),
    "reading": sentence("reading …"),
    "dimming": sentence("down to its faintest glow, and back …"),
    "lamp_away": sentence("not tried: it does not answer"),
    "lamp_mute": sentence("was told so; this kind of lamp cannot say whether it did: look at it"),
    "no_plug": sentence("no lamp answers"),
    "silent_by_choice": sentence("the site file gives this room no sound device"),
    "tone": sentence("a quiet tone …"),
    "skipped": sentence("skipped by hand"),
    "unanswered": sentence("nobody answered"),
    "unasked": sentence("nobody was there to be asked"),
}

WHATS: Final[Mapping[str, str]] = {
    "answers": "answers",
    "floor": "dims to its floor",
    "power_on": "after a power cut",
}
OUTPUTS: Final[Mapping[str, str]] = {"speakers": "Loudspeakers", "headphones": "Headphones"}


def lines_of(room: RoomHardware, profile: str | None) -> Iterator[Line]:
    """Yield the lines of a room's check, in the order in which they are read."""
    del profile
    for lamp in room.lamps():
        for what, words in WHATS.items():
            yield Line(f"lamp.{lamp.fixture}.{what}", "lamps", lamp.name, words)
    yield Line("lamps.power_cut", "lamps", "A real power cut", "seen by eye")
    for output in room.outputs():
        yield Line(f"sound.{output.output}", "sound", OUTPUTS[output.output], "sounds")
    for pool, title in room.pools().items():
        yield Line(f"music.{pool}", "music", title, "files can be read")
    yield Line("music.cover", "music", "The session's music", "lasts")
    yield Line("mqtt.broker", "mqtt", "MQTT broker", "answers")
    yield Line("mqtt.prompts", "mqtt", "Prompt device", "is there")
    yield Line("tablets.here", "tablets", "Tablets", "are there")
    yield Line("machine.disk", "machine", "Disk", "has room")
    yield Line("machine.clock", "machine", "Clock", "is right")
    yield Line("machine.certificate", "machine", "Certificate", "is valid")


def lamp_answers(lamp: LampFacts) -> Found:
    """Judge whether a lamp is there."""
    if not lamp.known:
        return Outcome.FAILED, sentence("its bridge {bridge} has not answered yet", bridge=lamp.bridge)
    if not lamp.reachable:
        return Outcome.FAILED, sentence("does not answer: is its switch on?")
    if not lamp.readable:
        return Outcome.SKIPPED, sentence("this kind of lamp never answers")
    return Outcome.PASSED, sentence("answers, at {percent} %", percent=f"{lamp.brightness_percent:.3g}")


def lamp_power_on(lamp: LampFacts) -> Found:
    """Judge what a lamp would do after a power cut."""
    said = Sentence(lamp.power_on)  # whole as it is, so that pages can say it in another language
    if lamp.power_on_ok is None:
        return Outcome.SKIPPED, said
    return Outcome.PASSED if lamp.power_on_ok else Outcome.FAILED, said


def pool_line(pool: PoolFacts) -> Found:
    """Judge a pool's files."""
    if len(pool.problems) == 1:
        return Outcome.FAILED, sentence("{reason}", reason=pool.problems[0])
    if pool.problems:
        return Outcome.FAILED, sentence(
            "{reason}; and {n} more", reason=pool.problems[0], n=len(pool.problems) - 1
        )
    if pool.read_whole == pool.files:
        return Outcome.PASSED, sentence("all {n} files read from end to end", n=pool.files)
    return Outcome.PASSED, sentence(
        "all {n} files read, {whole} of them from end to end, the others at five places",
        n=pool.files,
        whole=pool.read_whole,
    )


def broker_line(broker: BrokerFacts) -> Found:
    """Judge the broker."""
    if broker.up:
        return Outcome.PASSED, sentence("{address} answers", address=broker.address)
    if broker.problem:
        return Outcome.FAILED, sentence("{reason}", reason=broker.problem)
    return Outcome.FAILED, sentence("{address} does not answer", address=broker.address)


def prompts_line(broker: BrokerFacts, tablets: TabletFacts) -> Found:
    """Judge what shows prompts to the client: a device on the broker, or a display's page."""
    off = [device.name for device in broker.devices if not device.online]
    on = [device.name for device in broker.devices if device.online]
    if off and not on and not tablets.displays:
        return Outcome.FAILED, sentence("{name} is switched off or cut off", name=", ".join(off))
    if on:
        return Outcome.PASSED, sentence("{name} is there", name=", ".join(on))
    if tablets.displays:
        return Outcome.PASSED, sentence("a display is open")
    return Outcome.SKIPPED, sentence("none has been seen: prompts come from the loudspeakers alone")


def tablets_line(tablets: TabletFacts) -> Found:
    """Judge the tablets."""
    if not tablets.paired:
        return Outcome.FAILED, sentence("no therapist's tablet is paired")
    if not tablets.seen_lately:
        return Outcome.FAILED, sentence("{n} paired, none heard of in the last ten minutes", n=tablets.paired)
    return Outcome.PASSED, sentence(
        "{seen} of {n} paired are here", seen=tablets.seen_lately, n=tablets.paired
    )


def disk_line(machine: MachineFacts) -> Found:
    """Judge the data folder's disk."""
    free = f"{machine.disk_free_bytes / 1e9:.1f}"
    if machine.disk_free_bytes < LEAST_FREE_BYTES:
        return Outcome.FAILED, sentence("only {free} GB are free: make room", free=free)
    return Outcome.PASSED, sentence("{free} GB are free", free=free)


def clock_line(machine: MachineFacts) -> Found:
    """Judge the machine's clock."""
    if machine.clock_problem is not None:
        return Outcome.FAILED, sentence("{reason}", reason=machine.clock_problem)
    if machine.clock_synchronised is None:
        return Outcome.SKIPPED, sentence("this machine does not say whether its clock is set by the network")
    if not machine.clock_synchronised:
        return Outcome.FAILED, sentence(
            "it is {time} here, and no time server sets this clock: switch time synchronisation on",
            time=machine.local_time,
        )
    return Outcome.PASSED, sentence("set by the network: {time}", time=machine.local_time)


def certificate_line(machine: MachineFacts) -> Found:
    """Judge the certificate that tablets see."""
    if machine.certificate_problem is not None:
        return Outcome.FAILED, sentence("{reason}", reason=machine.certificate_problem)
    found = machine.certificate
    if found is None:
        return Outcome.SKIPPED, sentence("pages are served without one: screens may lock by themselves")
    if found.days_left < 0:
        return Outcome.FAILED, sentence("ended on {day}: make a new one", day=found.valid_until)
    if found.days_left < CERTIFICATE_DAYS:
        return Outcome.FAILED, sentence("ends on {day}: make a new one now", day=found.valid_until)
    return Outcome.PASSED, sentence(
        "made on {made}, good until {day}", made=found.made_on, day=found.valid_until
    )
