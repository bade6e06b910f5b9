"""Keeps the members of an Alertmanager cluster up to date. Not loaded without one."""
