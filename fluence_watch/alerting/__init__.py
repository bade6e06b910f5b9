"""How problems become messages: lifecycle, routing, grouping, delivery. Pure."""
