"""Notifying people: messages into words, words to receivers, in order and at least once."""
