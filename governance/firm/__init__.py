"""What holds for the whole firm, as one document, one form and one page."""
