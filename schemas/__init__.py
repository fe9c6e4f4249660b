"""What is said between rooms and with other programs: events, envelope, topics, config."""
