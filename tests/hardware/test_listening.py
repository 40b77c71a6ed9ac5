"""Listening in: a live stream that a decoder plays, and listeners who cannot hold up the player."""

import asyncio
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
import soundfile

from controller.errors import DriverError
from hardware.player.listening import CHUNK_BYTES, OpusStream, stream_mix
from hardware.player.server import Server

RATE = 48_000


def pcm(seconds: float, hertz: float = 440.0) -> bytes:
    wave = 0.25 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return np.repeat((wave * 32_767).astype("<i2"), 2).tobytes()


@contextmanager
def player_with_tap(folder: Path) -> Iterator[tuple[Server, Path]]:
    tap = folder / "tap.sock"
    server = Server(folder / "player.sock", lambda _command: None, tap)
    server.start()
    try:
        yield server, tap
    finally:
        server.close()


def test_pages_come_while_it_goes_on_and_decode_to_the_same_sound() -> None:
    stream, sound, pages = OpusStream(), pcm(5.0), []
    for at in range(0, len(sound), CHUNK_BYTES):
        page = stream.encode(sound[at : at + CHUNK_BYTES])
        if page:
            pages.append((at // (RATE * 4), page))
    assert pages[0][1].startswith(b"OggS"), "a decoder can begin at once"
    assert [second for second, _ in pages][-1] >= 3, "it comes as it is played, not at the end"
    whole = b"".join(page for _, page in pages) + stream.finish()
    heard, rate = soundfile.read(io.BytesIO(whole))
    assert rate == RATE
    assert len(heard) == pytest.approx(5 * RATE, abs=RATE // 10)
    middle = heard[2 * RATE : 3 * RATE, 0]
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.25 / np.sqrt(2), rel=0.1)
    assert np.argmax(np.abs(np.fft.rfft(middle))) == pytest.approx(440, abs=2)


async def test_a_listener_gets_what_the_player_offers(tmp_path: Path) -> None:
    with player_with_tap(tmp_path) as (server, tap):
        pages = stream_mix(tap)
        first = asyncio.ensure_future(anext(pages))
        while not server.tapped:
            await asyncio.sleep(0.01)
        for _ in range(15):
            server.offer_sound(pcm(0.2))
            await asyncio.sleep(0.005)
        assert (await asyncio.wait_for(first, 5)).startswith(b"OggS")
        await pages.aclose()
        async with asyncio.timeout(5):  # the player finds out with its next words to a closed socket
            while server.tapped:
                server.offer_sound(pcm(0.05))
                await asyncio.sleep(0.01)


async def test_without_a_player_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="no player offers its mix"):
        await anext(stream_mix(tmp_path / "tap.sock"))


async def test_the_stream_ends_with_the_player(tmp_path: Path) -> None:
    with player_with_tap(tmp_path) as (server, tap):
        pages = stream_mix(tap)
        first = asyncio.ensure_future(anext(pages))
        while not server.tapped:
            await asyncio.sleep(0.01)
        server.offer_sound(pcm(0.5))
        await asyncio.wait_for(first, 5)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(pages), 5)


def test_a_listener_who_takes_nothing_is_cut_off_and_costs_no_time(tmp_path: Path) -> None:
    with player_with_tap(tmp_path) as (server, tap), socket.socket(socket.AF_UNIX) as lazy:
        lazy.connect(str(tap))
        end = monotonic() + 5
        while not server.tapped and monotonic() < end:
            sleep(0.01)
        slowest = 0.0
        while server.tapped and monotonic() < end:
            begun = monotonic()
            server.offer_sound(pcm(0.2))
            slowest = max(slowest, monotonic() - begun)
            sleep(0.002)
        assert not server.tapped
        assert slowest < 0.1
