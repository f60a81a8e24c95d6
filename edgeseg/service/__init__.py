"""What the daemon shows of itself: HTTP pages and streams, metrics, health, and its word to systemd."""
