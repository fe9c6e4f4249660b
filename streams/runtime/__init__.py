"""Runtimes: three hands on the same crank (Kafka, embedded, replay)."""
