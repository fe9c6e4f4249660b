"""Adapters: what other serving tools log, as events of ours; one format a file."""
