"""What several commands share: options, output, one poll of every account."""
