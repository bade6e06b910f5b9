"""What polls saw, kept on disk: for `replay`. Loaded only if recording is on, and by commands that read it."""
