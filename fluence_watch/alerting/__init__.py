"""Turns findings into messages: lifecycle, routing, grouping, delivery. Pure."""
