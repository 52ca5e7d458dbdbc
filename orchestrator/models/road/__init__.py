"""The road of one request: who is asked, again, instead or beside, and what comes of it."""
