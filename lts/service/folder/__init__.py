"""The data folder as a whole: held, checked, marked, and replaced by a backup or a first copy. What is stored in the
database is lts.store's."""
