"""Triggers that fire: alerts, scheduled searches and correlation rules of the sandbox at work.

    kinds      stored record -> typed trigger
    planner    which windows are due at an instant, and when to look again; pure
    arrivals   the events that no filter alert has seen yet
    roster     which triggers there are, and which of them run
    evaluate   a window's search, throttled, becomes firings
    outcomes   what a search brought, in the state and in what is to be sent
    detections what a correlation rule's outcome leaves behind
    templates  `{placeholders}` of a message, escaped for where they land
    outgoing   an action and a firing -> what leaves, and what of it may be shown
    sending    carries out what fired, with retries, each attempt on record
    delivery   the ways out: HTTP to loopback, mail into the data directory, rows, lookup files
    book       what was run, what is still to be sent, what was sent; survives a kill
    runner     ties them to the sandbox's clock, ingest and assets

A window is answered once: its outcome and what is to be sent are written down together, and only
then is anything sent. A kill in between sends again, under the same invocation id; it never
searches again.
"""
