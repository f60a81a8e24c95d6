"""Models that can be had: those that lie here, and those that packages of others contain."""
