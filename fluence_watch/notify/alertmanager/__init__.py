"""Alertmanager as a receiver: alerts as its API takes them, and the members of a cluster."""
