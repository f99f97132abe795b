"""The local LogScale: an ASGI app that speaks LogScale's protocol over the engine.

For people without an account, for rules' tests and for our own client. It shares no code with
`orchestrator.client`: two readings of the protocol keep each other honest.
"""
