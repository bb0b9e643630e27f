"""People and their accounts: who they are, how they sign in, and what research they keep."""
