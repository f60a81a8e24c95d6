"""The frameworks that models come from, as engines for the proof. Each is optional and imported when it is used."""
