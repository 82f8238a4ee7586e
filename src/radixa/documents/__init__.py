"""Documents for retrieval: read, cut into passages, found again, and put into the order that a cache holds."""
