"""A whole session out of one seed: a room, its people and everything that can go wrong, in a moment.

``simulate(seed)`` returns what happened or raises ``BrokenPromiseError``. The same seed is the same session.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from sim_checks import LIGHT_WORDS, SOUND_WORDS, Checks, check_lamp, fade_of, touched_zones
from sim_daemon import RECOVERY_LIMIT_MS, Daemon, Happened, Surroundings
from sim_disk import Broker, Disk
from sim_lamps import BrokenPromiseError, EyeLamp, FailingBridge, Level, Tint
from sim_score import LAMPS, MIN, POOLS, REST, Tapper, random_score
from sim_sound import Pools, Speaker
from sim_trouble import Trouble
from sim_wants import Wants

from controller.clock import ManualClock
from controller.core import commands as c
from controller.core import records as r
from controller.core.envelope import Authority
from controller.core.light import Mired
from controller.core.session import PublishPrompt, StoreNote, fold
from controller.core.state import RoomState, SessionState, zone_authority

START_MS = 1_700_000_000_000
WORD_MS = 35_000
SCORE_MS = 360_000
POLL_MS = 20_000
CHECKPOINT_MS = 3_500
KINDS = ((480, 60), (240, 90), (90, 150), (40, 250))
"""Minutes of the score and commands: a quiet 8 h, or a short session with nervous hands."""


@dataclass
class Summary:
    """What a seed came to."""

    seed: int
    virtual_ms: int
    commands: int
    refused: int
    repeated: int
    records: int
    lamp_commands: int
    crashes: int
    faults: int
    unwritten: int


class World:
    """Everything, and the loop that goes from due instant to due instant."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = Random(f"{seed}.world")
        self.clock = ManualClock(START_MS)
        lamps = {name: _lamp(name, zone) for name, zone in LAMPS.items()}
        bridge = FailingBridge(self.clock, Random(f"{seed}.bridge"), lamps, LAMPS, self._allowed)
        pools = Pools(Random(f"{seed}.pools"), POOLS[:-1])
        self.broker = Broker(Random(f"{seed}.broker"))
        disk: Disk[Wants] = Disk(Random(f"{seed}.disk"), self.publish)
        self.around = Surroundings(self.clock, bridge, Speaker(self.clock, pools), pools, disk)
        self.whites = self.rng.random() < 0.7
        self.tapper = Tapper(Random(f"{seed}.tapper"), colours=not self.whites)
        self.checks = Checks()
        self.daemon: Daemon | None = None
        self.words = dict.fromkeys(LAMPS, False)
        self.words_until = dict.fromkeys(LAMPS, 0)
        self.hands: dict[str, set[str]] = {name: set() for name in LAMPS}
        self.script: list[tuple[int, int, Callable[[], None]]] = []
        self.acked: set[str] = set()
        self.sent: list[c.Command] = []
        self.told_commands: set[str] = set()
        self.summary = Summary(seed, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        self.crashed_ms = 0
        self.sessions = self.started = 0
        self.asks = False
        minutes, commands = self.rng.choices(KINDS, (1, 2, 4, 5))[0]
        self.end_ms = START_MS + round(minutes * 1.15 * MIN)
        self._plan(minutes, commands)
        self.trouble = Trouble(self, Random(f"{seed}.trouble"), self.end_ms)
        self.boot()

    # ------------------------------------------------------------ the script

    def at(self, at_ms: int, do: Callable[[], None]) -> None:
        """Do something at a room time."""
        heapq.heappush(self.script, (at_ms, len(self.script) + self.summary.commands * 100_000, do))

    def _plan(self, minutes: int, commands: int) -> None:
        self.at(START_MS + self.rng.randrange(5_000, 120_000), lambda: self.start(minutes))
        for _ in range(commands):
            begin = self.rng.randrange(START_MS, self.end_ms)
            for i in range(self.rng.choice((1, 1, 1, 4))):  # now and then somebody taps in a hurry
                self.at(begin + i * self.rng.randrange(50, 3_000), self.tap)
        self.at(START_MS + 1_000, self.poll)

    def start(self, minutes: int) -> None:
        """Somebody starts a session."""
        self.sessions += 1
        score = random_score(Random(f"{self.seed}.score.{self.sessions}"), minutes)
        sheet = c.SessionSheet(excluded_pools=("tender",) if self.rng.random() < 0.2 else ())
        self.send(c.Command(f"start-{self.sessions}", "therapist:tablet-1", c.Start("", score, sheet)))

    def tap(self) -> None:
        """Somebody asks for something; at times an old command comes once more."""
        if self.daemon is None:
            return
        if self.sent and self.rng.random() < 0.12:
            self.send(self.rng.choice(self.sent[-30:]))
            return
        command = self.tapper.command(self.daemon.state)
        self.send(command)
        if self.daemon.state.live_session is None and self.daemon.state.session and self.rng.random() < 0.2:
            self.start(self.rng.choice((20, 60)))

    def send(self, command: c.Command) -> None:
        """Bring one command to the daemon."""
        daemon = self.daemon
        if daemon is None:
            return
        known = command.command_id in self.told_commands
        # An id that the disk never saw may count again after a crash; any other counts once.
        self.told_commands.add(command.command_id)
        before = self.summary.records
        name = command.command_id
        self.sent.append(command)
        if isinstance(command.body, c.Start):  # every request for a start is given an id of its own
            self.started += 1
            session_id = f"{self.seed:08x}{self.started:024x}"[::-1]
            command = replace(command, body=replace(command.body, session_id=session_id))
        outcome = daemon.submit(command, lambda written: self._answer(name, written=written))
        self.summary.commands += 1
        self.summary.refused += outcome == "refused"
        self.summary.repeated += outcome == "repeated"
        if known and name in self.acked and self.summary.records != before:
            raise BrokenPromiseError("once", f"{command} came again and did something")

    def _answer(self, command_id: str, *, written: bool) -> None:
        if written:
            self.acked.add(command_id)
        else:
            self.summary.unwritten += 1

    def publish(self, prompt: PublishPrompt) -> None:
        """The broker takes a prompt; its devices answer a little later."""
        self.broker.publish(prompt)
        acks, self.broker.acks = self.broker.acks, []
        for prompt_id in acks:
            ack = c.Command(f"shown-{prompt_id}", "device", c.PromptAck(prompt_id, "shown"))
            self.at(self.clock.now_ms() + self.rng.randrange(10, 4_000), partial(self.send, ack))

    # ------------------------------------------------------------ the daemon's life

    def boot(self) -> None:
        """Start a daemon from what the disk knows."""
        if self.daemon is not None:
            return
        if self.crashed_ms:
            self._check_acked()
        self.daemon = Daemon(self.around, self._told, self._by_hand)
        self.asks = False
        self.daemon.recover(self._found)
        session = self.daemon.state.live_session
        if self.asks != (session is not None and session.status == "asking") and not self._asked(session):
            raise BrokenPromiseError("asks", f"back after too long: {self.asks}, it is {session}")
        self.around.speaker.reset()
        for name in LAMPS:
            self.around.bridge.disturbed(name, SCORE_MS)
            self.hands[name].clear()
        self.at(self.clock.now_ms() + self.rng.randrange(100, 1_400), self.poll_once)

    def _found(self, records: list[r.Record]) -> None:
        """What the daemon begins with: never nothing while a session has not ended."""
        disk, now = self.around.disk, self.clock.now_ms()
        self.checks.recovered(records, self.broker)
        session = self.checks.shadow.live_session
        if session is None and fold(REST, disk.newest_session()).live_session is not None:
            raise BrokenPromiseError("acknowledged", "a session that has not ended is not taken up")
        if not records:
            self.checks.wants = Wants()
            return
        alive_ms = disk.checkpoint.get("alive_ms")
        away_ms = now - max(alive_ms if isinstance(alive_ms, int) else 0, records[-1].at_ms)
        self.asks = session is not None and away_ms > RECOVERY_LIMIT_MS

    def _asked(self, session: SessionState | None) -> bool:
        """Whether it was asking before the crash already, and nobody has answered."""
        return session is not None and not self.asks and session.status == "asking"

    def _check_acked(self) -> None:
        """Every command that was answered as written is in the records of its session."""
        known = {record.command_id for record in self.around.disk.durable}
        lost = self.acked - known
        if lost:
            raise BrokenPromiseError(
                "acknowledged", f"{sorted(lost)[:5]} were answered as written and are lost"
            )

    def crash(self, for_ms: int) -> None:
        """SIGKILL: lamps and player go on."""
        if self.daemon is None:
            return
        self.summary.crashes += 1
        self.daemon, self.crashed_ms = None, self.clock.now_ms()
        around = self.around
        lost = around.disk.crash()
        around.bridge.answers.clear()
        around.bridge.woken.clear()
        around.speaker.daemon_died()
        alive_ms = around.disk.checkpoint.get("alive_ms")
        for lamp in around.bridge.lamps.values():
            lamp.seen_away = False
        self._forget_lamps(alive_ms)
        self.checks.crashed(around.disk.after, alive_ms if isinstance(alive_ms, int) else 0, lost=lost)
        self.at(self.clock.now_ms() + for_ms, self.boot)

    def _forget_lamps(self, alive_ms: object) -> None:
        """A disk that was full has no word of where the lamps went since: the next daemon cannot know."""
        if not isinstance(alive_ms, int) or alive_ms < self.clock.now_ms() - CHECKPOINT_MS:
            for lamp in self.around.bridge.lamps.values():
                lamp.blind = True

    def _told(self, what: Happened) -> Wants:
        now = self.clock.now_ms()
        event, records = what.event, what.done.records
        self.summary.records += len(records)
        self.checks.step(what, now)
        for record in records:
            self._disturb(record)
        if isinstance(event, c.Command):
            for name, zone in LAMPS.items():
                if zone_authority(what.done.state, zone, now) is not Authority.SCORE:
                    self.hands[name].clear()  # a person's ramp runs there: her word is newer than the hand
            if isinstance(event.body, LIGHT_WORDS):
                self._light_word(event, records, what.done.state, now)
            if isinstance(event.body, SOUND_WORDS):
                self.around.speaker.hand_ms = now
        for effect in what.done.effects:
            if isinstance(effect, StoreNote) and not effect.text:
                raise BrokenPromiseError("confidential", "a note without text is stored")
        return self.checks.wants.copy()

    def _light_word(
        self, command: c.Command, records: tuple[r.Record, ...], state: RoomState, now: int
    ) -> None:
        """A word about light: its zones' lamps may move faster, and must have heeded it soon."""
        for zone in touched_zones(command, records):
            spoken = zone_authority(state, zone, now) is not Authority.SCORE
            for name, lamp in self._lamps(zone):
                self.words[name] = True
                self.words_until[name] = max(self.words_until[name], now + fade_of(command.body) + WORD_MS)
                if isinstance(command.body, c.LightRelease | c.Resume) or spoken:
                    self.hands[name].clear()
                    if lamp.by_hand:
                        lamp.by_hand = False
                        self.around.bridge.disturbed(name, SCORE_MS)
                lamp.calm_from_ms = max(lamp.calm_from_ms, now + fade_of(command.body) + WORD_MS)
                lamp.tint_calm_from_ms = max(lamp.tint_calm_from_ms, now + fade_of(command.body) + WORD_MS)

    def _disturb(self, record: r.Record) -> None:
        """What takes a plan away under the lamps without a word: they follow at the score's own speed."""
        body = record.body
        if isinstance(body, r.OverrideExpired) and body.channel.startswith("light:"):
            zones = {body.channel.partition(":")[2]}
        elif isinstance(body, r.SceneReleased):
            zones = set(REST)
            for name in LAMPS:  # what it covered may be a person's, and comes back at a person's speed
                self.words[name] = True
                self.hands[name].clear()
        elif isinstance(body, r.SessionStarted | r.SessionEnded | r.SessionRecovered | r.CommandUndone):
            zones = set(REST)
        else:
            return
        for zone in zones:
            for name, _ in self._lamps(zone):
                self.around.bridge.disturbed(name, SCORE_MS)

    def _lamps(self, zone: str) -> list[tuple[str, EyeLamp]]:
        return [(name, self.around.bridge.lamps[name]) for name, where in LAMPS.items() if where == zone]

    def _allowed(self, fixture: str, authority: Authority) -> bool:
        if self.hands[fixture] >= {"brightness", "colour"} or "power" in self.hands[fixture]:
            raise BrokenPromiseError("hand", f"{fixture} was changed by hand and is taken back")
        return authority is Authority.SCORE or self.words[fixture]

    def _by_hand(self, fixture: str, attribute: str) -> None:
        self.hands[fixture].add(attribute)
        if not self.around.bridge.lamps[fixture].by_hand:
            # A lamp in trouble may be taken for one that was touched; then it is left alone as if it were.
            self.around.bridge.lamps[fixture].by_hand = True

    # ------------------------------------------------------------ the loop

    def poll(self) -> None:
        """The bridge's poll, for as long as the world lasts."""
        self.poll_once()
        self.at(self.clock.now_ms() + self.rng.randrange(POLL_MS // 2, POLL_MS), self.poll)

    def poll_once(self) -> None:
        """One poll, and with it a look at every lamp."""
        daemon, bridge, now = self.daemon, self.around.bridge, self.clock.now_ms()
        if daemon is None or bridge.away:
            return
        for name, lamp in bridge.lamps.items():
            if not (lamp.powered and lamp.reachable):
                self.hands[name].clear()  # whoever comes back is led again: it may stand at full brightness
        daemon.desk.observed(bridge.reports())
        bridge.serve(daemon.desk)
        state = daemon.state
        led = state.session is not None
        for name, lamp in bridge.lamps.items():
            if lamp.blind and daemon.knows(lamp, now):
                lamp.blind = False
                bridge.disturbed(name, SCORE_MS)
            near = led and check_lamp(lamp, state, now, whites=self.whites, certain=daemon.is_certain(name))
            there = lamp.powered and lamp.reachable
            if near and there and now >= max(lamp.calm_from_ms, self.words_until[name]):
                self.words[name] = False

    def next_due_ms(self) -> int:
        """The next instant at which anything happens."""
        around = self.around
        times = [
            self.script[0][0],
            around.disk.next_due_ms(),
            around.speaker.next_due_ms(linked=self.daemon is not None),
        ]
        if self.daemon is not None:
            times += [self.daemon.next_due_ms(), around.bridge.next_due_ms()]
        return min(at for at in times if at is not None)

    def run(self) -> Summary:
        """Live through it."""
        still = 0
        while (due := self.next_due_ms()) <= self.end_ms:
            now = self.clock.now_ms()
            still = still + 1 if due <= now else 0
            if still > 200:
                raise BrokenPromiseError("time", f"the world stands still at {now}")
            self.clock.advance_to(max(due, now))
            self.instant()
        for lamp in self.around.bridge.lamps.values():
            lamp.live_until(self.end_ms)
        self.summary.virtual_ms = self.end_ms - START_MS
        self.summary.lamp_commands = self.around.bridge.sent
        return self.summary

    def instant(self) -> None:
        """Everything that is due now."""
        now, around = self.clock.now_ms(), self.around
        while self.script and self.script[0][0] <= now:
            heapq.heappop(self.script)[2]()
        now = self.clock.now_ms()  # a stalled machine looks at its clock again
        if around.disk.run(now) and self.daemon is not None:
            self.daemon.checkpoint()
        if self.daemon is None:
            around.speaker.tick(linked=False)
            return
        self.daemon.run()
        if self.next_due_ms() > now:
            self.checks.after_instant(self.daemon.state, now)
            around.speaker.check(self.daemon.target(now))


def _lamp(name: str, zone: str) -> EyeLamp:
    look = REST[zone]
    y = look.percent / 100
    white = look.colour if isinstance(look.colour, Mired) else Mired(366.0)
    return EyeLamp(name, Level(START_MS, y, y, 0, "world"), Tint(START_MS, white, white, 0, "world"))


def simulate(seed: int) -> Summary:
    """Live through one seed.

    Raises:
        BrokenPromiseError: a promise was broken; it says which, when and how.
    """
    world = World(seed)
    try:
        return world.run()
    except BrokenPromiseError as error:
        at = world.clock.now_ms() - START_MS
        error.add_note(f"seed {seed}, {at} ms after the world began")
        raise
