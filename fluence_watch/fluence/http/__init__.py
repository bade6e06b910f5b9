"""HTTP: the session, requests with retries, bodies, and the meaning of statuses."""
