"""HTTP: the session, one request with its retries, its body, what its status means."""
