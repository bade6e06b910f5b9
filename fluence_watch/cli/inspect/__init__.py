"""Commands that look and change nothing: check, alerts, forecast, config, notify test."""
