#!/usr/bin/env bash
# Publishes one event for one user: publish.sh USER TITLE. Needs kcat and jq.
#
# Run twice within the same minute it makes one entry: the id is the same, and the hub stores an id once.
set -euo pipefail
user=$1 title=$2
id="example-shell-$user-$(($(date +%s) / 60))"
jq -cn --arg id "$id" --arg to "user:$user" --arg title "$title" '{id: $id, type: "example.greeting", to: [$to], title: $title}' |
  kcat -P -b "$HUB_KAFKA_BROKERS" -t hub.events -k "user:$user" -X enable.idempotence=true
echo "published $id"
