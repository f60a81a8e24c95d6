"""Run a model: u8 picture in, u8 mask out. Found by entry point, each imported only when it is chosen."""
