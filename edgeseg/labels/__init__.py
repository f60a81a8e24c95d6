"""Names and colours of the classes of well-known data sets; ``table.by_count`` finds one by its number of classes."""
