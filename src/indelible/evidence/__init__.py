"""Evidence: a zip file that shows what a log says about a question, and can be checked by whoever gets it."""
