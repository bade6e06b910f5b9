"""Tests that users write of their own settings: polls in a file, and the messages that are expected.

`table` is the file, `reading` reads it, `world` is what the API would report, `running` compares.
"""
