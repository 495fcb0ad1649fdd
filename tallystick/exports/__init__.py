"""Tables for people and other programs: CSV of what is stored, the journal, recognised revenue."""
