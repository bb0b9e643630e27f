"""What the world quotes: calendars, bars, stores, feeds and the import of files."""
