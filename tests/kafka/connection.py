"""How the foreign clients reach the broker: the environment that `tests/kafka/broker` prints."""

import os


def settings(bootstrap=None):
    found = {"bootstrap.servers": bootstrap or os.environ.get("WARD_KAFKA", "")}
    if not found["bootstrap.servers"]:
        raise SystemExit("no broker: set WARD_KAFKA, or give --bootstrap HOST:PORT")
    if bootstrap is None and os.environ.get("WARD_KAFKA_SECURITY", "PLAINTEXT") != "PLAINTEXT":
        found |= {
            "security.protocol": os.environ["WARD_KAFKA_SECURITY"],
            "ssl.ca.location": os.environ["WARD_KAFKA_CA"],
            "sasl.mechanism": os.environ["WARD_KAFKA_MECHANISM"],
        }
        if os.environ["WARD_KAFKA_MECHANISM"] == "OAUTHBEARER":
            # The client's own unsigned tokens, which a broker for tests takes.
            found |= {
                "enable.sasl.oauthbearer.unsecure.jwt": True,
                "sasl.oauthbearer.config": "principal=" + os.environ["WARD_KAFKA_USER"],
            }
        else:
            with open(os.environ["WARD_KAFKA_PASSWORD_FILE"], encoding="utf-8") as file:
                found |= {"sasl.username": os.environ["WARD_KAFKA_USER"], "sasl.password": file.read().strip()}
    return found
