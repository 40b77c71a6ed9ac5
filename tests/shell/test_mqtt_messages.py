"""What goes out over MQTT says nothing of this machine."""

import json

from controller.core.score import Audience
from controller.mqtt_messages import encode_prompt
from controller.ports import Prompt


def test_a_prompt_names_its_recording_and_not_where_it_lies() -> None:
    prompt = Prompt("p-1", "Breathe.", "/var/lib/stillroom/own/breath.wav", Audience.CLIENT, 60)
    assert json.loads(encode_prompt(prompt))["audio"] == "breath.wav"
