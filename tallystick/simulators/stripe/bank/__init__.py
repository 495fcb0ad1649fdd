"""US bank accounts (ACH): test accounts, mandates, microdeposits and debits."""
