"""Recordings: files of any spelling as records of the contract, in time."""
