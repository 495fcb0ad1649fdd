"""Legal entities that issue documents, and the numbers of those."""
