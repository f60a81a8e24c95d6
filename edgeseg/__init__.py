"""edgeseg: an edge daemon that segments camera streams and lets only composited pictures leave the box."""

__version__ = "0.1.0"
