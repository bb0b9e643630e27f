"""People and their accounts: who they are and how they sign in."""
