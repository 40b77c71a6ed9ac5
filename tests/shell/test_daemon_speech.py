"""The real daemon speaks: a recording and a rendered prompt are heard to their end and acknowledged."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import soundfile
from daemon_rig import Rig
from mqtt_peer import Peer


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    await rig.clean_up()


def let_speak(rig: Rig, who: str, prompts: str = "") -> None:
    site = rig.write_site(prompts)
    text = site.read_text(encoding="utf-8")
    place = text.index("audio:")
    end = text.index("\n", place)
    rest = text[place:end].removeprefix("audio:").strip().removeprefix("{").removesuffix("}")
    more = f", {rest}" if rest else ""
    site.write_text(f"{text[:place]}audio: {{speech: {who}{more}}}{text[end:]}", encoding="utf-8")


async def acknowledged(peer: Peer, prompt_id: str, seconds: float) -> str:
    """What the journal says became of a prompt."""
    async with asyncio.timeout(seconds):
        while True:
            event = json.loads(await peer.next_payload("stillroom/garden/event", seconds))
            if event["kind"] == "prompt_acknowledged" and event["record"]["prompt_id"] == prompt_id:
                assert event["by"] == "player"
                return str(event["record"]["result"])


async def cued(peer: Peer) -> str:
    return str(json.loads(await peer.next_payload("stillroom/garden/prompt/client", 20))["id"])


async def test_a_clinics_recording_is_heard_and_acknowledged(rig: Rig) -> None:
    wave = 0.1 * np.sin(2 * np.pi * 200 * np.arange(48_000) / 48_000)
    soundfile.write(rig.folder / "feet.wav", wave, 48_000)
    words = "prompts: {feet: {audience: client, text: {en: Feel both feet.}, audio: feet.wav}}\n"
    (rig.folder / "own.yaml").write_text(words, encoding="utf-8")
    let_speak(rig, "recordings", "prompts: [own.yaml]\n")
    async with Peer(rig.mqtt_port) as peer:
        await rig.start()
        await peer.connect("stillroom/garden/#")
        assert await acknowledged(peer, await cued(peer), 20) == "spoken"
        assert not (rig.data / "speech").exists(), "no machine's voice was made"
        assert await rig.stop() == 0


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
async def test_a_machines_voice_speaks_where_the_site_asks_for_it(rig: Rig) -> None:
    let_speak(rig, "synthetic")
    async with Peer(rig.mqtt_port) as peer:
        await rig.start()
        await peer.connect("stillroom/garden/#")
        assert await acknowledged(peer, await cued(peer), 30) == "spoken"
        assert list((rig.data / "speech").glob("*.wav"))
        assert await rig.stop() == 0
