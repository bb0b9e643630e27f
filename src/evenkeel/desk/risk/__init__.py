"""The risk of what accounts hold: daily closes of instruments, what a scope holds by currency, and its figures."""
