#!/usr/bin/env python3
"""Reads a topic as a foreign consumer, read_committed, and prints one JSON line a record.

Without --count it stops at the end that the topic had when it began; with it, it waits for that
many records and exits 1 when --seconds pass first. Each line has topic, partition, offset,
timestamp, key, headers and the value: `value` when it is JSON or single-object Avro of a schema in
`schemas/` (decoded by fastavro, which shares no code with us), else `base64`. A tombstone has
`"value": null`.
"""

import argparse
import base64
import io
import json
import os
import pathlib
import sys
import time

import fastavro
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connection import settings

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOVING = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


def main():
    args = arguments()
    consumer = Consumer(
        settings(args.bootstrap)
        | {
            "group.id": os.environ.get("WARD_KAFKA_GROUP", "foreign-reader"),
            "isolation.level": args.isolation,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        count = copy(consumer, args)
    except KafkaException as error:
        raise SystemExit(f"cannot read `{args.topic}`: {error}") from error
    finally:
        consumer.close()
    if args.count is not None and count < args.count:
        raise SystemExit(f"expected {args.count} records in `{args.topic}` within {args.seconds} s, found {count}")


def end_of(consumer, partition, deadline):
    """Where a partition ends. One that was just made has no leader for a moment, and is asked again."""
    while True:
        try:
            return consumer.get_watermark_offsets(partition, timeout=10)[1]
        except KafkaException as error:
            if error.args[0].code() not in MOVING or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def copy(consumer, args):
    schemas = known_schemas()
    deadline = time.monotonic() + args.seconds
    metadata = consumer.list_topics(args.topic, timeout=10).topics[args.topic]
    if metadata.error is not None:
        raise SystemExit(f"cannot read `{args.topic}`: {metadata.error.str()}")
    partitions = [args.partition] if args.partition is not None else sorted(metadata.partitions)
    # A read_committed reader is told the last stable offset: the end of what it may see.
    ends = {p: end_of(consumer, TopicPartition(args.topic, p), deadline) for p in partitions}
    consumer.assign([TopicPartition(args.topic, p, 0) for p in partitions])

    count = 0
    while time.monotonic() < deadline:
        if args.count is None and at_end(consumer, args.topic, ends):
            break
        if args.count is not None and count >= args.count:
            break
        record = consumer.poll(0.1)
        if record is None:
            continue
        if record.error():
            raise KafkaException(record.error())
        print(json.dumps(line(record, schemas), ensure_ascii=False))
        count += 1
    return count


def at_end(consumer, topic, ends):
    """Whether the position of every partition is past what it had; the last offset is often a
    transaction's marker, which no record ever has."""
    positions = consumer.position([TopicPartition(topic, p) for p in ends])
    return all(ends[p.partition] == 0 or p.offset >= ends[p.partition] for p in positions)


def line(record, schemas):
    kind, timestamp = record.timestamp()
    found = {
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "timestamp": timestamp,
        "log_append_time": kind == 2,
        "key": text(record.key()),
        "headers": {name: text(value) for name, value in record.headers() or []},
    }
    value = record.value()
    if value is None:
        return found | {"value": None}
    if value[:2] == b"\xc3\x01" and value[2:10] in schemas:
        name, schema = schemas[value[2:10]]
        datum = io.BytesIO(value[10:])
        decoded = plain(fastavro.schemaless_reader(datum, schema, None))
        return found | {"schema": name, "left_over": len(value) - 10 - datum.tell(), "value": decoded}
    try:
        return found | {"value": json.loads(value)}
    except ValueError:
        return found | {"base64": base64.b64encode(value).decode()}


def known_schemas():
    """Every schema of the project under its single-object fingerprint (eight bytes, little-endian)."""
    found = {}
    for path in sorted(ROOT.glob("schemas/**/*.avsc")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        canonical = fastavro.schema.to_parsing_canonical_form(schema)
        # fastavro gives it in the order in which it is written.
        fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
        found[fingerprint] = (path.stem, fastavro.parse_schema(schema))
    return found


def plain(value):
    """Avro's values as JSON has them: bytes as hex, times as RFC 3339."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value


def text(value):
    return None if value is None else value.decode("utf-8", "backslashreplace")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("topic")
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="else the environment of tests/kafka/broker")
    parser.add_argument("--partition", type=int)
    parser.add_argument("--count", type=int, help="wait for that many records")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--isolation", default="read_committed", choices=["read_committed", "read_uncommitted"])
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.stderr.close()
