"""Watches: what is judged of every model beside its lanes, a file each."""
