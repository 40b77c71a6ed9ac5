"""Runs a whole session in a network of its own; prints, as JSON, every frame that tried to leave the machine.

Run by test_confidential.py under ``unshare --net``. The only way out is one end of a cable whose other end we
listen at; what goes out there is not loopback traffic.
"""

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

from daemon_rig import Rig
from mqtt_peer import Peer

WORDS = {
    "intention": "MARKED-INTENTION to sit with grief",
    "note": "MARKED-NOTE she spoke of the sea",
    "said": "MARKED-SAID breathe with me",
}
OUTSIDE = "10.99.0.2"


def lay_cable() -> socket.socket:
    """A default route that ends at our own ear."""
    for line in (
        "ip link set lo up",
        "ip link add out type veth peer name ear",
        "sysctl -qw net.ipv6.conf.out.disable_ipv6=1 net.ipv6.conf.ear.disable_ipv6=1",
        "ip addr add 10.99.0.1/24 dev out",
        "ip link set out up",
        "ip link set ear up",
        f"ip neigh add {OUTSIDE} lladdr 02:00:00:00:00:02 dev out",
        f"ip route add default via {OUTSIDE}",
        "ip route add 224.0.0.0/4 dev out",
    ):
        subprocess.run(line.split(), check=True, capture_output=True)
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    ear.bind(("ear", 0))
    ear.setblocking(False)
    return ear


def heard(ear: socket.socket) -> list[str]:
    frames = []
    while True:
        try:
            frames.append(ear.recv(2048)[:64].hex())
        except BlockingIOError:
            return frames


async def session(rig: Rig) -> dict[str, str]:
    """Everything a session can do; what every reader saw, by name."""
    async with Peer(rig.mqtt_port) as peer:
        await rig.start(profile=None, speed=60)
        await peer.connect("#")
        async with rig.web() as web:
            sheet = {"touch": "no", "intention": WORDS["intention"]}
            assert (await web.post("/api/v1/rooms/garden/sheet", json=sheet)).is_success
            assert (await rig.command("start", profile="tiny"))["ok"]
            await rig.command("light", zone="bedside", brightness=20)
            await rig.command("volume_trim", db=-2)
            assert (await rig.command("note", text=WORDS["note"]))["ok"]
            await rig.command("note", chip="tears")
            assert (await rig.command("prompt", prompt="own", text=WORDS["said"], audience="therapist"))["ok"]
            await rig.command("hold")
            await rig.command("resume")
            await asyncio.sleep(3)  # three minutes of the room's time: prompts, tracks and fades come and go
            state = await web.get("/api/v1/rooms/garden")
            name = state.json()["session"]["session_id"]
            assert (await rig.command("end", anyway=True))["ok"]
            seen = {"state": state.text, "metrics": (await web.get("/metrics")).text}
            for path in (
                "timeline.html",
                "timeline.svg",
                "setting.html",
                "records.json",
                "records.csv",
            ):
                answer = await web.get(f"/api/v1/rooms/garden/sessions/{name}/{path}", timeout=60)
                assert answer.is_success, answer.text
                seen[path] = answer.text
            asked = await web.get(
                f"/api/v1/rooms/garden/sessions/{name}/timeline.html?notes=true", timeout=60
            )
            seen["asked for"] = asked.text
        mqtt = []
        while not peer._messages.empty():
            topic, payload = peer._messages.get_nowait()
            mqtt.append((topic, payload.decode(errors="replace")))
    await rig.stop()
    seen["log"] = await rig.rest_of_output()
    # Words a therapist has said go where prompts go, and nowhere else.
    seen["mqtt"] = "\n".join(f"{t} {p}" for t, p in mqtt if "/prompt/" not in t)
    for file in rig.data.rglob("*"):
        if file.is_file() and ".sqlite" not in file.name and file.suffix not in {".flac", ".wav", ".json"}:
            seen[f"file {file.name}"] = file.read_bytes().decode(errors="replace")
    return seen


async def main(folder: Path) -> None:
    ear = lay_cable()
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.sendto(b"can this be heard?", (OUTSIDE, 9))
    await asyncio.sleep(0.2)
    control = len(heard(ear))
    rig = Rig(folder)
    try:
        seen = await session(rig)
    finally:
        await rig.clean_up()
    found = {name: [key for key, words in WORDS.items() if words in text] for name, text in seen.items()}
    print(json.dumps({"control": control, "left": heard(ear), "found": found}))  # noqa: T201 - what its caller reads


asyncio.run(main(Path(sys.argv[1])))
