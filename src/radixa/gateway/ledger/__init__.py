"""The ledger's way into the database: a file that is written before an answer ends, and who empties it.

Start at `book.py`.
"""
