#!/bin/sh
# Press a button of a room: press.sh ROOM COMMAND ['"field": value, …'].
# STILLROOM_BROKER holds mosquitto_pub's options for the broker (host, port, user, password, certificates).
set -eu
room=$1
command=$2
fields=${3:+", $3"}
id=$(cat /proc/sys/kernel/random/uuid)
now=$(date +%s%3N)
# shellcheck disable=SC2086 -- the options are several words
exec mosquitto_pub ${STILLROOM_BROKER:--h localhost -p 1883} -q 1 -t "stillroom/$room/command" \
  -m "{\"id\": \"$id\", \"sent_at_ms\": $now, \"command\": \"$command\"$fields}"
