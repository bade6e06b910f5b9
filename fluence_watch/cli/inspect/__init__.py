"""Commands that change nothing: check, alerts, forecast, config, notify test."""
