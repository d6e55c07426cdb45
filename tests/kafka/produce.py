#!/usr/bin/env python3
"""Writes lines of standard input to a topic as a foreign producer, one record a line.

The default takes an event in JSON as Wardstream reads it, keys it `tenant/user_id` and lets
librdkafka's `murmur2_random` choose the partition, as an identity system in another language would.
--raw takes {"key":…,"value":…|"base64":…,"partition":…,"headers":{…},"timestamp":ms} and does what
it says, wrong keys and wrong partitions included.
"""

import argparse
import base64
import json
import sys

from confluent_kafka import Producer

from connection import settings


def main():
    args = arguments()
    refused = []
    producer = Producer(settings(args.bootstrap) | {"partitioner": "murmur2_random", "linger.ms": 5})
    count = 0
    for text in sys.stdin.buffer:
        text = text.rstrip(b"\r\n")
        if not text:
            continue
        record = raw(text) if args.raw else event(text)
        while True:
            try:
                producer.produce(args.topic, on_delivery=lambda error, _: error and refused.append(error), **record)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        count += 1
    left = producer.flush(30)
    if refused or left:
        raise SystemExit(f"{len(refused)} of {count} records refused, {left} unanswered: {refused[:1]}")
    print(json.dumps({"produced": count}))


def event(text):
    body = json.loads(text)
    return {"key": f"{body.get('tenant', 'default')}/{body['user_id']}".encode(), "value": text}


def raw(text):
    asked = json.loads(text)
    record = {}
    if asked.get("key") is not None:
        record["key"] = asked["key"].encode()
    if "base64" in asked:
        record["value"] = base64.b64decode(asked["base64"])
    elif isinstance(asked.get("value"), str):
        record["value"] = asked["value"].encode()
    elif asked.get("value") is not None:
        record["value"] = json.dumps(asked["value"]).encode()
    for name in ("partition", "timestamp"):
        if name in asked:
            record[name] = asked[name]
    if "headers" in asked:
        record["headers"] = list(asked["headers"].items())
    return record


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("topic")
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="else the environment of tests/kafka/broker")
    parser.add_argument("--raw", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
