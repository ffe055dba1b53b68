"""The log: prepare a request's events, journal them, fold what is durable into order, duplicates and tree."""
