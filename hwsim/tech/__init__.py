"""Energy figures per event, one table a technology; every entry names its source."""
