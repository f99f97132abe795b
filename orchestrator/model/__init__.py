"""The domain nouns: frozen values and enums, no I/O, no clock, nothing third-party."""
