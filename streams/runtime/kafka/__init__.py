"""The production runtime: Kafka carries the logs, Faust the consumer group, and nothing else.

`worker` runs one process of one role, `supervisor` all of them. Faust is imported by `faust_app`
alone; versions of Faust, mode and aiokafka are pinned because methods inside them are replaced.
"""
