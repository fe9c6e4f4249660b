"""The mathematics: numbers in, numbers out.

Promises: no clock, no input or output, no unseeded randomness, nothing imported from other rooms.
Leaves to others: what the numbers stand for.
"""
