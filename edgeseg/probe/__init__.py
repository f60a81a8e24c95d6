"""Tries for real what a configuration names: cameras, models, encoders, servers, folders, ports."""
