"""Notifies people: renders messages and delivers them to receivers, in order and at least once."""
