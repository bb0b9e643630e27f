"""Backups of a home: made while it runs, of one moment, read back before they count, and restored into a second home.

A backup is a folder with a manifest. On SQLite it holds copies of both files; on PostgreSQL each table as COPY writes
it. Beside them lie the results of backtests and the home's strategy files. The keys that seal secrets are not in it
unless asked for, sealed themselves: the manifest names those it needs.
"""
