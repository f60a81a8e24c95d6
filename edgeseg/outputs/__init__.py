"""Where a stream goes: servers, viewers and the disk. Modules are imported where they are used."""
