"""HTTP: the session, a request with its retries, its body, the meaning of its status."""
