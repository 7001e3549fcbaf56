#!/usr/bin/env python3
"""Publishes one event for one user: publish.py USER TITLE. Needs `pip install confluent-kafka`.

Run twice within the same minute it makes one entry: the id is the same, and the hub stores an id once.
"""

import json
import os
import sys
import time

from confluent_kafka import Producer

user, title = sys.argv[1], sys.argv[2]
event = {
    "id": f"example-python-{user}-{int(time.time()) // 60}",
    "type": "example.greeting",
    "to": [f"user:{user}"],
    "title": title,
}

# Idempotent and acknowledged by all replicas: what Kafka has accepted, the hub delivers.
producer = Producer({"bootstrap.servers": os.environ["HUB_KAFKA_BROKERS"], "enable.idempotence": True})
failures = []
producer.produce(
    "hub.events", key=f"user:{user}", value=json.dumps(event),
    on_delivery=lambda error, message: failures.append(error) if error else print(f"published {event['id']}"))
producer.flush(10)
if failures or len(producer):
    sys.exit(f"not published: {failures or 'no answer from the broker'}")
