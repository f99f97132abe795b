"""When a rule runs: due windows as pure arithmetic, their order, and the running of one of them.

Nothing here keeps state or reads the wall clock by itself: watermarks and "now" come in.
"""
