"""Strategy hosts as the owner of accounts sees them: one a user, asked in order, never waited for without end."""
