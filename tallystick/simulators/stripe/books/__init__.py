"""What moves the business's balance: balance transactions, refunds and disputes."""
